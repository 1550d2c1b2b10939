# SPDX-License-Identifier: MIT
# timeout: 400
# Every program in surroundings that nobody thought of: limits, system calls that are denied, namespaces,
# read-only places, a root directory with nothing but the libraries, descriptors that are closed or full,
# names with any byte. Each cell of the table works, or refuses with its reason and a non-zero exit: never a
# hang, a signal, a wrong record, a silent loss, or harm to a neighbour.
#
# SURROUNDINGS=PATTERN: only the cells whose names match. TEST_LONG: all 1,455; else a third of those of the short
# run, another one each time (PHASE=0, 1, 2: this one). The last line counts the cells.
. "$(dirname "$0")/functions.sh"

[ -z "${TEST_SAN:-}" ] || skip "limits of memory and minimal roots are not for sanitizers"
asked=${PHASE:-$((RANDOM % 3))}
echo "PHASE=$asked"
cells=0 works=0 refuses=0 findings=()
limit=60 # s; nothing here takes one

image disk1.img 1
mkdir here
deny=$TEST_BIN/deny_calls

finding() {
    findings+=("$1")
    echo "FINDING: $1"
    [ ! -s out ] || head -c 300 out | sed 's/^/    stdout: /'
    [ ! -s err ] || head -c 600 err | sed 's/^/    stderr: /'
}

# wanted NAME [WRAPPER]: is this cell asked for, and does a program run there at all? Counts it.
wanted() {
    [[ $1 =~ ${SURROUNDINGS:-.} ]] || return 1
    asked=$((asked + 1))
    [ -n "${TEST_LONG:-}${SURROUNDINGS:-}" ] || [ $((asked % 3)) = 0 ] || return 1
    [ $# = 1 ] || under "$2" true >/dev/null 2>&1 || return 1
    cells=$((cells + 1))
}

# under WRAPPER COMMAND...: WRAPPER is shell text that ends by running "$@".
under() {
    local wrapper=$1
    shift
    timeout -k 2 $limit bash -c "$wrapper" under "$@"
}

# judge NAME STATUS: an exit status that a program of ours gives when it refuses, and a reason.
judge() {
    case $2 in
    0) return 0 ;;
    124 | 137) finding "$1: hangs" ;;
    1 | 2 | 3) if [ -s err ]; then refuses=$((refuses + 1)); else finding "$1: exit $2 without a word"; fi ;;
    *) finding "$1: exit $2" ;;
    esac
    return 1
}

# The neighbour still reads, and reads the right sectors.
neighbour_reads() { # NAME
    (cd here && timeout -k 2 $limit "$BIN/client" 2 200 >/dev/null 2>../neighbour.err) ||
        finding "$1: the neighbour cannot read: $(cat neighbour.err)"
    check_records "$1 (neighbour)" 200
}

# check_records NAME COUNT: what here/ has is right; afterwards it is empty.
check_records() {
    local sectors count=0
    for sectors in here/sectors.*; do
        [ -e "$sectors" ] || continue
        count=$((count + $(wc -l <"$sectors")))
        "$BIN/tool_for_integrity" disk1.img "$sectors" "${sectors/sectors/read}" >/dev/null 2>tool.err ||
            [ ! -s "$sectors" ] || finding "$1: wrong records: $(cat tool.err)"
    done
    [ "$count" = "$2" ] || [ "$2" = any ] || finding "$1: $count records instead of $2"
    rm -f here/sectors.* here/read.*
}

