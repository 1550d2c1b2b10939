#!/bin/bash
# SPDX-License-Identifier: MIT
# run.sh [TDF...]: the conformance test of dilated time at each factor (2 10 100 1/2), each build, within 2 % and
# 2 ms of real time: under domu run, and beside it under what else dilates programs. Prints a table, and what is
# wrong under domu run. Exit 1 if that is more than docs/time.md says. Needs the programs (make all
# waits-programs) and a machine that does nothing else.
set -u
cd "$(dirname "$0")/../.." || exit 1
BIN=${BIN:-$PWD/bin}
WAITS=$PWD/build/plain/tests/waits
factors=("$@")
[ $# -gt 0 ] || factors=(2 10 100 1/2)
scratch=$(mktemp -d) || exit 1
export SPLITDOM_RUNDIR=$scratch/run
trap '"$BIN/service" stop >/dev/null 2>&1; rm -rf "$scratch"' EXIT
dd if=/dev/urandom of="$scratch/disk1.img" bs=1M count=4 iflag=fullblock status=none
"$BIN/service" start --image "$scratch/disk1.img" --idle-timeout 0 || exit 1
status=0

# judge NAME TDF PROGRAM COMMAND...: prints a row of the table.
judge() {
    local name=$1 tdf=$2 program=$3 found
    shift 3
    "$WAITS/waits" --tdf "$tdf" --tries 2 --program "$WAITS/$program" -- "$@" >"$scratch/found" 2>/dev/null
    found=$(tail -n 1 "$scratch/found" | sed -E 's/([0-9]+) (right|wrong|hang|broken|absent),?/\1 |/g')
    printf '| %s | %s | %s | %s\n' "$name" "$tdf" "${program#waits}" "$found"
}

# faketime's rate is the reciprocal.
rate() { awk -v tdf="$1" 'BEGIN { n = split(tdf, part, "/"); printf "%.6g", n == 2 ? part[2] / part[1] : 1 / tdf }'; }

echo '| | TDF | build | right | wrong | hang | broken | absent |'
echo '|---|---|---|---|---|---|---|---|'
for tdf in "${factors[@]}"; do
    for program in waits waits_static waits_musl; do
        [ -x "$WAITS/$program" ] || continue
        judge 'domu run --tsc' "$tdf" $program "$BIN/domu" run --tsc --tdf "$tdf" --
        if grep -E '^(WRONG|HANG|BROKEN)' "$scratch/found" | cut -c9-44 | sed 's/ *$//' |
            grep -vxFf <(grep -v rdtsc tests/waits/undilated.txt) >>"$scratch/wrong"; then
            status=1
        fi
        if command -v faketime >/dev/null; then
            judge libfaketime "$tdf" $program faketime -f "+0 x$(rate "$tdf")"
        fi
    done
done
[ $status = 0 ] || { echo "wrong under domu run, and not in docs/time.md:" && sort "$scratch/wrong" | uniq -c; } >&2
exit $status
