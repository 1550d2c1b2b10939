#!/bin/bash
# SPDX-License-Identifier: MIT
# Whoever had a program ignore SIGHUP, as nohup does, has it ignored by all programs that run until somebody ends them:
# they neither wait for it nor block it, but for nbdkit, which has a handler for it. SIGTERM ends them.
. "$(dirname "$0")/functions.sh"
image disk1.img 1
(trap '' HUP && exec "$BIN/service" start --image disk1.img --name hup --bridge xenbr0 --vif bridge=xenbr0 --foreground) >service.out 2>&1 &
service=$!
eventually 10 "$BIN/service" status --name hup >/dev/null 2>&1 || die "no service: $(cat service.out)"

# has_hup PID FIELD: is SIGHUP, number 1, in that set of signals?
has_hup() { [ $((0x$(awk -v field="$2:" '$1 == field { print $2 }' "/proc/$1/status") & 1)) = 1 ]; }

# All signals are blocked for a moment while a thread is started.
leaves_hup() { ! has_hup "$1" SigBlk; }

domids() { "$BIN/service" list --name hup | awk 'NR > 1 && $2 > 0' | wc -l; }
has_domain() { [ "$(domids)" -gt 0 ]; }
has_none() { [ "$(domids)" = 0 ]; }

# Processes of the group.
group() { cat /proc/[0-9]*/stat 2>/dev/null | awk -v group="$1" '{ pid = $1; sub(/.*\) /, ""); if ($3 == group) print pid }'; }

# stays STATUS WORDS...: a program that runs until SIGTERM ends it, with that status. A terminal hangs up for all of its
# process group.
stays() {
    local wanted=$1
    shift
    (trap '' HUP && exec setsid "$@") >out 2>&1 &
    local pid=$! other
    eventually 20 has_domain || die "no domain of $*: $(cat out)"
    has_hup $pid SigIgn || die "$* does not ignore SIGHUP"
    eventually 20 leaves_hup $pid || die "$* takes SIGHUP, which it was to ignore"
    for other in $(group $pid); do
        has_hup "$other" SigIgn || has_hup "$other" SigBlk || die "process $other of $* does not ignore SIGHUP"
    done
    kill -HUP -- -$pid
    kill -TERM $pid
    reap 20000 $pid
    [ $status = "$wanted" ] || die "$*: exit $status instead of $wanted: $(cat out)"
    eventually 20 has_none || die "$*: its domain stays"
}
stays 0 "$BIN/domu" traffic --name hup
stays 0 "$BIN/domu" pcap out.pcapng --name hup
stays 0 "$BIN/domu" vhost-user-blk "$PWD/vhost.sock" --name hup
stays 143 "$BIN/client" 1 100000000 --name hup --no-record --no-progress
[ ! -e "$BIN/nbdkit-splitdom-plugin.so" ] || ! command -v nbdkit >/dev/null ||
    stays 0 "$BIN/domu" nbd "$PWD/nbd.sock" --name hup

has_hup $service SigIgn || die "the service does not ignore SIGHUP"
eventually 20 leaves_hup $service || die "the service takes SIGHUP"
kill -TERM $service
reap 10000 $service
[ $status = 0 ] || die "the service: exit $status: $(cat service.out)"
