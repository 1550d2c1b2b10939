#!/bin/bash
# SPDX-License-Identifier: MIT
# late.sh [ROUNDS]: how late waits and kernel timers end by the integral of the rate, through 100 changes of rate at random
# in each of ROUNDS rounds (11), beside it mediated at one rate and not mediated at all, the three in turn. Prints the
# median of the rounds' medians, and of their p99, in microseconds. Exit 1: the p99 through changes is over a millisecond
# more than not mediated, a wait was early, or a clock stepped back. Needs the programs (make all e2e-programs) and a machine that is not busy.
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
BIN=${BIN:-$TOP/bin} TEST_BIN=${TEST_BIN:-$TOP/build/plain/tests/e2e}
rounds=${1:-11}
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
ticks=$("$TEST_BIN/waits_changes" tsc) || exit 1
RANDOM=20261130
rates=(1 2 5 10 1/2 3 0 20)
status=0

# found NAME COMMAND...: what COMMAND says, into NAME's file.
found() {
    local name=$1
    shift
    "$@" >>"$scratch/$name" || { echo "$name: $(tail -n 1 "$scratch/$name")" >&2 && status=1; }
}
middle() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
median() { sed 's/.*late by \(-*[0-9]*\), .*/\1/' "$scratch/$1" | middle; }
p99() { sed 's/.*late by -*[0-9]*, \(-*[0-9]*\) (p99).*/\1/' "$scratch/$1" | middle; }

mediated() { "$TEST_BIN/mediated" "$BIN/domu-shim" 1 "$@"; }
for ((round = 0; round < rounds; round++)); do
    changes=()
    for ((i = 0; i < 100; i++)); do changes+=(-c "$((3 + RANDOM % 10)):${rates[RANDOM % ${#rates[@]}]}"); done
    changes+=(-c 5:1)
    for program in waits timers; do
        run=("$TEST_BIN/${program}_changes" 300 "$ticks")
        found $program.alone "${run[@]}"
        found $program.one mediated "${run[@]}"
        found $program.changes mediated "${changes[@]}" "${run[@]}"
        found $program.announced mediated -a "${changes[@]}" "${run[@]}"
    done
done
echo '| us late, median and p99 | not mediated | at one rate | changes | changes, slower ones announced |'
echo '|---|---|---|---|---|'
for program in waits timers; do
    printf '| %s' $program
    for kind in alone one changes announced; do
        printf ' | %s, %s' "$(median $program.$kind)" "$(p99 $program.$kind)"
        case $kind in changes | announced) [ "$(p99 $program.$kind)" -le $(($(p99 $program.alone) + 1000)) ] || status=1 ;; esac
    done
    echo ' |'
done
exit $status
