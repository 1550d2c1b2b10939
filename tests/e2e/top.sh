# SPDX-License-Identifier: MIT
# `service top`: text for scripts tells exactly what clients have done; the small verbs about domains.
. "$(dirname "$0")/functions.sh"

image disk1.img 4
"$BIN/service" top -b >out 2>err
[ $? = 3 ] && grep -q "no service 'default' is running" err || die "no service, and: $(cat out err)"
# Hits that domains find by themselves are no requests.
start_service --shared-cache off

# column TITLE: of the domain's row of the last table in `out`
column() {
    awk -v title="$1" '$1 == "NAME" { for (i = 1; i <= NF; i++) if ($i == title) at = i; next }
        $1 != "Domain-0" && $1 != "VBD" { value = $at }
        END { print value }' out
}
# Blanks in "no limit" are Domain-0's alone.
coproc disk { exec "$TEST_BIN/disk_session" 2>err; }
# shellcheck disable=SC2154 # coproc sets it, and bash unsets it when the process has ended
disk_process=$disk_PID
read -r -t $((10 * slack)) answer <&"${disk[0]}" && [ "$answer" = connected ] || die "no connection"
one_read() {
    echo "read $1" >&"${disk[1]}"
    read -r -t $((10 * slack)) answer <&"${disk[0]}" && [ "${answer%%:*}" != error ] || die "no answer"
}
expect 0 '^      NAME  STATE   CPU\(sec\) .* VBD_WSECT SSID DOMID' service top -b -i 1
cp stdout out
[ "$(wc -l <out)" = 3 ] || die "not three lines: $(cat out)"
before=$(column VBD_RSECT)
for sector in 1 2 3 2 1; do one_read $sector; done
expect 0 '' service top -b -i 1 -x
cp stdout out
[ $(($(column VBD_RSECT) - before)) = 5 ] || die "5 sectors were read: $(cat out)"
[ "$(column NAME)" = DomU-1 ] && [ "$(column VBDS)" = 1 ] && [ "$(column TDF)" = 1 ] || die "$(cat out)"
grep -qE "^VBD BlkBack 51712 \[ca: 0\]  OO: +0   RD: +$(column VBD_RD)   WR: +0   RSECT: .* xvda /.*disk1.img\$" out ||
    die "no line for the disk: $(cat out)"

# The verbs about names.
expect 0 '^1$' service domid DomU-1
expect 0 '^0$' service domid Domain-0
expect 0 '^DomU-1$' service domname 1
expect 0 '' service rename 1 web
expect 0 '^web$' service domname 1
expect 0 '^1$' service domid web
expect 0 '' service rename 1 web
expect 1 'already exists' service rename 1 Domain-0
expect 1 "DomU- is Dom0's to give" service rename 1 DomU-2
expect 0 '' service rename web DomU-1
expect 0 '' service rename DomU-1 web
expect 1 'no domain 7' service rename 7 other
expect 1 "maybe this domain does not exist" service domid DomU-1
expect 0 '' service pause web
expect 0 '' service unpause web
expect 0 '/local/domain/0/backend/vbd/1/51712' service block-list web
expect 0 '^Domain-0 +0 ' service uptime Domain-0
for verb in pause destroy block-list uptime; do
    expect 1 "nosuch is an invalid domain identifier: see 'service list'" service $verb nosuch
done
expect 1 'Domain-0 is Dom0 itself' service destroy Domain-0
expect 1 "maybe this domain does not exist" service domname 7
expect 0 '^web +1 +0:[0-9][0-9]:[0-9][0-9]$' service uptime
grep -qE '^Domain-0 +0 +0:' stdout || die "no Domain-0: $(cat stdout)"
expect 0 '^web +1 ' service uptime 1
[ "$(wc -l <stdout)" = 2 ] || die "more than one domain: $(cat stdout)"
expect 1 'no domain 7' service uptime 7
eval "exec ${disk[1]}>&-"
reap 5000 "$disk_process"

# What a client says that it has read is in the totals.
eventually 5 domains_are 0 || die "the domain stays"
client 4 20000 --no-record >client.out 2>err || die "the client failed: $(cat err)"
sectors=$(status_number 'total":{"requests":[0-9]*,"reads":[0-9]*,"sectors')
[ "$sectors" = 20005 ] || die "$sectors sectors instead of 20005"

# Beside a client, which reads as long as somebody looks: all tables have columns.
"$BIN/client" 4 1000000000 --no-record >client.out 2>client.err &
busy=$!
eventually 5 requests_exceed 20100 || die "the client does not read: $(cat client.err)"
service top -b -i 5 -d 0.05 -x >tables 2>err || die "exit $?: $(cat err)"
[ "$(grep -c '^ *NAME  STATE' tables)" = 5 ] || die "not five tables: $(cat tables)"
# Requests that Dom0 has timed since the table before: the median is not above the 99th percentile, nor nothing.
awk '$1 == "NAME" { for (i = 1; i <= NF; i++) { if ($i == "P50(us)") p50 = i; if ($i == "P99(us)") p99 = i }; next }
    $1 == "DomU-2" || $1 == "web" || $1 ~ /^DomU/ { if ($p50 > 0 && $p50 <= $p99) timed++ }
    END { exit timed == 0 }' tables || die "no latencies: $(cat tables)"
kill -TERM $busy
reap 20000 $busy
[ "$status" = 143 ] || die "the client failed: $(cat client.err)"

# No terminal: says what to do. Output that fails.
expect 1 'no terminal|built without ncurses' service top </dev/null
if [ -e /dev/full ]; then
    "$BIN/service" top -b -i 1 >/dev/full 2>err
    [ $? = 1 ] && grep -q 'cannot write to stdout' err || die "a full disk: $(cat err)"
fi

# Dom0 that ends.
rm tables
"$BIN/service" top -b -d 0.1 >tables 2>err &
top=$!
eventually 5 eval '[ -e tables ] && [ $(grep -c NAME tables) -ge 2 ]' || die "no tables"
service stop >/dev/null || die "no stop"
reap 5000 $top
[ "$status" = 3 ] && [ "$(cat err)" = "service: Dom0 has ended" ] || die "exit $status: $(cat err)"
