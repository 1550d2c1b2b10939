# SPDX-License-Identifier: MIT
# timeout: 600
# A million reads, recorded and verified, in bounded memory. Long runs only.
. "$(dirname "$0")/functions.sh"
[ -n "${TEST_LONG:-}" ] || skip "only with TEST_LONG (make check-long)"
[ -z "${TEST_SAN:-}" ] || skip "not with sanitizers"

image disk1.img 100
start_service
for run in '64 1000000' '1 1000000 --depth 64'; do
    # shellcheck disable=SC2086 # several arguments
    "$BIN/client" $run >out 2>err &
    pid=$!
    peak=0
    while ! gone $pid; do
        kib=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' /proc/$pid/status 2>/dev/null)
        [ "${kib:-0}" -le "$peak" ] || peak=$kib
        sleep 0.2
    done
    wait $pid || die "client $run failed: $(cat err)"
    [ "$(wc -l <out)" = 1 ] || die "stdout: $(cat out)"
    verify_all 1000000
    [ "$peak" -gt 0 ] && [ "$peak" -lt 65536 ] || die "client $run took $peak KiB"
done
