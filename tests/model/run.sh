#!/bin/bash
# SPDX-License-Identifier: MIT
# Checks the models of the sleep protocol and of the shared cache: each must hold, and each of its broken
# twins must fail.
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
cd "$work" || exit 1

# verify MODEL OPTION...: 0 no error, 1 an error was found, 2 it did not run.
verify() {
    local model=$models/$1.pml
    shift
    rm -f pan* ./*.trail
    spin -a "$@" "$model" >spin.out 2>&1 && ${CC:-gcc} -O2 -w -DSAFETY -DCOLLAPSE -o pan pan.c || return 2
    ./pan -m100000 >pan.out 2>&1
    grep -q 'search depth too small\|out of memory' pan.out && return 2
    grep -q '^State-vector' pan.out || return 2
    grep -q 'errors: 0' pan.out
}

failures=0
tell() { printf '%-13s %-26s %-10s %s\n' "$@"; }
fail() {
    tell "$@"
    failures=1
}

# check MODEL TWIN...
check() {
    local model=$1 twin
    shift
    verify "$model"
    case $? in
    0) tell "$model" "the protocol" holds "$(awk '/states, stored/ { print $1 " states" }' pan.out)" ;;
    1) fail "$model" "the protocol" FAILS "$(grep -m 1 '^pan:' pan.out)" ;;
    *) fail "$model" "the protocol" BROKEN "$(tail -n 1 spin.out)" ;;
    esac
    for twin; do
        verify "$model" "-D$twin"
        case $? in
        1) tell "$model" "$twin" "fails" "as it must: $(grep -m 1 '^pan:' pan.out)" ;;
        0) fail "$model" "$twin" HOLDS "the model does not see what is missing" ;;
        *) fail "$model" "$twin" BROKEN "$(tail -n 1 spin.out)" ;;
        esac
    done
}

check ring_sleep NO_FRONT_BARRIER_PUSH NO_FRONT_BARRIER_CHECK NO_BACK_BARRIER_PUSH NO_BACK_BARRIER_CHECK \
    NO_FRONT_FINAL_CHECK NO_BACK_FINAL_CHECK NO_HAND_OVER NO_LATCH
check shared_cache NO_ODD_FIRST NO_EVEN_LAST NO_LOOK_FIRST NO_LOOK_LAST NO_EPOCH
exit $failures
