# SPDX-License-Identifier: MIT
# timeout: 60
# Four busy clients at once, then 256: all reads of all of them are right, and Dom0 stays small.
. "$(dirname "$0")/functions.sh"

all_end_well() { # PID...
    local pid
    for pid in "$@"; do
        wait "$pid" || die "client $pid failed: $(cat err)"
    done
}

image disk1.img 10
start_service
pids=()
for i in 1 2 3 4; do
    client $((i * 4)) 3001 >"line$i" 2>>err &
    pids+=($!)
done
all_end_well "${pids[@]}"
[ "$(cat line* | wc -l)" = 4 ] || die "not one line each"
verify_all 12004

[ -z "${TEST_SAN:-}" ] || exit 0
pids=()
for i in {1..256}; do
    client 1 20 >>lines 2>>err &
    pids+=($!)
done
all_end_well "${pids[@]}"
[ "$(wc -l <lines)" = 256 ] || die "not one line each"
verify_all 5120
eventually 5 domains_are 0 || die "domains are left"
kib=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$(dom0_pid)/status")
# Its share of the domains' memory (37 pages each) counts, too.
[ "$kib" -lt $((256 * 1024 + 256 * 37 * 4)) ] || die "Dom0 took $kib KiB"
