#!/bin/bash
# SPDX-License-Identifier: MIT
# A disk as a vhost-user-blk device: a front end reads through one queue and several, each sector compared; then
# another comes; one that is killed in the middle harms nobody; the device ends with Dom0.
. "$(dirname "$0")/functions.sh"
vub() { timeout 30 "$TOP/build/plain/bench/vub" "$@"; }

requires python3
image disk1.img 16
expect 2 'SOCKET is missing' "$BIN/domu" vhost-user-blk
expect 2 'unknown argument' "$BIN/domu" vhost-user-blk s --filter=cow
expect 2 "Dom0's decision" "$BIN/domu" vhost-user-blk s --disk xvda,format=raw
expect 1 "no service 'default' is running" "$BIN/domu" vhost-user-blk "$SOCKET"
start_service --image disk1.img
expect 1 'xvda is read-only' "$BIN/domu" vhost-user-blk "$SOCKET" --disk xvda,w
"$BIN/domu" vhost-user-blk "$SOCKET" 2>vhost.log &
device=$!
eventually 10 test -S "$SOCKET" || die "no socket: $(cat vhost.log)"
vub "$SOCKET" --seconds 0.3 --verify disk1.img || die "one queue"
vub "$SOCKET" --seconds 0.3 --threads 4 --depth 16 --verify disk1.img || die "four queues"
"$TOP/build/plain/bench/vub" "$SOCKET" --seconds 20 --depth 32 >/dev/null 2>&1 &
front_end=$!
eventually 10 requests_exceed 1000 || die "the front end does not read"
kill -9 $front_end
wait $front_end 2>/dev/null
python3 - "$SOCKET" <<'END' || die "cannot send garbage"
import socket, sys
for junk in (b"x", b"\xff" * 4096, b"\x05\0\0\0\x01\0\0\0\x10\0\0\0" + b"\xff" * 16, b"\x0c\0\0\0\x01\0\0\0\x08\0\0\0" + b"\0" * 8):
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    try:
        s.sendall(junk)
    except OSError:
        pass
    s.close()
END
vub "$SOCKET" --seconds 0.2 --verify disk1.img || die "a front end after those: $(cat vhost.log)"
service stop >/dev/null || die "stop"
reap 10000 $device
[ "$status" = 1 ] || die "exit $status when Dom0 is gone"
grep -q 'Dom0 is gone' vhost.log || die "it does not say why it ended: $(cat vhost.log)"
[ ! -e "$SOCKET" ] || die "it has left its socket"

start_service --image disk1.img
"$BIN/domu" vhost-user-blk "$SOCKET" --reconnect 2>vhost.log &
device=$!
eventually 10 test -S "$SOCKET" || die "no socket: $(cat vhost.log)"
kill $device
reap 10000 $device
[ "$status" = 0 ] || die "exit $status at SIGTERM"
[ ! -e "$SOCKET" ] || die "it has left its socket after SIGTERM"
service stop >/dev/null || die "stop"

# Told to end while Dom0 is stopped with requests in flight: it does not wait for Dom0.
start_service --image disk1.img
"$BIN/domu" vhost-user-blk "$SOCKET" 2>vhost.log &
device=$!
eventually 10 test -S "$SOCKET" || die "no socket: $(cat vhost.log)"
"$TOP/build/plain/bench/vub" "$SOCKET" --seconds 20 --depth 32 >/dev/null 2>&1 &
front_end=$!
eventually 10 requests_exceed 1000 || die "the front end does not read"
dom0=$(dom0_pid)
freeze "$dom0"
kill $device
reap 8000 $device
kill -CONT "$dom0"
kill -9 $front_end
wait $front_end 2>/dev/null
[ "$status" = 0 ] || die "exit $status at SIGTERM while Dom0 is stopped: $(cat vhost.log)"
[ ! -e "$SOCKET" ] || die "it has left its socket"
eventually 10 domains_are 0 || die "its domain goes on"
