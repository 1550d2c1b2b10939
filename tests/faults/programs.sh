# SPDX-License-Identifier: MIT
# The programs on a machine that has run out of something: each call of client and service for memory, descriptors,
# threads or files fails, alone or with the next few. A run then ends with a reason, not by a signal, and leaves
# neither a leak nor a service. Wants $BIN, and $TEST_BIN/service and client with calls that can fail (tests.mk).
# TEST_LONG: each call; else one in ten, others each time.
# timeout: 600
. "$(dirname "$0")/../e2e/functions.sh"

step=10
[ -z "${TEST_LONG:-}" ] || step=1
truncate -s 4M disk1.img
disk=("$PWD/disk1.img,raw,xvda,w!")

# sweep PROGRAM ARGUMENT...: until a run asks for less than N calls
sweep() {
    local plan n status first program=$1 runs=0 # of which a call failed
    shift
    for plan in once burst; do
        for ((n = 1 + RANDOM % step; ; n += step)); do
            rm -f struck
            status=0
            FAULT_PLAN=$plan=$n FAULT_LOG=$PWD/struck timeout -k 2 $((15 * slack)) "$TEST_BIN/$program" "$@" \
                >out 2>err </dev/null || status=$?
            [ "$1" != start ] || stop_leftover
            first=$(head -n 1 struck 2>/dev/null)
            [ $status -lt 128 ] && [ $status != 124 ] && ! grep -qE 'Sanitizer|runtime error' err ||
                die "$plan=$n, $first fails: exit $status: $program $*: $(head -n 30 err)"
            [ $status = 0 ] || [ -s err ] || [ -s out ] || die "$plan=$n, $first fails: no reason: $program $*"
            [ -n "$first" ] || break
            runs=$((runs + 1))
        done
        [ $status = 0 ] || die "$program $* fails by itself: $(cat err)"
    done
    [ $runs -gt 0 ] || [ $step -gt 1 ] || die "$program $*: no call failed"
    echo "$runs runs: $program $*"
}

step=$((step > 1 ? 5 * step : 1)) sweep service start --disk "${disk[@]}" --idle-timeout 60
start_service --disk "${disk[@]}"
if [ -x "$BIN/domu-shim" ]; then
    cp "$BIN/domu-shim" . && cp "$TEST_BIN/domu" . && TEST_BIN=. sweep domu run --tdf 2 -- true
fi
sweep client 2 50 --json
sweep client 1 50 --depth 4 --write 50 --flush-every 5 --verify
sweep client 1 20 --tdf 1/2 --csv --dump-latencies latencies --no-record --reconnect
for verb in status "status --json" list "list -l" uptime env "top -b -i 1" "domid Domain-0" "resize xvda"; do
    # shellcheck disable=SC2086 # a verb and its words
    sweep service $verb
done
