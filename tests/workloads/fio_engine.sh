#!/bin/bash
# SPDX-License-Identifier: MIT
# fio with our own engine: reads at depth, several jobs as several domains, and what it refuses.
. "$(dirname "$0")/functions.sh"
requires fio jq
engine=$BIN/fio-splitdom.so
[ -e "$engine" ] || skip "needs the source of the installed fio: make fio-engine"
run_fio() { timeout 60 fio --ioengine=external:"$engine" --group_reporting --output-format=json "$@"; }

image disk1.img 8
run_fio --name=x --rw=read >fio.json 2>fio.err && die "no service, and no error"
grep -q "no service 'default' is running" fio.err fio.json || die "another error: $(cat fio.err)"
start_service --image disk1.img

run_fio --name=r --rw=randread --bs=4k --iodepth=32 --size=8M >fio.json || die "randread: $(cat fio.json)"
[ "$(jq '.jobs[0].read.total_ios' fio.json)" = 2048 ] || die "another number of reads: $(jq .jobs[0].read fio.json)"
run_fio --name=r --rw=read --bs=1M --iodepth=2 --size=8M --numjobs=2 --tdf=2 >fio.json || die "two jobs: $(cat fio.json)"
[ "$(jq '.jobs[0].read.io_bytes' fio.json)" = $((16 << 20)) ] || die "another number of bytes"
eventually 5 domains_are 0 || die "a job's domain goes on"
run_fio --name=r --rw=read --disk=xvdq >fio.json 2>fio.err && die "a disk that is not there"
grep -q 'gave no disk xvdq' fio.err || die "it does not say which disk is not there: $(cat fio.err)"
run_fio --name=r --rw=read --bs=1000 >fio.json 2>fio.err && die "parts of sectors"
grep -q 'offset 0 and length 1000 are not multiples of 512' fio.err || die "it does not say what is wrong: $(cat fio.err)"
run_fio --name=r --rw=read --iodepth=513 >fio.json 2>fio.err && die "too deep"
run_fio --name=r --rw=write --bs=4k --size=64k >fio.json 2>fio.err && die "written to a read-only disk"

# A file is the disk of that name, and there is only one: others would be the same disk, or another than is meant.
refused() { # WHY OPTION...
    local why=$1
    shift
    run_fio --name=w --rw=write --bs=4k --size=64k "$@" >fio.json 2>fio.err && die "not refused: $*"
    grep -q "$why" fio.err fio.json || die "$*: another error: $(cat fio.err)"
}
service stop >/dev/null || die "stop"
image disk2.img 4
cp disk2.img before.img
start_service --image disk1.img --disk "$PWD/disk2.img,raw,xvdb,w"
refused 'filename=/dev/null: xvda' --filename=/dev/null
refused 'one disk' --disk=xvdb --nrfiles=2
refused 'one disk' --filename=xvdb:xvda
refused 'disk=xvda or filename=xvdb' --disk=xvda --filename=xvdb
cmp disk2.img before.img || die "a job that was refused has written"
run_fio --name=w --rw=write --bs=4k --size=64k --filename=xvdb --verify=crc32c --sync_file_range=write:4 >fio.json 2>fio.err ||
    die "a disk by its name as a file: $(cat fio.err fio.json)"
cmp -s disk2.img before.img && die "another disk was written"

# Asked to, a job goes on with the next Dom0.
run_fio --name=r --rw=randread --bs=4k --size=8M --rate_iops=1000 --reconnect=1 >fio.json 2>fio.err &
job=$!
eventually 10 requests_exceed 100 || die "no reads: $(cat fio.err)"
kill -9 "$(dom0_pid)"
restarted() { service start --image disk1.img --disk "$PWD/disk2.img,raw,xvdb,w" 2>start.err; }
eventually 10 restarted || die "restart: $(cat start.err)"
wait $job || die "a job does not outlive Dom0: $(cat fio.err fio.json)"
true
