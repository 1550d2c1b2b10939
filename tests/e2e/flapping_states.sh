# SPDX-License-Identifier: MIT
# A front end that changes its state 10,000 times, senselessly, hurts only itself: another client's
# reads go on, and Dom0's processor time, memory, log and descriptors stay bounded.
# sanitizers: long
. "$(dirname "$0")/functions.sh"

image disk1.img 4
# A model disk: its rate does not depend on what else the machine does.
start_service --engine model --model mean=400us,law=fixed,channels=4,data=image --cache-percent 0
dom0=$(dom0_pid)
log=$SPLITDOM_RUNDIR/default/dom0.log
cpu_ms() { awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); printf "%d", ($12 + $13) * 1000 / hz }' "/proc/$dom0/stat"; }

client 4 3000 >alone || die "the service does not serve"
timeout -k 2 $((30 * slack)) "$TEST_BIN/store_guest" flap 100 || die "flapping"
eventually 5 domains_are 0 || die "domains are left"
rss=$(rss_kib "$dom0") fds=$(fds "$dom0") cpu=$(cpu_ms)
timeout -k 2 $((60 * slack)) "$TEST_BIN/store_guest" flap 10000 || die "flapping alone"
# Some 20 us a change; the limit leaves room for a slow machine, none for work that grows.
cpu=$(($(cpu_ms) - cpu))
[ $cpu -le $((3000 * slack)) ] || die "10,000 changes of state took Dom0 $cpu ms"
eventually 5 domains_are 0 || die "domains are left"

(
    for _ in 1 2 3; do timeout -k 2 $((60 * slack)) "$TEST_BIN/store_guest" flap 10000 || exit 1; done
) 2>err &
flapper=$!
client 4 3000 >beside || die "a client beside it fails"
wait $flapper || die "the flapping domain: $(cat err)"
verify_all 6000
# The measurement of how much exactly is bench's; here a machine with other work must pass, too.
awk -F'|' 'NR == FNR { alone = $5; next } { exit !($5 > alone * 0.5) }' alone beside ||
    die "the other client's rate: $(cat beside), alone $(cat alone)"
eventually 5 domains_are 0 || die "domains are left"
[ "$(fds "$dom0")" -le "$fds" ] || die "descriptors: $(fds "$dom0") instead of $fds"
[ -n "${TEST_SAN:-}" ] || [ "$(rss_kib "$dom0")" -le $((rss + 1024)) ] || die "Dom0 grew from $rss to $(rss_kib "$dom0") KiB"
[ "$(wc -l <"$log")" -lt 1000 ] || die "the log grew to $(wc -l <"$log") lines"
client 4 500 >/dev/null || die "a later client fails"
verify_all 500
