# SPDX-License-Identifier: MIT
# functions: what the end-to-end scripts share. A script begins with
#     . "$(dirname "$0")/functions.sh"
# and is then in an empty directory of its own, with a run directory of its own, and the programs in
# $BIN (absolute; default: bin of this tree). Exit 77: skipped, the last line says why.
# shellcheck shell=bash

set -u
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BIN=${BIN:-$TOP/bin}
[ "${BIN#/}" != "$BIN" ] || BIN=$PWD/$BIN
TEST_BIN=${TEST_BIN:-$TOP/build/plain/tests/e2e}
SCRATCH=$(mktemp -d "${IMAGE_DIR:-/tmp}/e2e.XXXXXX") || exit 1
export SPLITDOM_RUNDIR=$SCRATCH/run SPLITDOM_NAME=default
# A socket's path is short, a tree's may not be.
if [ ${#SPLITDOM_RUNDIR} -gt 70 ]; then
    RUN_SCRATCH=$(mktemp -d /tmp/e2e.XXXXXX) || exit 1
    SPLITDOM_RUNDIR=$RUN_SCRATCH/run
fi
cleanups=()

die() {
    echo "FAILED: $*" >&2
    exit 1
}

skip() {
    echo "$*"
    exit 77
}

# requires COMMAND...: skips where one is not installed.
requires() {
    local command
    for command in "$@"; do
        command -v "$command" >/dev/null || skip "needs $command"
    done
}

# cleanup_fn COMMAND ARGUMENT...: run at the end, whatever happens; the last one first.
cleanup_fn() {
    cleanups=("$(printf '%q ' "$@")" ${cleanups[@]+"${cleanups[@]}"})
}

# Not in a child: bash runs these traps in a process that a signal meets between fork and exec.
run_cleanups() {
    local status=$? command self=$BASHPID
    [ "$self" = "$$" ] || return
    trap - EXIT
    jobs -p | xargs -r kill -9 2>/dev/null
    for command in ${cleanups[@]+"${cleanups[@]}"}; do
        eval "$command"
    done
    cd / && rm -rf "$SCRATCH" ${RUN_SCRATCH:+"$RUN_SCRATCH"}
    exit $status
}
trap run_cleanups EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# expect STATUS PATTERN COMMAND...: the command exits with STATUS; PATTERN (extended regular
# expression) is found in stderr, or stdout if STATUS is 0; stdout is empty if STATUS is not 0.
# Leaves both in the files stdout and stderr.
expect() {
    local wanted=$1 pattern=$2 status=0
    shift 2
    "$@" >stdout 2>stderr || status=$?
    if [ "$status" != "$wanted" ]; then
        sed 's/^/    /' stdout stderr >&2
        die "exit $status instead of $wanted: $*"
    fi
    if [ "$wanted" = 0 ]; then
        [ -z "$pattern" ] || grep -qE -- "$pattern" stdout || die "no '$pattern' on stdout: $*: $(cat stdout)"
    else
        grep -qE -- "$pattern" stderr || die "no '$pattern' on stderr: $*: $(cat stderr)"
        [ ! -s stdout ] || die "output although it failed: $*: $(cat stdout)"
    fi
}

# image NAME MIB: a random image in the current directory.
image() {
    dd if=/dev/urandom of="$1" bs=1M count="$2" iflag=fullblock status=none || die "no room for an image"
}

# start_service OPTION...: and its end, at the latest with the script. One that was killed may hold its image's lock a
# moment longer than its process is seen, while what it wrote is on its way: a start that is told so is tried again.
start_service() {
    local end=$((SECONDS + 5 * slack))
    until "$BIN/service" start "$@" 2>"$SCRATCH/.start"; do
        cat "$SCRATCH/.start" >&2
        grep -qF '(flock)' "$SCRATCH/.start" && [ $SECONDS -le $end ] || die "the service does not start: $*"
        sleep 0.1
    done
    cat "$SCRATCH/.start" >&2
    cleanup_fn stop_leftover
}

stop_leftover() {
    "$BIN/service" stop >/dev/null 2>&1 || :
}

# Limits of time are multiplied by this: the machine may be busy with other things, and programs with sanitizers take
# longer. A limit is there for what would never come; what must be quick is far below.
slack=4
[ -z "${TEST_SAN:-}" ] || slack=8

# The programs with a time limit. For a client whose process id matters, call "$BIN/client" itself.
client() { timeout -k 2 $((30 * slack)) "$BIN/client" "$@"; }
service() { timeout -k 2 $((20 * slack)) "$BIN/service" "$@"; }

# eventually SECONDS COMMAND...: tries it until it succeeds; fails after that time.
eventually() {
    local end=$((SECONDS + $1 * slack))
    shift
    until "$@"; do
        [ $SECONDS -le $end ] || return 1
        sleep 0.02
    done
}

# freeze PID: stops a process, and waits until each of its threads stands still: kill returns before.
freeze() {
    kill -STOP "$1" && eventually 10 stands_still "$1" || die "process $1 does not stand still"
}
stands_still() { ! grep -L '^State:.[Tt]' /proc/"$1"/task/*/status | grep -q .; }

# now_ms: of the real-time clock
now_ms() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); }

dom0_pid() { service status --json | sed 's/.*"pid":\([0-9]*\).*/\1/'; }

# fds PID: how many descriptors it has open. The smallest of a few looks: a connection that asked for the status a
# moment ago may not be closed yet.
fds() {
    local least=999999 now i
    for i in 1 2 3 4 5; do
        now=$(find "/proc/$1/fd" -mindepth 1 | wc -l)
        [ "$now" -ge $least ] || least=$now
        sleep 0.01
    done
    echo $least
}

# rss_kib PID: how much memory it has
rss_kib() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }

# status_number KEY: the first number of this name in the status
status_number() { service status --json | sed "s/.*\"$1\":\([0-9]*\).*/\1/"; }

# requests_exceed COUNT: Dom0 has taken more requests than that
requests_exceed() { [ "$(status_number 'total":{"requests')" -gt "$1" ]; }

# domains_are COUNT, connected COUNT: domains that exist, or have a connected disk
domains_are() { [ "$(service status --json | grep -o '"domid":' | wc -l)" = "$1" ]; }
connected() { [ "$(service status --json | grep -o '"state":"Connected"' | wc -l)" = "$1" ]; }

# vif_of NAME FILTER: what jq's filter finds of the first network interface of the domain of that name
vif_of() { service status --json | jq -r ".domains[] | select(.name == \"$1\") | .vifs[0] | $2"; }
connected_vif() { [ "$(vif_of "$1" .state)" = Connected ]; }

# gone PID: it has ended (or is a zombie that is to be waited for), and so have all its threads: with the last of them
# its descriptors are closed and its lock is free.
gone() {
    local tasks=("/proc/$1/task"/*)
    ! grep -q '^State:[[:space:]]*[A-Y]' "/proc/$1/status" 2>/dev/null && [ ${#tasks[@]} -le 1 ]
}

# reap LIMIT-MS PID: waits for a child, sets status; dies if it has not ended in time.
reap() {
    local begin end
    begin=$(now_ms)
    eventually $(($1 / 1000 + 1)) gone "$2" || die "process $2 goes on for $1 ms"
    end=$(now_ms)
    [ $((end - begin)) -le $(($1 * slack)) ] || die "process $2 took $((end - begin)) ms to end"
    status=0
    wait "$2" || status=$?
}

# verify_all COUNT: the files of all clients in this directory hold COUNT records, all right.
verify_all() {
    local file count
    for file in sectors.*; do
        verify "${file#sectors.}"
    done
    count=$(cat sectors.* | wc -l)
    [ "$count" = "$1" ] || die "$count records instead of $1"
    rm -f sectors.* read.*
}

# verify PID...: the reads of these clients, against disk1.img.
verify() {
    local pid
    for pid in "$@"; do
        "$BIN/tool_for_integrity" disk1.img "sectors.$pid" "read.$pid" >/dev/null ||
            die "the reads of client $pid are wrong"
    done
}

cd "$SCRATCH" || exit 1
