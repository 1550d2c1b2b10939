# SPDX-License-Identifier: MIT
# A disk is taken away by force beside writes, reads and discards of 1 MiB and of parts of blocks, 15 times; TEST_LONG:
# 1,000 times. Each request comes back once, the domain gets the pages again that the device was at work on, and nothing
# of the disks is left in Dom0.
# timeout: 600
. "$(dirname "$0")/functions.sh"

times=15
[ -z "${TEST_LONG:-}" ] || times=1000
image disk1.img 4
truncate -s 32M other.img
start_service
pid=$(dom0_pid)
force() { "$TEST_BIN/force_detach" "$SPLITDOM_RUNDIR/default/dom0.sock" "$1" "vdev=xvdc,access=w,discard,target=$PWD/other.img"; }
force 1 >/dev/null || die "the first time" # what is only made once
eventually 5 domains_are 0 || die "the domain does not end"
fds_before=$(fds "$pid")
force $times || die "a disk"
eventually 5 domains_are 0 || die "the domain does not end"
fds_are() { [ "$(fds "$pid")" -le "$1" ]; }
eventually 5 fds_are "$fds_before" || die "$fds_before descriptors before, $(fds "$pid") after"
closed() { [ "$(service status --json | grep -c other.img)" = 0 ]; }
eventually 5 closed || die "the image is still open"