# The service in the surroundings, a client outside.
service_cell() { # NAME WRAPPER OPTION...
    local name="service, $1" wrapper=$2 status=0 pid=
    shift 2
    wanted "$name" "$wrapper" || return 0
    under "$wrapper" "$BIN/service" start "$@" >out 2>err || status=$?
    if judge "$name" $status; then
        pid=$("$BIN/service" status --json 2>err | sed 's/.*"pid":\([0-9]*\).*/\1/')
        (cd here && timeout -k 2 $limit "$BIN/client" 4 400 >../out 2>../err)
        judge "$name: client" $? && check_records "$name" 400
        status=0
        timeout -k 2 $limit "$BIN/service" stop >out 2>err || status=$?
        judge "$name: stop" $status && works=$((works + 1))
    else
        timeout -k 2 $limit "$BIN/service" stop >/dev/null 2>&1 && finding "$name: refused, but runs"
    fi
    rm -f here/*
    if [ -n "$pid" ] && ! gone "$pid"; then
        kill -9 "$pid"
        finding "$name: left running"
    fi
}

# A client in the surroundings, a service and a neighbour outside.
client_cell() { # NAME WRAPPER ARGUMENT...
    local name="client, $1" wrapper=$2 status=0
    shift 2
    wanted "$name" "$wrapper" || return 0
    [ $# -gt 0 ] || set -- 4 400
    (cd here && under "$wrapper" "$BIN/client" "$@" >../out 2>../err) || status=$?
    if judge "$name" $status; then
        works=$((works + 1))
        check_records "$name" "$2"
    else
        [ ! -s out ] || finding "$name: a result although it failed"
        check_records "$name" any
    fi
    service status >/dev/null 2>&1 || { finding "$name: Dom0 is gone"; start_service; }
    [ "$((cells % 8))" != 0 ] || neighbour_reads "$name"
}

# A verb in the surroundings.
verb_cell() { # NAME WRAPPER VERB...
    local name="$3, $1" wrapper=$2 status=0
    shift 2
    wanted "$name" "$wrapper" || return 0
    under "$wrapper" "$BIN/service" "$@" >out 2>err || status=$?
    judge "$name" $status && works=$((works + 1))
    service status >/dev/null 2>&1 || { finding "$name: Dom0 is gone"; start_service; }
}

tool_cell() { # NAME WRAPPER
    local name="tool_for_integrity, $1" wrapper=$2 status=0
    wanted "$name" "$wrapper" || return 0
    under "$wrapper" "$BIN/tool_for_integrity" disk1.img good.sectors good.read >out 2>err || status=$?
    judge "$name" $status && works=$((works + 1))
}

# each_program NAME WRAPPER: all but the service's start, beside a running service. In the short run one verb,
# and now and then the asynchronous client and the tool.
turn=0
verbs=(status 'status --json' list env 'set 1 weight 300')
each_program() {
    local verb
    turn=$((turn + 1))
    client_cell "$1" "$2"
    [ -z "${TEST_LONG:-}" ] && [ $((turn % 3)) != 0 ] || client_cell "$1, asynchronous" "$2" 1 400 --depth 32
    [ -z "${TEST_LONG:-}" ] && [ $((turn % 4)) != 0 ] || tool_cell "$1" "$2"
    for verb in "${!verbs[@]}"; do
        # shellcheck disable=SC2086 # several arguments
        [ -z "${TEST_LONG:-}" ] && [ $((turn % ${#verbs[@]})) != "$verb" ] || verb_cell "$1" "$2" ${verbs[$verb]}
    done
}

# ---- the surroundings -----------------------------------------------------------------------------
# Each is a name and shell text; tabs between.

limits() {
    local value
    for value in 0 3 4 5 6 7 8 9 10 12 16 24 64; do printf 'ulimit -n %s\n' $value; done
    for value in 20000 60000 150000 400000; do printf 'ulimit -v %s\n' $value; done
    for value in 32 64 256 unlimited; do printf 'ulimit -s %s\n' $value; done
    for value in 0 1 8 64 4096; do printf 'ulimit -f %s\n' $value; done
    for value in 0 1 64; do printf 'ulimit -l %s\n' $value; done
    printf 'ulimit -i 0\nulimit -q 0\nulimit -c 0\nulimit -e 0\nulimit -r 0\nulimit -x 0\nulimit -d 1000\n'
}

run_limits() { # CELL
    local text
    while read -r text; do "$1" "$text" "$text && exec \"\$@\""; done < <(limits)
}

denied_calls() { # CELL
    local call error
    "$deny" EPERM statx true 2>/dev/null || return 0
    while read -r call; do
        for error in EPERM ENOSYS; do "$1" "$call is $error" "exec $deny $error $call \"\$@\""; done
    done < <("$deny" --list)
    "$1" 'an old kernel' "exec $deny ENOSYS io_uring_setup,io_uring_enter,io_uring_register,close_range,openat2,faccessat2,epoll_pwait2,pidfd_getfd,rseq,futex_waitv,clone3 \"\$@\""
    "$1" 'a strict container' "exec $deny EPERM io_uring_setup,statx,pidfd_open,pidfd_send_signal,close_range,rseq,membarrier,openat2,mlock,sched_setaffinity,sched_setscheduler,sched_setattr \"\$@\""
}

namespaces() { # CELL
    local options
    for options in --pid --mount --net --ipc --uts --user '--user --map-root-user' '--time --boottime 100000 --monotonic 100000' \
        '--pid --mount-proc' '--user --map-root-user --pid --mount-proc'; do
        # shellcheck disable=SC2086 # several options
        unshare --fork $options true 2>/dev/null || continue
        "$1" "unshare $options" "exec unshare --fork $options \"\$@\""
    done
}

read_only() { # CELL
    unshare --mount mount --bind / / 2>/dev/null || return 0
    "$1" 'a read-only run directory' "exec unshare --mount bash -c 'mount --bind $SPLITDOM_RUNDIR $SPLITDOM_RUNDIR && mount -o remount,ro,bind $SPLITDOM_RUNDIR && exec \"\$@\"' ro \"\$@\""
    "$1" 'a read-only current directory' "exec unshare --mount bash -c 'mount --bind $SCRATCH $SCRATCH && mount -o remount,ro,bind $SCRATCH && cd \"\$PWD\" && exec \"\$@\"' ro \"\$@\""
    "$1" 'no /proc' "exec unshare --mount bash -c 'mount -t tmpfs none /proc && exec \"\$@\"' ro \"\$@\""
    "$1" 'no /sys' "exec unshare --mount bash -c 'mount -t tmpfs none /sys && exec \"\$@\"' ro \"\$@\""
    "$1" 'no /dev/shm' "exec unshare --mount bash -c 'mount -t tmpfs -o ro none /dev/shm && exec \"\$@\"' ro \"\$@\""
    "$1" 'a /dev without files' "exec unshare --mount bash -c 'mount -t tmpfs none /dev && exec \"\$@\"' ro \"\$@\""
}

descriptors() { # CELL
    "$1" 'stdin closed' 'exec "$@" <&-'
    "$1" 'stdout closed' 'exec "$@" >&-'
    "$1" 'stderr closed' 'exec 3>&2; exec "$@" 2>&-; exit 1'
    "$1" 'all closed' 'exec "$@" <&- >&- 2>&-'
    "$1" 'stdout full' 'exec "$@" >/dev/full'
    "$1" 'stdout a pipe without a reader' '"$@" > >(exec <&-; sleep 0.05)'
    "$1" 'no environment' 'exec env -i SPLITDOM_RUNDIR="$SPLITDOM_RUNDIR" "$@"'
    "$1" 'a strange locale' 'LC_ALL=tr_TR.UTF-8 LANG=xx exec "$@"'
    "$1" 'signals ignored' "trap '' HUP INT QUIT TERM PIPE CHLD USR1 ALRM XFSZ; exec \"\$@\""
    "$1" 'signals blocked' 'exec env --block-signal "$@"'
    "$1" 'nice 19' 'exec nice -n 19 "$@"'
    "$1" 'one CPU' 'exec taskset -c 0 "$@"'
}

# A closed stderr cannot give a reason, nor can stdout that nobody gets be a success: such cells are judged by
# the exit status alone.
lenient() {
    case $1 in *closed* | *'without a reader'* | *'ulimit -f 0'*) [ -s err ] || echo 'nobody was to hear' >err ;; esac
}
judge_strictly=$(declare -f judge)
eval "${judge_strictly/judge/judge_by_reason}"
judge() {
    lenient "$1"
    judge_by_reason "$@"
}

# ---- the table ------------------------------------------------------------------------------------

for group in run_limits denied_calls namespaces read_only descriptors; do $group service_cell; done

# Where a name may hold any byte but NUL and slash.
for name in $'new\nline' 'a b' "quote'" 'double"' 'back\slash' $'\xff\xfe' $'tab\t' '-dash' '%s%n' '$(x)' $'\x01\x7f' 'ünï'; do
    cp disk1.img "./$name"
    service_cell "an image called $(printf %q "$name")" 'exec "$@"' --image "./$name"
    if "$BIN/service" start --image "./$name" 2>err; then
        wanted "status of an image called $(printf %q "$name")" && {
            "$BIN/service" status --json | python3 -c 'import json, sys; json.loads(sys.stdin.buffer.read().decode("utf-8"))' 2>err ||
                finding "status --json of an image called $(printf %q "$name") is not JSON: $(tail -n 1 err)"
        }
        "$BIN/service" stop >/dev/null
    fi
    rm -f "./$name"
done

start_service
(cd here && client 2 300 >/dev/null) || die "no records to begin with"
mv here/sectors.* good.sectors && mv here/read.* good.read
for group in run_limits denied_calls namespaces read_only descriptors; do $group each_program; done

wanted 'client --json' && (cd here && client 2 10 --json --pattern zipf:0.9) 2>err >out &&
    { python3 -c 'import json; json.load(open("out"))' 2>err || finding 'client --json is not JSON'; }
rm -f here/*

# Where only what ldd lists is there.
root=$SCRATCH/root
minimal_root() {
    local program library
    mkdir -p "$root/dev" "$root/tmp" "$root/here" "$root/$SPLITDOM_RUNDIR"
    for program in service client tool_for_integrity; do
        cp "$BIN/$program" "$root/" || return 1
        ldd "$BIN/$program" | grep -oE '/[^ ]+' | while read -r library; do
            mkdir -p "$root/$(dirname "$library")"
            cp -L "$library" "$root/$library"
        done
    done
    cp disk1.img good.sectors good.read "$root/"
    mount --bind "$SPLITDOM_RUNDIR" "$root/$SPLITDOM_RUNDIR" 2>/dev/null && cleanup_fn umount "$root/$SPLITDOM_RUNDIR"
}
if [ "$(id -u)" = 0 ] && minimal_root; then
    in_root() { timeout -k 2 $limit chroot "$root" "$@"; }
    for arguments in '2 50 --no-record' '1 50 --depth 8 --no-record' '2 50'; do
        wanted "a minimal root, client $arguments" || continue
        status=0
        # shellcheck disable=SC2086 # several arguments
        in_root /client $arguments >out 2>err || status=$?
        judge "a minimal root, client $arguments" $status && works=$((works + 1))
        [ $status = 0 ] || finding "a minimal root: client $arguments does not work"
    done
    for arguments in status list env; do
        wanted "a minimal root, $arguments" || continue
        status=0
        in_root /service $arguments >out 2>err || status=$?
        judge "a minimal root, $arguments" $status && works=$((works + 1))
    done
    wanted 'a minimal root, tool_for_integrity' && {
        in_root /tool_for_integrity /disk1.img /good.sectors /good.read >out 2>err || finding 'a minimal root: the integrity tool fails'
        works=$((works + 1))
    }
    service stop >/dev/null
    wanted 'a minimal root, service' && {
        status=0
        in_root /service start --image /disk1.img >out 2>err || status=$?
        if judge 'a minimal root, service' $status; then
            (cd here && client 2 100 >/dev/null 2>../err) || finding 'a service in a minimal root does not serve'
            rm -f here/*
            service stop >/dev/null || finding 'a service in a minimal root does not stop'
            works=$((works + 1))
        fi
    }
fi

echo "$cells cells: $works work, $refuses refuse with a reason, ${#findings[@]} findings"
[ ${#findings[@]} = 0 ] || die "$(printf '%s\n' "${findings[@]}")"
