# SPDX-License-Identifier: MIT
# What a program in a domain pays for a reading of the clock, at most 0.6 of what it costs outside, and for a system call that
# needs no mediation, at most 60 ns more.
. "$(dirname "$0")/functions.sh"

[ -z "${TEST_SAN:-}" ] || skip "what runs in programs is not sanitized; domu_run.sh has the rest"
[ -x "$BIN/domu-shim" ] || skip "programs run in domains on x86-64 only"
[ "$(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)" = tsc ] ||
    skip "the kernel does not keep its time by the TSC"
image disk1.img 4
start_service --idle-timeout 0
ticks=$("$TEST_BIN/waits_changes" tsc) || die "the TSC's rate"

# Either five times in turn; the least of each counts.
for _ in 1 2 3 4 5; do
    "$TEST_BIN/call_costs" >>outside
    "$BIN/domu" run --tdf 10 -- "$TEST_BIN/call_costs" >>inside || die "no costs"
done
awk -v ticks="$ticks" '
    FNR == 1 { file++ }
    !(file in reading) || $1 < reading[file] { reading[file] = $1 }
    !(file in call) || $2 < call[file] { call[file] = $2 }
    END {
        ns = ticks / 10 # hundredths of a tick in a nanosecond
        printf "a reading of the clock: %.1f ns, in a domain %.1f; a system call: %.0f ns, in a domain %.0f more\n",
            reading[1] / ns, reading[2] / ns, call[1] / ns, (call[2] - call[1]) / ns
        exit reading[2] > 0.6 * reading[1] || call[2] - call[1] > 60 * ns
    }' outside inside || die "a reading over 0.6 of one outside, or a system call 60 ns more"
