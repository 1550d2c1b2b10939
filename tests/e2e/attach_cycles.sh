# SPDX-License-Identifier: MIT
# A disk is attached, opened, written, closed and detached again and again, while its domain reads another one: 20
# times; TEST_LONG: 10,000 times, and the other disk keeps 0.9 of its rate. Where other processes have the CPUs, too, a
# rate says more of them than of Dom0: there Dom0's thread may need a tenth of its time for the cycles, at most.
# Descriptors and memory are back at the end. The line with the rates is kept beside the log.
# timeout: 1200
# sanitizers: long
. "$(dirname "$0")/functions.sh"

cycles=20
[ -z "${TEST_LONG:-}" ] || cycles=10000
image disk1.img 64
truncate -s 1M other.img
start_service
pid=$(dom0_pid)
cycle() { "$TEST_BIN/attach_cycles" "$SPLITDOM_RUNDIR/default/dom0.sock" "$1" "vdev=xvdc,access=w,target=$PWD/other.img" "$pid"; }
cycle 10 >/dev/null || die "the first cycles" # what is only made once
eventually 5 domains_are 0 || die "the domain does not end"
fds_before=$(fds "$pid") rss_before=$(rss_kib "$pid")
verdict='' tries=1
[ -z "${TEST_LONG:-}" ] || [ -n "${TEST_SAN:-}" ] || tries=3
# field LINE NAME: the value behind the name; holds CONDITION: of such values
field() { sed -n "s/.* $2 \([0-9.]*\).*/\1/p" <<<"$1"; }
holds() { awk "BEGIN { exit !($1) }"; }
for ((try = 1; try <= tries; try++)); do
    line=$(cycle $cycles) || die "try $try: a cycle"
    echo "$line"
    [ $tries -gt 1 ] || break
    ratio=$(field "$line" ratio) others=$(field "$line" others) share=$(field "$line" share)
    verdict="the other disk had $ratio of its rate; other processes had $others of the CPUs; Dom0 took $share of one"
    if holds "$ratio >= 0.9" || holds "$others > 0.1 && $share <= 0.1"; then
        echo "$verdict"
        verdict=''
        break
    fi
done
[ -z "${TEST_LOG:-}" ] || echo "$line" >"$TEST_LOG.rates"
eventually 5 domains_are 0 || die "the domain does not end"
fds_are() { [ "$(fds "$pid")" -le "$1" ]; }
eventually 5 fds_are "$fds_before" || die "$fds_before descriptors before, $(fds "$pid") after"
[ -n "${TEST_SAN:-}" ] || [ "$(rss_kib "$pid")" -le $((rss_before + 2048)) ] || die "$rss_before KiB before, $(rss_kib "$pid") after"
[ "$(service status --json | grep -c other.img)" = 0 ] || die "the image is still open"
[ -z "$verdict" ] || die "$verdict"
