#!/bin/bash
# SPDX-License-Identifier: MIT
# share.sh [ROUNDS]: is the speed of a CPU that a program perceives k * P times the undilated one, at TDF k with the share P?
# openssl speed, undilated and under domu run at each k and P in turn, ROUNDS times (3). Prints the median of perceived /
# (k * P * undilated) with its bound of 3 %; exit 1 if one is outside. Needs control groups that may be written, and a
# CPU that is free, or can be had: the load average stands beside.
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
BIN=${BIN:-$TOP/bin}
rounds=${1:-3}
scratch=$(mktemp -d) || exit 1
export SPLITDOM_RUNDIR=$scratch/run
trap '"$BIN/service" stop >/dev/null 2>&1; rm -rf "$scratch"' EXIT
command -v openssl >/dev/null || { echo "openssl is not installed" && exit 77; }
dd if=/dev/urandom of="$scratch/disk1.img" bs=1M count=4 iflag=fullblock status=none
"$BIN/service" start --image "$scratch/disk1.img" --idle-timeout 0 || exit 1
"$BIN/domu" run --cpu-share 1/2 true || exit 77

# Others on the machine shall not take the CPU: a group that goes before them, where such groups can be weighted.
mount=$(awk '$3 == "cgroup" && $4 ~ /(^|,)cpu(,|$)/ { print $2; exit }' /proc/mounts)
own=$(awk -F: '$2 ~ /(^|,)cpu(,|$)/ { print $3; exit }' /proc/self/cgroup)
group=$mount$own/splitdom-share-$$
leave() { echo $$ >"$mount$own/cgroup.procs" && rmdir "$group"; }
if [ -n "$mount" ] && mkdir "$group" 2>/dev/null; then
    trap '"$BIN/service" stop >/dev/null 2>&1; leave; rm -rf "$scratch"' EXIT
    echo 262144 >"$group/cpu.shares" && echo $$ >"$group/cgroup.procs"
fi

# speed SECONDS COMMAND...: thousands of bytes in a second, as the program counts them. A share is given out in periods of
# a tenth of a real second, so that it takes some to be exact.
speed() {
    local seconds=$1
    shift
    "$@" openssl speed -elapsed -seconds "$seconds" -bytes 8192 sha256 2>/dev/null | awk '/^sha256/ { sub("k", "", $2); print $2 }'
}

# The same of a whole CPU that is not dilated: by the CPU time that the program got, as others may want that CPU, too.
TIMEFORMAT='cpu %U %S'
undilated() {
    { time openssl speed -elapsed -seconds 1 -bytes 8192 sha256; } 2>&1 |
        awk '/^Doing/ { for (i = 2; i < NF; i++) if ($i == "blocks:") count = $(i + 1) } /^cpu/ { cpu = $2 + $3 }
            END { print count * 8.192 / cpu }'
}

for ((round = 0; round < rounds; round++)); do
    for tdf in 1 2 10; do
        for share in 1 2 10; do
            undilated=$(undilated)
            perceived=$(speed $((tdf < 6 ? 6 / tdf : 1)) "$BIN/domu" run --tdf $tdf --cpu-share 1/$share --)
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
