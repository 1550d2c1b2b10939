# SPDX-License-Identifier: MIT
# `service set DOMID tdf` at random, while 32 threads of a domain wait in eight ways, and others for kernel timers: no
# wait ends early, no clock steps back. How late they are says as much of the machine, and of what each request costs:
# with TEST_LONG=1 they are held against what they are where as many requests ask for the rate that there is already. So
# does how early timers ring: Dom0 does not wait for more than 50 ms until a program is ready for a slower rate. Of 100
# timers more than one may do so only where the machine keeps a program from its CPU for longer: with TEST_LONG=1 none of 99.
# timeout: 240
# sanitizers: long: what runs in programs is not sanitized; domu_run has the rest
. "$(dirname "$0")/functions.sh"

[ -x "$BIN/domu-shim" ] || skip "programs run in domains on x86-64 only"
changes=${TEST_LONG:+1000}
changes=${changes:-100}
RANDOM=20261130
rates=(1 2 5 10 1/2 3 0.5 20)
ticks=$("$TEST_BIN/waits_changes" tsc) || die "the TSC's rate"
image disk1.img 4
start_service --idle-timeout 0
begun() { [ -n "$("$BIN/service" list | awk '$NF == "waits"')" ]; }

# PROGRAM with so many requests, as fast as they can be made, for the rates in turn.
run() { # REQUESTS PROGRAM [P99_US]
    timeout -k 2 $((90 * slack)) "$BIN/domu" run --name waits -- "$TEST_BIN/$2" $((300 + changes * 3)) "$ticks" ${3:+"$3"} >found 2>errors &
    local program=$! domid done=0
    eventually 10 begun || die "no domain: $(cat errors)"
    domid=$("$BIN/service" list | awk '$NF == "waits" { print $1 }')
    while [ $done -lt "$1" ]; do
        "$BIN/service" set "$domid" tdf "${rates[RANDOM % ${#rates[@]}]}" 2>/dev/null || break
        done=$((done + 1))
    done
    "$BIN/service" set "$domid" tdf 1 2>/dev/null || true
    wait $program || die "$2, $done changes: $? $(cat found errors)"
    echo "$2, $done requests for ${rates[*]}: $(cat found)"
}
p99() { sed "s/.*late by -*[0-9]*, \(-*[0-9]*\) (p99).*/\1/" found; }

run "$changes" waits_changes
waits=$(p99)
run "$changes" timers_changes ${TEST_LONG:+0}
timers=$(p99)
[ -n "${TEST_LONG:-}" ] || exit 0
rates=(1)
run "$changes" waits_changes
[ "$waits" -le $(($(p99) + 1000)) ] || die "waits: $waits us late (p99), without a change $(p99)"
run "$changes" timers_changes
[ "$timers" -le $(($(p99) + 2000)) ] || die "timers: $timers us late (p99), without a change $(p99)"
