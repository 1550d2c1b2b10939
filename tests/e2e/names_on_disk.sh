# SPDX-License-Identifier: MIT
# Names in the run directory outlive their owner, or are taken from it: a cleaner of temporary files
# removes them, a second service makes them anew. Status and stop still reach the one that runs, and
# whoever ends removes only what is its own. Signals end Dom0 in order.
# sanitizers: long
. "$(dirname "$0")/functions.sh"

image disk1.img 1
rundir=$SPLITDOM_RUNDIR/default

# A cleaner removes the lock's file.
start_service
dom0=$(dom0_pid)
rm "$rundir/lock"
expect 0 '2048 sectors' service status
expect 1 'already running' service start
client 1 10 --no-record >/dev/null || die "does not serve without the lock's file"
expect 0 'of 10 requests' service stop
gone "$dom0" || die "stop left the service running"

# All names, one after the other: each is there again, and serves. The line in the log comes after the name, and what is
# removed before that may be told in the same line.
start_service
restored=0
tells_restored() { [ "$(grep -c 'are there again' "$rundir/dom0.log")" = $restored ]; }
for name in lock dom0.sock xenstore.sock; do
    rm "$rundir/$name"
    restored=$((restored + 1))
    eventually 10 tells_restored || die "the log does not tell of $name: $(tail -n 5 "$rundir/dom0.log")"
    [ -e "$rundir/$name" ] || die "$name does not come back"
done
expect 0 '2048 sectors' service status
expect 0 'domid' service list
client 1 10 --no-record >/dev/null || die "does not serve after its names were removed"
expect 0 'of 10 requests' service stop

# The whole directory goes, and a second service makes it again. On a busy machine a name may be there again before the
# directory is removed: then it is not empty.
start_service
first=$(dom0_pid)
eventually 10 rm -rf "$SPLITDOM_RUNDIR" || die "the run directory cannot be removed"
start_service
second=$(dom0_pid)
[ "$first" != "$second" ] || die "no second service"
# For a while both live: the first one leaves the second one's names alone.
second_sockets=$(stat -c %i "$rundir/dom0.sock" "$rundir/xenstore.sock")
for _ in $(seq 40); do
    [ "$(stat -c %i "$rundir/dom0.sock" "$rundir/xenstore.sock" 2>/dev/null)" = "$second_sockets" ] ||
        die "the first service took the second one's sockets"
    sleep 0.02
done
# Its log has gone with the directory; it is still open.
its_log=$(find "/proc/$first/fd" -lname "*dom0.log*" | head -n 1)
tells() { grep -q 'cannot be reached any more' "$its_log"; }
eventually 10 tells || die "the first service does not tell that its directory is gone: $(cat "$its_log")"
kill -TERM "$first"
eventually 10 gone "$first" || die "the first service does not end"
for name in lock dom0.sock xenstore.sock; do
    [ -e "$rundir/$name" ] || die "the first service's end removed the second one's $name"
done
client 1 10 --no-record >/dev/null || die "the second service does not serve"
expect 0 'of 10 requests' service stop

# Each of these signals is an orderly end.
for signal in HUP INT QUIT TERM; do
    env --default-signal=HUP,INT,QUIT "$BIN/service" start || die "no start"
    cleanup_fn stop_leftover
    dom0=$(dom0_pid)
    client 1 10 --no-record >/dev/null
    kill -s $signal "$dom0"
    eventually 10 gone "$dom0" || die "SIG$signal does not end it"
    grep -q "SIG$signal" "$rundir/dom0.log" || die "the log does not name SIG$signal: $(tail -n 3 "$rundir/dom0.log")"
    [ ! -e "$rundir/dom0.sock" ] && [ ! -e "$rundir/lock" ] || die "SIG$signal left names: $(ls "$rundir")"
    rm "$rundir/dom0.log"
done

# Whatever the umask says, the directories serve the next start, too.
new=$PWD/new
stop_new() { chmod -f 700 "$new" "$new/default"; "$BIN/service" stop --rundir "$new" >/dev/null 2>&1 || :; }
cleanup_fn stop_new
for more in '' --foreground; do
    (umask 777 && exec "$BIN/service" start --rundir "$new" $more) &
    answers() { "$BIN/service" status --rundir "$new" >/dev/null 2>&1; }
    eventually 10 answers || die "no service with umask 777"
    [ "$(stat -c %a "$new") $(stat -c %a "$new/default")" = '700 700' ] || die "modes: $(stat -c '%a %n' "$new" "$new/default")"
    expect 0 'domains: 0 now' service stop --rundir "$new"
    wait
    rm -r "$new"
done
