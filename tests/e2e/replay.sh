# SPDX-License-Identifier: MIT
# The sectors of one run can be read again, in the same order; figures come as CSV, too.
. "$(dirname "$0")/functions.sh"

image disk1.img 1
start_service
mkdir again
client 1 500 --pattern zipf:0.9 >/dev/null || die "no first run"
mv sectors.* first && rm read.*
(cd again && client 1 500 --pattern trace:../first >/dev/null) || die "no second run"
cmp -s first again/sectors.* || die "the second run read other sectors"
# Several threads share it out: the same sectors, each as often.
rm again/*
(cd again && client 4 1000 --pattern trace:../first >/dev/null) || die "four threads do not replay"
cat first first | sort >twice
sort again/sectors.* | cmp -s - twice || die "four threads read other sectors"
rm again/*

expect 1 'cannot open gone: No such file' client 1 1 --pattern trace:gone
echo 12x >bad
expect 1 "bad: line 1 is no sector number: '12x'" client 1 1 --pattern trace:bad
echo 99999 >far
expect 1 'far reads sector 99999, the disk ends at sector 2047' client 1 1 --pattern trace:far
rm -f sectors.* read.*

expect 0 '^threads,depth,pattern,seed' client 2 100 --no-record --csv --pattern hotset:1
[ "$(wc -l <stdout)" = 2 ] || die "$(wc -l <stdout) lines of CSV"
awk -F, 'NR == 1 { n = NF } NR == 2 { exit !(NF == n && $1 == 2 && $7 == 100) }' stdout || die "CSV: $(cat stdout)"
expect 2 'exclude each other' client 1 1 --csv --json
