#!/bin/bash
# SPDX-License-Identifier: MIT
# domu nbd from its start to its end: it says what is wrong, takes no name from anybody, ends with Dom0, or outlives
# it with --reconnect.
. "$(dirname "$0")/functions.sh"
requires nbdcopy
no_domain() { domains_are 0; }
not_running() { ! service status >/dev/null 2>&1; }

expect 2 'SOCKET is missing' "$BIN/domu" nbd
expect 2 'xvda, xvdb' "$BIN/domu" nbd s --disk floppy
expect 2 'unknown verb' "$BIN/domu" nothing
[ -e "$BIN/nbdkit-splitdom-plugin.so" ] || skip "needs nbdkit-plugin-dev when the programs are built"
expect 1 "no service 'default' is running" "$BIN/domu" nbd "$SOCKET"
[ ! -e "$SOCKET" ] || die "a socket was left"

image disk1.img 8
start_service --image disk1.img
expect 1 'gave no disk xvdq' "$BIN/domu" nbd "$SOCKET" --disk xvdq
touch file
expect 1 'is no socket' "$BIN/domu" nbd file
[ -e file ] || die "a file was removed"

start_nbd --name default --tdf 2
service list | grep -q DomU- || die "no domain: $(service list)"
expect 1 'somebody listens' "$BIN/domu" nbd "$SOCKET"
service stop >/dev/null || die "stop"
reap 10000 "$NBD"
NBD=
grep -q 'Dom0 is gone' nbd.log || die "domu does not say why it ended: $(cat nbd.log)"
[ "$status" = 1 ] || die "exit $status when the service stops"
[ ! -e "$SOCKET" ] || die "domu nbd has left its socket"

# A domain that Dom0 ends has not ended in order.
start_service --image disk1.img
for verb in destroy shutdown; do
    start_nbd --reconnect
    service "$verb" "$(service list | sed -n 's/.* \(DomU-[0-9]*\)$/\1/p')" || die "$verb"
    reap 10000 "$NBD"
    NBD=
    [ "$status" = 1 ] || die "exit $status after $verb: $(cat nbd.log)"
done
service stop >/dev/null || die "stop"

# nbdkit may crash (1.32 does when a client goes away in the middle): it is started again. Killed, it is not.
start_service --image disk1.img
start_nbd
nbdkit_pid() { tr -d ' ' <"/proc/$NBD/task/$NBD/children"; }
for _ in 1 2; do
    crashed=$(nbdkit_pid)
    kill -ABRT "$crashed"
    is_another() { [ -n "$(nbdkit_pid)" ] && [ "$(nbdkit_pid)" != "$crashed" ]; }
    eventually 10 is_another || die "nbdkit is not started again: $(cat nbd.log)"
    nbdcopy "$URI" - | cmp - disk1.img || die "read after a crash of nbdkit"
done
[ "$(grep -c 'nbdkit died' nbd.log)" = 2 ] || die "it does not say that nbdkit died: $(cat nbd.log)"
kill -9 "$(nbdkit_pid)"
reap 10000 "$NBD"
NBD=
[ "$status" = 137 ] || die "exit $status when nbdkit is killed"
service stop >/dev/null || die "stop"

# One that crashes at each start is given up.
mkdir crashing
printf '#!/bin/sh\nkill -ABRT $$\n' >crashing/nbdkit
chmod +x crashing/nbdkit
PATH=$PWD/crashing:$PATH timeout 60 "$BIN/domu" nbd "$SOCKET" 2>crashing/log
[ $? = 134 ] || die "nbdkit crashes for ever: $(tail -n 1 crashing/log)"
grep -q 'it is not started again' crashing/log || die "it does not say why it ends: $(cat crashing/log)"
[ ! -e "$SOCKET" ] || die "domu nbd has left its socket"

# A killed one leaves a name that the next one takes.
start_service --image disk1.img
start_nbd
kill -9 $NBD
wait $NBD 2>/dev/null
NBD=
eventually 10 no_domain || die "the domain of a killed domu goes on"
start_nbd --reconnect
nbdcopy "$URI" - | cmp - disk1.img || die "read before the restart"
kill -9 "$(dom0_pid)"
eventually 10 not_running || die "Dom0 does not die"
service start --image disk1.img || die "restart"
nbdcopy "$URI" - | cmp - disk1.img || die "read after the restart"

# nbdkit crashes while there is no Dom0: it is started again when there is one.
waits=0
waits_for_dom0() { [ "$(grep -c 'there is no Dom0' nbd.log)" = $waits ]; }
lose_dom0_then_nbdkit() {
    kill -9 "$(dom0_pid)"
    eventually 10 not_running || die "Dom0 does not die"
    kill -ABRT "$(nbdkit_pid)"
    waits=$((waits + 1))
    eventually 10 waits_for_dom0 || die "it does not wait for Dom0: $(cat nbd.log)"
}
lose_dom0_then_nbdkit
[ -z "$(nbdkit_pid)" ] || die "nbdkit runs without a Dom0"
service start --image disk1.img || die "restart"
nbdcopy "$URI" - | cmp - disk1.img || die "read after a crash without a Dom0"
waits_for_dom0 || die "it says more than once: $(cat nbd.log)"

# Who waits for Dom0 ends when told to.
lose_dom0_then_nbdkit
end_nbd
[ "$status" = 0 ] || die "exit $status when it ends without a Dom0"

# Nor does it wait for a Dom0 that is stopped, or for nbdkit, which does so as long as one of its reads is there.
command -v qemu-io >/dev/null || skip "no qemu-io: the rest passed"
service start --image disk1.img || die "restart"
start_nbd
mkfifo commands
qemu-io -r -f raw "$URI" <commands >io.log 2>&1 &
reader=$!
exec 8>commands
echo 'read 0 4k' >&8
eventually 10 grep -q '4 KiB' io.log || die "no read: $(cat io.log)"
dom0=$(dom0_pid)
freeze "$dom0"
reads_of_nbdkit() { awk '/^syscr/ { print $2 }' "/proc/$(nbdkit_pid)/io"; }
before=$(reads_of_nbdkit)
echo 'read 4M 1M' >&8
got_it() { [ "$(reads_of_nbdkit)" -gt "$before" ]; }
eventually 10 got_it || die "nbdkit gets no request"
kill $NBD
reap 12000 $NBD
NBD=
kill -CONT "$dom0"
exec 8>&-
wait $reader 2>/dev/null
[ "$status" = 137 ] || die "exit $status at SIGTERM while Dom0 is stopped: $(cat nbd.log)"
grep -q 'it is killed' nbd.log || die "it does not say that nbdkit was killed: $(cat nbd.log)"
[ ! -e "$SOCKET" ] || die "domu nbd has left its socket"
eventually 10 no_domain || die "its domain goes on"
service stop >/dev/null || die "stop"

# For a Dom0 that is well, and takes its time, it waits: what was asked is answered.
start_service --image disk1.img --engine model --model mean=9s,cv=0
start_nbd
qemu-io -r -f raw -c 'read 0 4k' "$URI" >io.log 2>&1 &
reader=$!
is_asked() { service status --json | jq -e '.domains[0].at_disk > 0' >/dev/null; }
eventually 10 is_asked || die "Dom0 has no read"
kill $NBD
reap 15000 $NBD
NBD=
wait $reader
grep -q '4 KiB' io.log || die "a read is lost at SIGTERM: $(cat io.log nbd.log)"
[ "$status" = 0 ] || die "exit $status at SIGTERM while Dom0 is slow: $(cat nbd.log)"
