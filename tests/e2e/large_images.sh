# SPDX-License-Identifier: MIT
# Large sparse images: the service starts at once, and what it keeps in memory is what it has cached, not
# what the image could fill. The cache of one that is larger than a hundred times the memory has what is left of that.
# sanitizers: long
. "$(dirname "$0")/functions.sh"

truncate -s 1T disk1.img 2>/dev/null || skip "this file system has no files of 1 TiB"
begin=$(now_ms)
start_service
took=$(($(now_ms) - begin))
[ $took -le $((2000 * slack)) ] || die "the start took $took ms"
if [ -z "${TEST_SAN-}" ]; then
    rss=$(rss_kib "$(dom0_pid)")
    [ "$rss" -le 65536 ] || die "$rss KiB in memory before the first read"
fi
client 8 20000 >/dev/null || die "the client fails"
verify_all 20000
used=$(status_number used_sectors)
[ "$used" -gt 19000 ] || die "$used sectors cached after 20,000 reads"
if [ -z "${TEST_SAN-}" ]; then # a sector, its number, its place: and what else Dom0 needs
    grown=$(($(rss_kib "$(dom0_pid)") - rss))
    [ $grown -le $((used * 2048 / 1024)) ] || die "$grown KiB more for $used sectors"
fi
begin=$(now_ms)
expect 0 '' service resize
took=$(($(now_ms) - begin))
[ $took -le $((1000 * slack)) ] || die "emptying the cache took $took ms"
[ "$(status_number used_sectors)" = 0 ] || die "the cache is not empty"
service stop >/dev/null

# 40 GiB of cache: there may be such a machine.
truncate -s 4T disk1.img 2>/dev/null || exit 0
start_service
memory=$(awk '/^MemTotal/ { printf "%.0f", int($2 / 4) * 1024 }' /proc/meminfo)
[ "$(status_number capacity_sectors)" -le $((memory / 512)) ] || die "a cache of $(status_number capacity_sectors) sectors"
grep -q 'all caches together may have' "$SPLITDOM_RUNDIR/default/dom0.log" || [ "$memory" -gt 40000000000 ] ||
    die "the log does not tell that it is smaller"
client 4 1000 >/dev/null || die "the client fails"
verify_all 1000
