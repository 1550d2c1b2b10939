#!/bin/bash
# SPDX-License-Identifier: MIT
# Checks the models of the sleep protocol, of the threads that Dom0 wakes and of the shared cache: each must
# hold, and each of its broken twins must fail.
# Exit status: 0 so it is, 1 it is not, 77 Spin is not installed.
set -u
cd "$(dirname "$0")" || exit 1
command -v spin >/dev/null || {
    echo "needs spin (Debian: spin)"
    exit 77
}
models=$PWD
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# verify MODEL OPTION...: 0 no error, 1 an error was found, 2 it did not run. Most of these are compiled for longer
# than they run, hence -O0.
verify() {
    local model=$models/$1.pml
    shift
    rm -f pan* ./*.trail
    spin -a "$@" "$model" >spin.out 2>&1 && ${CC:-gcc} -O0 -w -DSAFETY -DCOLLAPSE -o pan pan.c || return 2
    ./pan -w20 -m10000 >pan.out 2>&1
    grep -q 'search depth too small\|out of memory' pan.out && return 2
    grep -q '^State-vector' pan.out || return 2
    grep -q 'errors: 0' pan.out
}

tell() { printf '%-13s %-26s %-10s %s\n' "$@"; }
fail() {
    tell "$@"
    touch "$work/failed"
}

# check MODEL VARIANT TWIN...: the variant is options of spin, or nothing
check() {
    local model=$1 variant=$2 twin dir
    shift 2
    dir=$(mktemp -d "$work/XXXXXX") && cd "$dir" || exit 1
    # shellcheck disable=SC2086 # variant is a list
    verify "$model" $variant
    case $? in
    0) tell "$model" "the protocol $variant" holds "$(awk '/states, stored/ { print $1 " states" }' pan.out)" ;;
    1) fail "$model" "the protocol $variant" FAILS "$(grep -m 1 '^pan:' pan.out)" ;;
    *) fail "$model" "the protocol $variant" BROKEN "$(tail -n 1 spin.out)" ;;
    esac
    for twin; do
        # shellcheck disable=SC2086
        verify "$model" $variant "-D$twin"
        case $? in
        1) tell "$model" "$twin" "fails" "as it must: $(grep -m 1 '^pan:' pan.out)" ;;
        0) fail "$model" "$twin" HOLDS "the model does not see what is missing" ;;
        *) fail "$model" "$twin" BROKEN "$(tail -n 1 spin.out)" ;;
        esac
    done
}

# beside MODEL VARIANT TWIN...: check, together with the others; what it says is said at the end
beside() {
    checks=$((checks + 1))
    { check "$@" && touch "$work/done.$checks"; } >"$work/said.$checks" 2>&1 &
}
checks=0

rounds=1 # of the second thread, in the largest model
[ -z "${TEST_LONG:-}" ] || rounds=2
beside ring_sleep '' NO_FRONT_BARRIER_PUSH NO_FRONT_BARRIER_CHECK NO_BACK_BARRIER_PUSH NO_BACK_BARRIER_CHECK \
    NO_FRONT_FINAL_CHECK NO_BACK_FINAL_CHECK NO_HAND_OVER NO_LATCH
beside sleepers '' NO_FRONT_BARRIER NO_BACK_BARRIER NO_LAST_LOOK WAKE_FIRST NO_AWAKE FREED_AT_ONCE NO_HEIR NO_HAND_OVER
beside sleepers '-DIMPATIENT=1'
beside sleepers "-DDEATHS=1 -DROUNDS=$rounds" NO_ROUSE ROUSE_ASLEEP
beside shared_cache '' NO_ODD_FIRST NO_EVEN_LAST NO_LOOK_FIRST NO_LOOK_LAST NO_EPOCH NO_HIDE SHOW_FIRST
wait
for ((i = 1; i <= checks; i++)); do
    cat "$work/said.$i"
    [ -e "$work/done.$i" ] || fail "check $i" "did not come to its end" BROKEN ""
done
[ ! -e "$work/failed" ]
