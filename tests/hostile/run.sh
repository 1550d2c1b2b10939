#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs every case of hostile_front beside an honest client and prints a table: the reaction, the
# neighbour's rate as a share of what it has beside a peaceful front end, and the verdict.
#     tests/hostile/run.sh [PATTERN]      cases whose name matches the extended regular expression
# Environment: CASE_MS (400) for each case; RATIO_MIN (0.50) for the neighbour.
# The neighbour of a flood is compared with one beside a front end that keeps a CPU busy: how the
# kernel shares the CPUs is not Dom0's doing. Rates of a busy machine are noisy, so a ratio that is
# too small is measured twice more, both of its rates.
# Exit status: 0 every verdict is ok.
. "$(dirname "$0")/../e2e/functions.sh"

CASE_MS=${CASE_MS:-400}
RATIO_MIN=${RATIO_MIN:-0.50}
FRONT=${TEST_BIN:-$TOP/build/plain/tests}/hostile/hostile_front
FRONT=${FRONT/\/e2e\//\/}
RSS_SLACK_KB=${RSS_SLACK_KB:-4096}
LOG_BYTES_MAX=100000
PIPE_S=20 # the most that one case may take
[ -x "$FRONT" ] || die "no $FRONT (make hostile-programs)"

service_pid() { "$BIN/service" status --json 2>/dev/null | sed -n 's/.*"pid":\([0-9]*\).*/\1/p'; }
fds() { find "/proc/$1/fd" -mindepth 1 2>/dev/null | wc -l; }
rss_kb() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }

# neighbour REQUESTS: reads so many sectors, verified; leaves its $rate by its own count, 0 if it
# failed.
neighbour() {
    local pid
    rate=0
    rm -f sectors.* read.*
    "$BIN/client" 2 "$1" >line 2>rate.err </dev/null &
    pid=$!
    wait $pid || return
    if "$BIN/tool_for_integrity" disk1.img sectors.$pid read.$pid >integrity 2>&1; then
        rate=$(tail -n 1 line | cut -d'|' -f5 | cut -d. -f1)
    else
        echo "the neighbour's reads are wrong: $(tail -n 1 integrity)" >&2
    fi
}

# beside CASE: leaves $seen, $status of the case, $rate of the neighbour.
beside() {
    timeout -s KILL $PIPE_S "$FRONT" "$1" "$CASE_MS" >seen 2>&1 </dev/null &
    local front=$!
    neighbour "$requests"
    wait $front
    status=$?
    seen=$(tail -n 1 seen)
}

ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", (b > 0 ? a / b : 0) }'; }
less() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a < b) }'; }

# settled: Dom0 has as many descriptors as at first, now or soon.
settled() {
    local tries=50
    while [ "$(fds "$dom0")" != "$base_fds" ]; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        sleep 0.02
    done
}

image disk1.img 16
start_service --image disk1.img --max-domains 16 --idle-timeout 0
dom0=$(service_pid)
[ -n "$dom0" ] || die "the service does not tell its pid"
# As many reads as take about two thirds of a case.
requests=500
beside 0-idle
[ "$rate" -gt 0 ] || die "the neighbour does nothing: $(cat rate.err)"
requests=$((rate * CASE_MS / 3000 + 1)) # for each of its two threads
base_fds=$(fds "$dom0")

declare -A base
for kind in idle busy; do
    best=0
    for _ in 1 2; do
        beside "0-$kind"
        [ "$rate" -gt "$best" ] && best=$rate
    done
    [ "$best" -gt 0 ] || die "the neighbour does nothing beside $kind: $(cat rate.err)"
    base[$kind]=$best
done
base_rss=$(rss_kb "$dom0")
echo "neighbour: ${base[idle]} reads a second beside an idle front end, ${base[busy]} beside a busy one"
printf '%-17s %-43s %-20s %5s  %-7s %s\n' case "what is done" "expected" ratio verdict seen

failures=0
while IFS='|' read -r name kind what expected; do
    [ "$kind" = base ] && continue
    [[ $name =~ ${1:-.} ]] || continue
    peaceful=idle
    [ "$kind" = flood ] && peaceful=busy
    compare=${base[$peaceful]}
    best=0
    for try in 1 2 3; do
        if [ $try -gt 1 ]; then
            beside 0-$peaceful
            compare=$rate
        fi
        beside "$name"
        share=$(ratio "$rate" "$compare")
        less "$best" "$share" && best=$share
        [ $status = 0 ] && less "$best" "$RATIO_MIN" && continue
        break
    done
    verdict=ok
    less "$best" "$RATIO_MIN" && verdict=SLOW
    settled || verdict=LEAK
    [ $status = 0 ] || verdict=WRONG
    [ "$(service_pid)" = "$dom0" ] || verdict=DEAD
    [ $verdict = ok ] || failures=$((failures + 1))
    printf '%-17s %-43s %-20s %5s  %-7s %s\n' "$name" "$what" "$expected" "$best" "$verdict" "$seen"
    [ $verdict = DEAD ] && die "Dom0 is gone after $name"
done < <("$FRONT" --list)

rss=$(rss_kb "$dom0")
log_bytes=$(wc -c <"$SPLITDOM_RUNDIR/default/dom0.log")
echo "Dom0: descriptors $(fds "$dom0") (at first $base_fds), memory $rss KiB ($base_rss), log $log_bytes bytes"
# A sanitizer keeps what was freed for a while.
[ -n "${TEST_SAN-}" ] || [ "$rss" -le $((base_rss + RSS_SLACK_KB)) ] || die "Dom0 has grown"
[ "$log_bytes" -le $LOG_BYTES_MAX ] || die "the log has grown to $log_bytes bytes"
expect 0 '' "$BIN/service" stop
[ $failures = 0 ] || die "$failures cases failed"
