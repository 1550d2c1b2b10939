#!/bin/bash
# SPDX-License-Identifier: MIT
# Checks the model of the sleep protocol: it must hold, and each broken twin must fail.
# Exit status: 0 so it is, 1 it is not, 77 Spin is not installed.
set -u
cd "$(dirname "$0")" || exit 1
command -v spin >/dev/null || {
    echo "needs spin (Debian: spin)"
    exit 77
}
model=$PWD/ring_sleep.pml
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# verify OPTION...: 0 no error, 1 an error was found, 2 it did not run.
verify() {
    rm -f pan* ./*.trail
    spin -a "$@" "$model" >spin.out 2>&1 && ${CC:-gcc} -O2 -w -DSAFETY -DCOLLAPSE -o pan pan.c || return 2
    ./pan -m100000 >pan.out 2>&1
    grep -q 'search depth too small\|out of memory' pan.out && return 2
    grep -q '^State-vector' pan.out || return 2
    grep -q 'errors: 0' pan.out
}

failures=0
tell() { printf '%-26s %-10s %s\n' "$1" "$2" "$3"; }
verify
case $? in
0) tell "the protocol" holds "$(awk '/states, stored/ { print $1 " states" }' pan.out)" ;;
1)
    tell "the protocol" FAILS "a wake-up is lost: $(grep -m 1 '^pan:' pan.out)"
    failures=1
    ;;
*)
    cat spin.out pan.out
    exit 1
    ;;
esac
for twin in NO_FRONT_BARRIER_PUSH NO_FRONT_BARRIER_CHECK NO_BACK_BARRIER_PUSH NO_BACK_BARRIER_CHECK \
    NO_FRONT_FINAL_CHECK NO_BACK_FINAL_CHECK NO_HAND_OVER NO_LATCH; do
    verify -D$twin
    case $? in
    1) tell "$twin" "fails" "as it must: $(grep -m 1 '^pan:' pan.out)" ;;
    0)
        tell "$twin" HOLDS "the model does not see what is missing"
        failures=1
        ;;
    *)
        tell "$twin" BROKEN "$(tail -n 1 spin.out)"
        failures=1
        ;;
    esac
done
exit $failures
