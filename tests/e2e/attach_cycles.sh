# SPDX-License-Identifier: MIT
# A disk is attached, opened, written, closed and detached again and again, while its domain reads another one: 20
# times; TEST_LONG: 10,000 times, and the other disk keeps 0.9 of its rate. Descriptors and memory are back at the end.
# The line with the rates is kept beside the log.
# timeout: 1200
# sanitizers: long
. "$(dirname "$0")/functions.sh"

cycles=20
[ -z "${TEST_LONG:-}" ] || cycles=10000
image disk1.img 64
truncate -s 1M other.img
start_service
pid=$(dom0_pid)
cycle() { "$TEST_BIN/attach_cycles" "$SPLITDOM_RUNDIR/default/dom0.sock" "$1" "vdev=xvdc,access=w,target=$PWD/other.img"; }
rss_kib() { sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$pid/status"; }
cycle 10 >/dev/null || die "the first cycles" # what is only made once
eventually 5 domains_are 0 || die "the domain does not end"
fds_before=$(fds "$pid") rss_before=$(rss_kib)
for try in 1 2 3; do
    line=$(cycle $cycles) || die "try $try: a cycle"
    echo "$line"
    ratio=${line##* }
    [ -n "${TEST_LONG:-}" ] && [ -z "${TEST_SAN:-}" ] || break
    if awk -v r="$ratio" 'BEGIN { exit !(r >= 0.9) }'; then break; fi
    [ $try -lt 3 ] || die "the other disk had $ratio of its rate"
done
[ -z "${TEST_LOG:-}" ] || echo "$line" >"$TEST_LOG.rates"
eventually 5 domains_are 0 || die "the domain does not end"
fds_are() { [ "$(fds "$pid")" -le "$1" ]; }
eventually 5 fds_are "$fds_before" || die "$fds_before descriptors before, $(fds "$pid") after"
[ -n "${TEST_SAN:-}" ] || [ "$(rss_kib)" -le $((rss_before + 2048)) ] || die "$rss_before KiB before, $(rss_kib) after"
[ "$(service status --json | grep -c other.img)" = 0 ] || die "the image is still open"
