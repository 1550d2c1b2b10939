# SPDX-License-Identifier: MIT
# Images that are exports of an NBD server (nbdkit): read, written, flushed and trimmed; attached and detached while
# a domain runs; a server that dies, is silent, or lets nobody write.
# timeout: 180
# sanitizers: long
. "$(dirname "$0")/functions.sh"
requires nbdkit

sockets=$(mktemp -d /tmp/nbd.XXXXXX) || exit 1 # a socket's path is short
cleanup_fn rm -rf "$sockets"
uri() { echo "nbd+unix:///?socket=$sockets/$1"; }
"$BIN/service" start --image "$(uri none)" >out 2>err && die "a service without a server"
! grep -q 'without libnbd' err || skip 'built without libnbd'
grep -q 'none: .*No such file' err || die "no server: $(cat err)"

# serve NAME ARGUMENT...: its process is SERVER.
serve() {
    local name=$1
    shift
    rm -f "$sockets/$name"
    nbdkit -f -U "$sockets/$name" "$@" 2>"$name.err" &
    SERVER=$!
    eventually 5 test -S "$sockets/$name" || die "nbdkit: $(cat "$name.err")"
}
session() {
    mkfifo asked answers
    "$TEST_BIN/vbd_session" <asked >answers 2>session.err &
    exec {to}>asked {from}<answers
    hear
}
hear() { read -r -t $((20 * slack)) answer <&$from || die "no answer: $(cat session.err)"; }
tell() {
    echo "$1" >&$to
    hear
    [ "$answer" = "$2" ] || die "'$answer' instead of '$2' to: $1"
}

# Read: each sector is that of the file that is served. Nobody writes to what its server does not let be written.
image disk1.img 4
serve file -r file disk1.img
start_service --image "$(uri file)"
client 4 2000 >out 2>err || die "reads: $(cat err)"
client 1 300 --depth 16 --sectors-per-request 700 >out 2>err || die "large reads: $(cat err)"
verify_all $((2000 + 300 * 700))
service status | grep -q 'engine nbd' || die "$(service status)"
service stop >/dev/null || die "stop"
expect 1 'lets it be read only' "$BIN/service" start --disk "$(uri file),raw,xvda,w"
expect 1 'the null engine serves files alone' "$BIN/service" start --engine null --image "$(uri file)"
expect 1 'only nbd:// and nbd.unix:// are served' "$BIN/service" start --image nbds://localhost/x

# The largest that there is: who writes to it, and what asks for too much says what.
serve memory memory 9223372036854775296
start_service --disk "$(uri memory),raw,xvda,w"
client 2 200 --no-record --write 50 >out 2>err || die "a disk of 8 EiB: $(cat err)"
expect 1 'too large for this pattern' client 2 200 --no-record --pattern zipf:1
expect 1 'no memory .* --verify' client 2 200 --no-record --write 50 --verify
service stop >/dev/null || die "stop"
kill "$SERVER" && wait "$SERVER"

# Written by four domains, with flushes and discards, against a byte array; flushes and trims reach the server.
for engine in uring threads; do
    serve memory --filter=log memory 16M logfile="$PWD/log"
    start_service --disk "$(uri memory),raw,xvda,w!" --engine $engine
    setsid -w "$TEST_BIN/shared_oracle" 1 7 private torn >out 2>err || die "$engine: exit $?: $(cat err)"
    service stop >/dev/null || die "stop"
    kill "$SERVER" && wait "$SERVER"
    for word in Read Write Flush Trim; do
        grep -q " $word " log || die "$engine: no $word at the server"
    done
done

# While a domain runs. The server dies for good: its disk fails, the other one does not; a new server is another disk.
serve memory memory 16M
start_service --image disk1.img --nbd-reconnect 0
session
tell 'open 51712' ok
expect 0 '' service block-attach 1 "$(uri memory),raw,xvdb,w"
tell 'open 51728' ok
tell 'write 51728 9 5a' ok
tell 'read 51728 9' 5a5a5a5a5a5a5a5a
expect 1 'already exists' service block-attach 1 "$(uri memory),raw,xvdb,w"
kill -9 "$SERVER"
wait "$SERVER" 2>/dev/null
dies() {
    echo 'write 51728 10 5a' >&$to
    hear
    [ "${answer%%:*}" = error ]
}
eventually 5 dies || die "a disk without a server takes writes: $answer"
sector=$(tail -c +$((11 * 512 + 1)) disk1.img | head -c 8 | od -An -tx1 | tr -d ' \n')
tell 'read 51712 11' "$sector"
tell 'close 51728' ok
expect 0 '' service block-detach 1 xvdb
serve memory memory 16M
expect 0 '' service block-attach 1 "$(uri memory),raw,xvdc,w"
tell 'open 51744' ok
tell 'read 51744 9' 0000000000000000
tell 'write 51744 9 6b' ok

# A server that is silent holds up nobody but who asks; the long run waits for it.
if [ -n "${TEST_LONG:-}" ] && command -v python3 >/dev/null; then
    python3 -c 'import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen()
time.sleep(100)' "$sockets/silent" &
    eventually 5 test -S "$sockets/silent" || die "no silent server"
    service block-attach 1 "$(uri silent),raw,xvde,w" >stdout 2>stderr &
    begin=$(now_ms)
    tell 'read 51712 11' "$sector"
    [ $(($(now_ms) - begin)) -lt $((2000 * slack)) ] || die "Dom0 stood still"
    ! wait $! || die "a silent server was attached"
    grep -q 'has not answered for 10 s' stderr || die "$(cat stderr)"
fi
exec {to}>&-
service stop >/dev/null || die "stop"

# Requests at a server that stands still, and then dies: each of them ends, with an error; those at a file beside it
# know nothing of that.
start_service --image disk1.img --disk "$(uri memory),raw,xvdb,w!" --nbd-reconnect 0
"$BIN/client" 1 20000 --depth 32 --disk xvdb --write 50 --no-record >out1 2>err1 &
busy=$!
eventually 10 requests_exceed 100 || die "it does not read: $(cat err1)"
freeze "$SERVER"
"$BIN/client" 4 4000 >out2 2>err2 || die "beside a server that stands still: $(cat err2)"
[ ! -s err2 ] || die "$(cat err2)"
verify_all 4000
kill -9 "$SERVER"
reap 60000 $busy
[ $status = 1 ] || die "exit $status: $(cat err1)"
grep -qE '[0-9]+ of 2[0-9]+ requests failed' err1 || die "$(cat err1)"
service status --json | grep -q '"failed":0' && die "no request has failed"
service stop >/dev/null || die "stop: requests have stayed at the dead server"
