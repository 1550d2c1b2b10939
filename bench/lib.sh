# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the sections of the benchmark share: results, ratios, goals, services, clients, rivals.
#
# A measurement is one line of results/SECTION.csv: section,round,row,metric,value. A section runs its
# rows one after the other, again and again, so that what disturbs the machine meets all of them;
# ratios are taken within a round, and their median, smallest and largest are shown.

set -u
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BIN=${BIN:-$TOP/bin}
PROGRAMS=${PROGRAMS:-$TOP/build/plain/bench}
# One directory for each kind of machine: the newest run on it.
MACHINE=${BENCH_MACHINE:-$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1 | tr 'A-Z' 'a-z' | tr -cs 'a-z0-9' '-' | cut -c 1-40)}
MACHINE=${MACHINE%-}
MACHINE=${MACHINE:-unknown}-$(nproc)cpu
RESULTS=${BENCH_RESULTS:-$TOP/bench/results/$MACHINE}
IMAGE=${BENCH_IMAGE:-$TOP/build/images/bench.img}
IMAGE_MIB=${BENCH_IMAGE_MIB:-500}
QUICK=${QUICK:-}
ROUNDS=${ROUNDS:-${QUICK:+2}}
ROUNDS=${ROUNDS:-5}
CELL_S=${CELL_S:-${QUICK:+0.3}} # how long one row runs in one round
CELL_S=${CELL_S:-0.55}
HOT=hotset:0.5:100 # half of the cache: every request hits once it is warm
MANY=1000000000000 # requests: the duration ends the run

TMP=$(mktemp -d /tmp/splitdom-bench.XXXXXX) || exit 1
export SPLITDOM_RUNDIR=$TMP/run
mkdir -m 700 "$SPLITDOM_RUNDIR"
services=()
children=()

# Not in a child: bash runs these traps in a process that a signal meets between fork and exec.
clean_up() {
    local status=$? name pid self=$BASHPID
    [ "$self" = "$$" ] || return
    trap - EXIT
    for pid in ${children[@]+"${children[@]}"}; do
        kill "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    for name in ${services[@]+"${services[@]}"}; do
        "$BIN/service" stop --name "$name" >/dev/null 2>&1
    done
    rm -rf "$TMP"
    exit $status
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

die() {
    echo "bench: $*" >&2
    exit 1
}

# Results that are kept belong to a revision.
refuse_dirty() {
    local changes
    case $RESULTS/ in
    "$TOP"/bench/*) ;;
    *) return 0 ;;
    esac
    changes=$(git -C "$TOP" status --porcelain -- . ':!bench/results' 2>/dev/null)
    [ -z "$changes" ] || [ -n "${BENCH_DIRTY:-}" ] ||
        die "the tree has changes that are not committed: commit them, or set BENCH_RESULTS elsewhere, or BENCH_DIRTY=1"
}

have() { command -v "$1" >/dev/null 2>&1; }

for part in numbers results host clients rivals; do
    # shellcheck source=/dev/null
    . "$TOP/bench/lib/$part.sh"
done
