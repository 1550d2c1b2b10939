# SPDX-License-Identifier: MIT
# A domain meets the limits of the store, each with its error, and can't touch what is not its own;
# another domain's limits are its own; all that it held goes with it.
# sanitizers: long
. "$(dirname "$0")/functions.sh"

image disk1.img 1
start_service
log=$SPLITDOM_RUNDIR/default/dom0.log
dom0=$(dom0_pid)
store_nodes() { command -v xenstore-ls >/dev/null && xenstore-ls -f | wc -l; }
eval "$(service env)"
client 1 10 --no-record >/dev/null || die "the service does not serve"
eventually 5 domains_are 0 || die "the domain is left"
before=$(store_nodes)

"$TEST_BIN/store_raw" outstanding || die "outstanding requests"
eventually 5 domains_are 0 || die "the domain is left"
[ "$(store_nodes)" = "$before" ] || die "nodes are left: $(store_nodes), not $before"
for kind in quotas permissions; do
    coproc guest { exec "$TEST_BIN/store_guest" $kind 2>err; }
    # shellcheck disable=SC2154 # coproc sets it, and bash unsets it when the process has ended
    guest_process=$guest_PID
    read -r -t $((20 * slack)) answer <&"${guest[0]}" && [ "$answer" = holding ] || die "$kind: $(cat err)"
    # A second one beside it has limits of its own.
    "$TEST_BIN/store_guest" $kind </dev/null >/dev/null || die "$kind, a second domain"
    client 2 200 >/dev/null || die "$kind: a client beside it fails"
    verify_all 200
    [ "$kind" != quotas ] || [ -z "$before" ] || [ "$(store_nodes)" -gt $((before + 900)) ] ||
        die "the nodes are not in the store"
    kill -9 "$guest_process"
    wait "$guest_process" 2>/dev/null
    eventually 5 domains_are 0 || die "the domain is left"
    [ "$(store_nodes)" = "$before" ] || die "$kind: nodes are left: $(store_nodes), not $before"
done
# Whoever comes next finds all of it free.
for _ in 1 2 3 4 5; do
    "$TEST_BIN/store_guest" quotas </dev/null >/dev/null || die "a later domain"
done
rss=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$dom0/status")
for _ in 1 2 3 4 5 6 7 8 9 10; do
    "$TEST_BIN/store_guest" quotas </dev/null >/dev/null || die "a later domain"
done
now=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$dom0/status")
[ -n "${TEST_SAN:-}" ] || [ "$now" -le $((rss + 1024)) ] || die "Dom0 grew from $rss to $now KiB"
[ "$(wc -l <"$log")" -lt 1000 ] || die "the log grew to $(wc -l <"$log") lines"
