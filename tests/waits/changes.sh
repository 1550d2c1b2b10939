#!/bin/bash
# SPDX-License-Identifier: MIT
# changes.sh [ROUNDS]: how late waits and kernel timers of a domain end by the integral of the rate, while Dom0 is asked for
# other rates at random (`service set DOMID tdf`), 125 times in each of ROUNDS rounds (8), 3 to 12 ms apart. Beside it, in turn:
# as many requests for the rate that there is, and the same program without a domain while an idle domain gets the requests,
# which is how late the machine itself is. Prints the median of the rounds' medians and 99ths of 100, in microseconds, with the
# span of the latter, and how many ended early. Exit 1: through changes the 99th of 100 is over a millisecond later than not
# mediated, a wait was early, or a clock stepped back. Needs the programs (make all e2e-programs) and a machine that is not busy.
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
BIN=${BIN:-$TOP/bin} TEST_BIN=${TEST_BIN:-$TOP/build/plain/tests/e2e}
rounds=${1:-8} requests=125
scratch=$(mktemp -d) || exit 1
export SPLITDOM_RUNDIR=$scratch/run
idle=
trap '"$BIN/service" destroy "$idle" >/dev/null 2>&1; "$BIN/service" stop >/dev/null 2>&1; rm -rf "$scratch"' EXIT
dd if=/dev/urandom of="$scratch/disk1.img" bs=1M count=4 iflag=fullblock status=none
"$BIN/service" start --image "$scratch/disk1.img" --idle-timeout 0 || exit 1
ticks=$("$TEST_BIN/waits_changes" tsc) || exit 1
mkfifo "$scratch/never" && exec 9<>"$scratch/never" || exit 1
RANDOM=20261201
status=0 asked=0
declare -A changes

domid_of() { "$BIN/service" list | awk -v name="$1" '$NF == name { print $1 }'; }

# ask DOMID RATES...: the requests.
ask() {
    local domid=$1 i
    shift
    for ((i = 0; i < requests ; i++)); do
        read -r -t "$(printf '0.%03d' $((3 + RANDOM % 10)))" -u 9
        "$BIN/service" set "$domid" tdf "${@:1 + RANDOM % $#:1}" 2>/dev/null || return # the program has ended
        asked=$((asked + 1))
    done
}

# beside ARM PROGRAM SPAN RATES...: the program, in a domain or without one, for SPAN ms of its time a request, beside these.
beside() {
    local arm=$1 program=$2 span=$3 domid='' i run
    run=("$TEST_BIN/${program}_changes" $((requests * span)) "$ticks")
    shift 3
    if [ "$arm" = alone ]; then
        "${run[@]}" >"$scratch/found" &
        domid=$idle
    else
        "$BIN/domu" run --name asked -- "${run[@]}" >"$scratch/found" &
        for ((i = 0; i < 100; i++)); do
            domid=$(domid_of asked)
            [ -z "$domid" ] || break
        done
    fi
    asked=0
    ask "$domid" "$@"
    "$BIN/service" set "$domid" tdf 1 2>/dev/null
    [ "$arm" != changes ] || changes[$program]=$((${changes[$program]:-0} + asked))
    wait $! || { echo "$program, $arm: $(cat "$scratch/found")" >&2 && status=1; }
    cat "$scratch/found" >>"$scratch/$program.$arm"
}

"$BIN/domu" run --name idle -- cat <"$scratch/never" &
for ((i = 0; i < 100; i++)); do
    idle=$(domid_of idle)
    [ -z "$idle" ] || break
done
for ((round = 0; round < rounds; round++)); do
    for program in waits timers; do
        beside alone $program 9 1 2 5 10 1/2 3 0.5 20
        beside same $program 9 1
        beside changes $program 6 1 2 5 10 1/2 3 0.5 20
    done
done

# Of the rounds, the field that the expression finds: its median; least and most.
of() { sed -E "s/$2/\\1/" "$scratch/$1" | sort -n; }
middle() { awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
MEDIAN='.*late by (-?[0-9]+), .*' P99='.*late by -?[0-9]+, (-?[0-9]+) \(p99\).*'
echo '| us late: median, 99th of 100 (of the rounds) | not mediated | requests for the rate of now | for other rates |'
echo '|---|---|---|---|'
for program in waits timers; do
    printf '| %s' $program
    for arm in alone same changes; do
        of $program.$arm "$P99" >"$scratch/p99"
        printf ' | %s, %s (%s to %s)' "$(of $program.$arm "$MEDIAN" | middle)" "$(middle <"$scratch/p99")" \
            "$(head -n 1 "$scratch/p99")" "$(tail -n 1 "$scratch/p99")"
    done
    echo ' |'
    [ "$(middle <"$scratch/p99")" -le $(($(of $program.alone "$P99" | middle) + 1000)) ] || status=1
    sed 's/,.*late.*//' "$scratch/$program.changes" | awk '{ n += $1 } END { printf "%d '"$program, ${changes[$program]} changes"'\n", n }'
done
exit $status
