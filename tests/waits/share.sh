#!/bin/bash
# SPDX-License-Identifier: MIT
# share.sh [ROUNDS]: is the speed of a CPU that a program perceives k * P times the undilated one, at TDF k with the share P?
# openssl speed, undilated and under domu run at each k and P in turn, ROUNDS times (3). Prints the median of perceived /
# (k * P * undilated) with its bound of 3 %; exit 1 if one is outside. Needs control groups that may be written, and a
# machine that does little else: the load average stands beside.
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
BIN=${BIN:-$TOP/bin}
rounds=${1:-3}
scratch=$(mktemp -d) || exit 1
export SPLITDOM_RUNDIR=$scratch/run
trap '"$BIN/service" stop >/dev/null 2>&1; rm -rf "$scratch"' EXIT
command -v openssl >/dev/null || { echo "openssl is not installed" && exit 77; }
dd if=/dev/urandom of="$scratch/disk1.img" bs=1M count=4 status=none
"$BIN/service" start --image "$scratch/disk1.img" --idle-timeout 0 || exit 1
"$BIN/domu" run --cpu-share 1/2 true || exit 77

# speed COMMAND...: thousands of bytes in a second, as the program counts them.
speed() { "$@" openssl speed -elapsed -seconds 1 -bytes 8192 sha256 2>/dev/null | awk '/^sha256/ { sub("k", "", $2); print $2 }'; }

for ((round = 0; round < rounds; round++)); do
    for tdf in 1 2 10; do
        for share in 1 2 10; do
            undilated=$(speed env)
            perceived=$(speed "$BIN/domu" run --tdf $tdf --cpu-share 1/$share --)
            awk -v tdf=$tdf -v share=$share -v a="$undilated" -v b="$perceived" \
                'BEGIN { printf "%s %s %.4f\n", tdf, share, b / (tdf / share * a) }' >>"$scratch/ratios"
        done
    done
done
printf 'load %s\n\n| TDF | share | perceived / expected | bound |\n|---|---|---|---|\n' "$(cut -d' ' -f1 /proc/loadavg)"
status=0
for tdf in 1 2 10; do
    for share in 1 2 10; do
        median=$(awk -v tdf=$tdf -v share=$share '$1 == tdf && $2 == share { print $3 }' "$scratch/ratios" | sort -n |
            awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }')
        echo "| $tdf | 1/$share | $median | 0.97 to 1.03 |"
        awk -v r="$median" 'BEGIN { exit !(r >= 0.97 && r <= 1.03) }' || status=1
    done
done
exit $status
