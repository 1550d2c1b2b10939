# SPDX-License-Identifier: MIT
# A disk with two rings: threads on both read and write what they should, its nodes are Xen's, and with
# --reconnect they outlive kill -9 of Dom0. Each sector read is right.
. "$(dirname "$0")/functions.sh"

[ "$(nproc)" -gt 1 ] || skip "the service offers a ring for each processor, and there is one"
image disk1.img 4
truncate -s 16M second.img
start_disks() { start_service --image disk1.img --shared-cache off --disk "$PWD/second.img,raw,xvdb,w"; }
start_disks

count=4000
"$BIN/client" 16 $count --queues 2 >out1 2>err1 || die "reads: $(cat err1)"
"$BIN/client" 4 1000 --queues 2 --sectors-per-request 60 >out1 2>err1 || die "large reads: $(cat err1)"
"$BIN/client" 4 200 --queues 2 --sectors-per-request 300 >out1 2>err1 || die "larger reads: $(cat err1)"
[ ! -s err1 ] || die "not silent: $(cat err1)"
verify_all $((count + 1000 * 60 + 200 * 300))
"$BIN/client" 2 10 --queues 8 --no-record --json >json || die "more than there are"
queues=$(sed -n 's/.*"queues": \([0-9]*\),.*/\1/p' json)
[ "$queues" -ge 2 ] && [ "$queues" -le "$(nproc --all)" ] || die "$queues queues on $(nproc --all) processors"

# Writers, and Dom0 dies under them.
"$BIN/client" 6 100000000 --queues 2 --disk xvdb --write 60 --verify --flush-every 50 --reconnect --no-record >out1 2>err1 &
threads=$!
writes() { service status --json | grep -q '"vdev":"xvdb",[^}]*"backend_state":"Connected"'; }
progress() { writes && requests_exceed 100; }
for i in 1 2 3; do
    eventually 20 progress || die "round $i: it does not write: $(cat err1)"
    if [ $i = 1 ] && command -v xenstore-read >/dev/null; then
        eval "$(service env)"
        domid=$(xenstore-list /local/domain/0/backend/vbd)
        front=/local/domain/$domid/device/vbd/51728
        [ "$(xenstore-read "$front/multi-queue-num-queues")" = 2 ] || die "not two rings"
        for node in queue-0/ring-ref queue-0/event-channel queue-1/ring-ref queue-1/event-channel; do
            xenstore-read "$front/$node" >/dev/null || die "no $node"
        done
        ! xenstore-read "$front/ring-ref" 2>/dev/null || die "a ring beside the queues"
        unset XENSTORED_PATH
    fi
    [ $i -lt 3 ] || break
    dom0=$(dom0_pid)
    kill -9 "$dom0"
    eventually 5 gone "$dom0" || die "Dom0 survives kill -9"
    start_disks
done
kill -TERM $threads
reap 60000 $threads
[ $status = 143 ] || die "the writer: exit $status: $(cat err1)"
[ "$(cat err1)" = 'client: ended by SIGTERM' ] || die "$(cat err1)"
