# SPDX-License-Identifier: MIT
# Hits that domains read by themselves: right data, counted, none where that is switched off, none once
# Dom0 is dead, and a foreign front end sees nothing of it.
. "$(dirname "$0")/functions.sh"

image disk1.img 4
hits_of() { service status --json | tr ",{" "\n\n" | sed -n "s/^\"$1\"://p" | head -n 1; }

start_service
"$BIN/client" 4 20000 --pattern hotset:0.5:100 >out 2>err || die "client: $(cat err)"
verify_all 20000
reported=$(hits_of reported_hits)
misses=$(hits_of misses)
hits=$(hits_of hits)
[ "$reported" -gt 10000 ] || die "only $reported of 20000 reads were hits without a hand-over"
[ $((reported + misses + hits)) = 20000 ] || die "$reported reported, $hits hits and $misses misses are not 20000 reads"
service stop >farewell
grep -q "of 20000 requests, $reported of them reported by domains" farewell || die "$(cat farewell)"

start_service --shared-cache off
rm -f sectors.* read.*
"$BIN/client" 4 20000 --pattern hotset:0.5:100 >out 2>err || die "client: $(cat err)"
verify_all 20000
[ "$(hits_of reported_hits)" = 0 ] || die "hits are reported though nothing is shared"
service stop >/dev/null

# A client that has all in the cache ends when its Dom0 dies, and not when it pleases.
start_service
"$BIN/client" 2 2000000000 --pattern hotset:0.1:100 --no-record >out 2>err &
client=$!
some_hits() { [ "$(hits_of reported_hits)" -gt 1000 ]; }
eventually 10 some_hits || die "no hits"
# What it costs a domain: the file once, read-only, no page of it copied; the file: the data, and 80 bytes of
# index for each sector.
awk '/^[0-9a-f]+-/ { on = /splitdom-cache/; maps += on; bad += on && $2 !~ /^r--s/ }
    on && $1 == "Size:" { size += $2 }
    on && $1 == "Anonymous:" { own += $2 }
    END { print maps + 0, bad + 0, size + 0, own + 0 }' /proc/$client/smaps >maps
read -r maps bad size own <maps
sectors=$((4 * 2048 / 100))
[ "$maps $bad $own" = "1 0 0" ] || die "a domain has $maps mappings of the cache, $bad of them not read-only, $own kB its own"
[ "$size" -le $((sectors * (512 + 80) / 1024 + 4 * 4 + 4)) ] || die "$size kB are mapped for $sectors sectors"
kill -9 "$(dom0_pid)"
reap 5000 $client
[ $status != 0 ] || die "the client does not notice that Dom0 is dead"

[ -z "${TEST_SAN:-}" ] || exit 0 # what sanitizers write themselves would not be allowed either
# Where no such file can be made Dom0 serves all the same, and its log says what is missing, and why.
(
    ulimit -f 16
    "$BIN/service" start
) || die "no start without room for the cache's file"
grep -q "domains can't read its cache by themselves.*: File too large" "$SPLITDOM_RUNDIR/default/dom0.log" ||
    die "the log does not say so: $(cat "$SPLITDOM_RUNDIR/default/dom0.log")"
service stop >/dev/null || die "stop"
