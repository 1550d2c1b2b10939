# SPDX-License-Identifier: MIT
# An NBD server (nbdkit) that goes away: it dies and returns, returns with another size, returns never, hangs without
# closing. Requests wait, are sent again or fail after --nbd-reconnect; the log and status say it; a disk beside it is
# served meanwhile.
# timeout: 180
# sanitizers: long: the same code runs against the unit test's server
. "$(dirname "$0")/functions.sh"
requires nbdkit

sockets=$(mktemp -d /tmp/nbd.XXXXXX) || exit 1 # a socket's path is short
cleanup_fn rm -rf "$sockets"
uri="nbd+unix:///?socket=$sockets/s"
"$BIN/service" start --image "$uri" >out 2>err && die "a service without a server"
! grep -q 'without libnbd' err || skip 'built without libnbd'
log=$SPLITDOM_RUNDIR/default/dom0.log

# serve BYTES: its process is SERVER. What it holds lasts.
serve() {
    truncate -s "$1" served
    rm -f "$sockets/s"
    nbdkit -f -U "$sockets/s" file served 2>server.err &
    SERVER=$!
    eventually 10 test -S "$sockets/s" || die "nbdkit: $(cat server.err)"
}
dies() {
    kill -9 "$SERVER"
    wait "$SERVER" 2>/dev/null
}
session() {
    rm -f asked answers
    mkfifo asked answers
    "$TEST_BIN/vbd_session" <asked >answers 2>session.err &
    exec {to}>asked {from}<answers
    hear
}
hear() { read -r -t $((60 * slack)) answer <&$from || die "no answer: $(cat session.err)"; }
tell() {
    echo "$1" >&$to
    hear
    [ "$answer" = "$2" ] || die "'$answer' instead of '$2' to: $1"
}
fails() {
    echo "$1" >&$to
    hear
    [ "${answer%%:*}" = error ] || die "'$answer' to: $1"
}
server_is() { service status --json | grep -q "\"server\":\"$1\""; }
logs() { eventually 20 grep -q "$1" "$log" || die "not in the log: $1: $(cat "$log")"; }
end() {
    exec {to}>&-
    exec {from}<&-
    service stop >/dev/null || die "stop"
}

image disk1.img 4
sector=$(tail -c +$((11 * 512 + 1)) disk1.img | head -c 8 | od -An -tx1 | tr -d ' \n')
expect 2 "nbd-reconnect must be a decimal number" "$BIN/service" start --image disk1.img --nbd-reconnect soon

# It dies under writers that check what they read, three times, and returns: nobody sees an error.
serve 16M
start_service --image disk1.img --disk "$uri,raw,xvdb,w!" --nbd-reconnect 3600
"$BIN/client" 1 8000 --depth 8 --disk xvdb --write 50 --verify --flush-every 100 --no-record >out 2>err &
busy=$!
for _ in 1 2 3; do
    dies
    eventually 20 server_is away || die "$(service status --json)"
    "$BIN/client" 1 200 --no-record >out2 2>err2 || die "beside a server that is away: $(cat err2)"
    serve 16M
    eventually 20 server_is connected || die "$(cat "$log")"
done
reap 60000 $busy
[ $status = 0 ] || die "exit $status: $(cat err)"
logs 'its server has gone: requests wait for it for up to 3600 s'
logs 'its server is there again after .* requests are sent again'
service status | grep -q 'server connected, connected to again 3 times' || die "$(service status)"

# Four domains with an oracle of what each sector may hold (shared_oracle.c): the server dies again and again, by
# SIGKILL and by SIGTERM, and no request fails, no write is lost, and the cache shows nothing else than the disk.
service stop >/dev/null || die "stop"
dies
rm served # it begins with zeros
serve 16M
start_service --disk "$uri,raw,xvda,w!" --nbd-reconnect 3600
seconds=3
[ -z "${TEST_LONG:-}" ] || seconds=60
setsid -w "$TEST_BIN/shared_oracle" "$seconds" 7 private torn >out 2>err &
busy=$!
kills=0
while kill -0 $busy 2>/dev/null; do
    sleep "0.$((RANDOM % 6 + 1))"
    if [ $((kills % 2)) = 1 ]; then # it refuses commands, but waits for a client that asks for nothing
        kill "$SERVER"
        eventually 1 gone "$SERVER"
    fi
    kill -9 "$SERVER" 2>/dev/null
    wait "$SERVER" 2>/dev/null
    serve 16M
    kills=$((kills + 1))
