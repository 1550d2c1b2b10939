# SPDX-License-Identifier: MIT
# A disk scaled apart from time: --disk-scale, its node, and `service set DOMID disk-scale`.
# alone: what it measures depends on who else runs
# sanitizers: long: it measures time; the scale is in unit
. "$(dirname "$0")/functions.sh"

client=$BIN/client
image disk1.img 4

expect 2 'disk-scale must be' "$BIN/service" start --disk-scale 0.5

# The mean latency of 100 reads, in ns of the client's clock.
mean() {
    "$client" 1 100 --no-record --dump-latencies latencies "$@" >stdout || die "client $*"
    awk '{ sum += $1 } END { print sum / NR }' latencies
}
# about A B: A is at least 80 % of B and less than three times B: other load makes reads late only, or much too late.
about() {
    awk -v a="$1" -v b="$2" 'BEGIN { if (a < 0.8 * b) exit 2; exit !(a < 3 * b) }'
}

# A disk of 2 ms that is ten times as slow; under TDF 10 it looks as it is.
start_service --engine model --model mean=2ms,law=fixed --cache-bytes 0 --disk-scale 10
for _ in 1 2 3 4 5; do
    base=$(mean --tdf 10)
    grep -qE '^[0-9]' stdout || die "no result"
    about "$base" 2000000
    close=$?
    [ $close = 1 ] || break
done
[ $close = 0 ] || die "mean $base ns instead of 2 ms under TDF 10 and scale 10"

# At run time, by the toolstack; an impossible value is put back.
"$client" 1 1000000 --no-record >/dev/null 2>&1 &
pid=$!
cleanup_fn kill $pid
shows() {
    domid=$("$BIN/service" list | awk '$1 > 0 && $5 == 4 { print $1 }')
    [ -n "$domid" ]
}
eventually 10 shows || die "the client's domain does not show: $("$BIN/service" list)"
scale() { "$BIN/service" status --json | grep -o '"disk_scale":"[^"]*"' | cut -d'"' -f4; }
[ "$(scale)" = 10 ] || die "a new domain has scale $(scale)"
"$BIN/service" set "$domid" disk-scale 2.5 || die "set disk-scale"
[ "$(scale)" = 2.5 ] || die "scale $(scale) instead of 2.5"
expect 2 'disk-scale must be' "$BIN/service" set "$domid" disk-scale 1/2
kill $pid
