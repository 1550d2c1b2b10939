# SPDX-License-Identifier: MIT
# A client that writes: a second disk, in requests of all sizes, verified by the client and looked at from
# outside; what a disk cannot do; kill -9 of Dom0 under writers; a fixed rate.
. "$(dirname "$0")/functions.sh"

client=$BIN/client
image disk1.img 4
truncate -s 16M second.img
start_disks() { start_service --image disk1.img --disk "$PWD/second.img,raw,xvdb,w"; }
start_disks

# Each mode, small and large; the one line, and nothing else.
for run in '4 2000' '1 2000 --depth 32' '2 100 --sectors-per-request 200' \
    '1 40 --depth 4 --sectors-per-request 2048 --no-record'; do
    # shellcheck disable=SC2086 # a list of arguments
    "$client" $run --disk xvdb --write 50 --flush-every 20 --verify >stdout 2>stderr ||
        die "client $run: $(cat stderr)"
    [ ! -s stderr ] || die "not silent: $(cat stderr)"
    grep -qE '^[0-9]+\|[0-9]+\|[0-9]+\|[0-9]+\.[0-9]\|[0-9]+\.[0-9]$' stdout || die "form: $(cat stdout)"
done
rm -f sectors.* read.*

# What was written is in the file: each sector that begins with the pattern's mark says its own number.
"$client" 2 3000 --disk 51728 --write 100 --verify --flush-every 1000 --no-record --seed 7 --json >json ||
    die "writes alone"
grep -q '"verified": true' json || die "not verified: $(cat json)"
marks=$(od -An -v -tx8 -w512 second.img |
    awk '$1 == "6d6f6474696c7073" { if ($3 != sprintf("%016x", NR - 1)) exit 1; n++ } END { print n + 0 }') ||
    die "a sector holds what belongs to another"
[ "$marks" -gt 1000 ] || die "only $marks sectors of the image were written"

# Reads are recorded, writes are not.
"$client" 2 1000 --disk xvdb --write 40 --json >json || die "a recorded run"
reads=$(sed -n 's/.*"read_latency_ns": {"count": \([0-9]*\).*/\1/p' json)
[ "$(cat sectors.* | wc -l)" = "$reads" ] || die "$(cat sectors.* | wc -l) records of $reads reads"
rm -f sectors.* read.*

# A disk that is read-only, one that is not there.
expect 1 'read-only.*--disk' client 1 10 --write 1
expect 1 'client: .*' client 1 10 --disk xvdc

# A rate: so many requests take so long.
begin=$(now_ms)
client 1 40 --rate 100 --no-record >/dev/null || die "--rate"
[ $(($(now_ms) - begin)) -ge 390 ] || die "40 requests at 100 a second took $(($(now_ms) - begin)) ms"

# Dom0 dies under writers: what was answered is found, what was not is asked again. Ended by a signal, the client
# reads all that it has written once more.
"$client" 4 100000000 --disk xvdb --write 60 --verify --flush-every 50 --reconnect --no-record >out1 2>err1 &
threads=$!
writes() { service status --json | grep -q '"vdev":"xvdb",[^}]*"backend_state":"Connected"'; }
progress() { writes && requests_exceed 100; }
for i in 1 2 3 4; do
    eventually 20 progress || die "round $i: it does not write: $(cat err1)"
    [ $i -lt 4 ] || break
    dom0=$(dom0_pid)
    kill -9 "$dom0"
    eventually 5 gone "$dom0" || die "Dom0 survives kill -9"
    start_disks
done
# The last Dom0 has had a write and a flush, whose totals it tells.
has_flushed() { service status | grep -qE '^requests: [0-9]+ read, [1-9][0-9]* written, [1-9][0-9]* flushed'; }
eventually 20 has_flushed || die "no flush: $(service status)"
kill -TERM $threads
reap 60000 $threads
[ $status = 143 ] || die "the writer: exit $status: $(cat err1)"
[ "$(cat err1)" = 'client: ended by SIGTERM' ] || die "$(cat err1)"
service stop >totals || die "stop"
grep -qE '^requests: [0-9]+ read, [1-9][0-9]* written, [1-9][0-9]* flushed, 0 discarded, 0 failed, .* read, [1-9][0-9]* written$' totals &&
    grep -qE '^disk: [0-9]+ reads, [0-9]+ bytes, [1-9][0-9]* writes, [1-9][0-9]* bytes, [1-9][0-9]* flushes, ' totals ||
    die "the totals do not tell of writes: $(cat totals)"