done
reap 10000 $busy
[ $status = 0 ] || die "after $kills deaths of the server: exit $status: $(cat err)"
service status --json | grep -q '"errors":0' || die "requests have failed: $(service status)"
service stop >/dev/null || die "stop"
start_service --image disk1.img --disk "$uri,raw,xvdb,w!" --nbd-reconnect 3600

# A request while there is none, and Dom0's answer to others: it waits, and is answered when there is one again.
session
tell 'open 51728' ok
tell 'open 51712' ok
tell 'write 51728 9 5a' ok
dies
eventually 20 server_is away || die "$(service status --json)"
echo 'write 51728 10 5b' >&$to
eventually 20 sh -c "'$BIN/service' status --json | grep -q '\"held\":1'" || die "$(service status --json)"
serve 16M
hear
[ "$answer" = ok ] || die "'$answer' after the server's return"
tell 'read 51728 9' 5a5a5a5a5a5a5a5a

# It returns with another size: refused, and the requests fail; attached anew it is another disk.
dies
eventually 20 server_is away || die "$(service status --json)"
echo 'write 51728 10 5c' >&$to
serve 8M
hear
[ "${answer%%:*}" = error ] || die "'$answer' of a disk that has another size"
logs 'refused, it is another disk: it has 8388608 bytes now, not 16777216'
eventually 5 server_is gone || die "$(service status --json)"
tell 'read 51712 11' "$sector"

end

# It returns never: requests wait for as long as was asked for, then fail; a stop does not wait.
serve 16M
start_service --image disk1.img --disk "$uri,raw,xvdb,w!" --nbd-reconnect $((2 * slack))
session
tell 'open 51728' ok
begin=$(now_ms)
dies
fails 'write 51728 9 5a'
[ $(($(now_ms) - begin)) -ge 1800 ] || die "it failed after $(($(now_ms) - begin)) ms"
logs 'no server for .* s: '
begin=$(now_ms)
fails 'read 51728 9'
[ $(($(now_ms) - begin)) -lt $((900 * slack)) ] || die "it failed after $(($(now_ms) - begin)) ms"
# Late, but there again.
serve 16M
eventually 20 server_is connected || die "$(cat "$log")"
tell 'write 51728 11 3c' ok
tell 'read 51728 11' 3c3c3c3c3c3c3c3c
end

# It hangs, and does not close: cut off after as long, and connected to anew.
serve 16M
start_service --image disk1.img --disk "$uri,raw,xvdb,w!" --nbd-reconnect $((2 * slack))
session
tell 'open 51728' ok
freeze "$SERVER"
echo 'write 51728 12 6b' >&$to
logs 'its server has been silent for .* s: it is connected to anew'
kill -CONT "$SERVER"
hear
[ "$answer" = ok ] || [ "${answer%%:*}" = error ] || die "'$answer'"
eventually 20 server_is connected || die "$(cat "$log")"
tell 'write 51728 13 6c' ok
tell 'read 51728 13' 6c6c6c6c6c6c6c6c
end

# A disk may say for itself how long: here not at all, where others wait for an hour.
serve 16M
start_service --image disk1.img --nbd-reconnect 3600
session
expect 0 '' service block-attach 1 "$uri,raw,xvdb,w,reconnect-delay=0"
service status --json | grep -q '"reconnect_delay_s":0' || die "$(service status --json)"
expect 1 'is attached with reconnect-delay=0; say that, or nothing' service block-attach 1 \
    "$uri,raw,xvdc,w,reconnect-delay=5"
expect 0 '' service block-attach 1 "$uri,raw,xvdc,w"
expect 2 'it is for the export of an NBD server' service block-attach 1 disk1.img,raw,xvdd,r,reconnect-delay=5
tell 'open 51728' ok
dies
fails 'read 51728 9'
server_is gone || die "$(service status --json)"
end

# Requests that wait do not keep a service from its end.
serve 16M
start_service --disk "$uri,raw,xvda,w!" --nbd-reconnect 3600
"$BIN/client" 1 100000 --depth 8 --no-record >out 2>err &
busy=$!
eventually 20 requests_exceed 100 || die "it does not read: $(cat err)"
dies
eventually 20 server_is away || die "$(service status --json)"
service stop >/dev/null || die "stop"
! grep -q 'never came back' "$log" || die "$(cat "$log")"
reap 20000 $busy
