# SPDX-License-Identifier: MIT
# Dom0 dies by kill -9: blocked threads wake up, clients end within a second; the next start works.
. "$(dirname "$0")/functions.sh"

image disk1.img 10
# Reads that are never answered: the threads are surely blocked.
start_service --engine model --model stuck=1
"$BIN/client" 32 1000 >>out 2>>err &
blocked=$!
"$BIN/client" 1 1000 --depth 32 --no-spin >>out 2>>err &
async=$!
eventually 5 connected 2 || die "the clients do not connect"
eventually 5 eval '[ "$(status_number in_flight)" -ge 32 ]' || die "no reads in flight"
dom0=$(dom0_pid)
kill -9 "$dom0"
for pid in $blocked $async; do
    reap 1000 $pid
    [ $status = 1 ] || die "exit $status instead of 1"
done
[ "$(grep -c '^client: Dom0 is gone' err)" = 2 ] && [ ! -s out ] || die "messages: $(cat out err)"
eventually 5 gone "$dom0" || die "Dom0 survives kill -9"
expect 3 'no service' service status
expect 1 'service start' client 1 1
rm -f sectors.* read.*

# Under load, and with what it leaves in the run directory.
start_service
"$BIN/client" 16 100000000 >out 2>err &
busy=$!
eventually 5 connected 1 || die "the client does not connect"
eventually 5 requests_exceed 500 || die "the client does not read"
dom0=$(dom0_pid)
kill -9 "$dom0"
reap 1000 $busy
[ $status = 1 ] || die "exit $status instead of 1"
verify $busy
rm -f sectors.* read.*
eventually 5 gone "$dom0" || die "Dom0 survives kill -9"
start_service
client 8 1000 >out || die "the next service does not serve"
verify_all 1000
