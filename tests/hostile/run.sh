#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs every case of hostile_front beside an honest client and prints a table: the reaction, the
# neighbour's rate as a share of what it has beside a peaceful front end, and the verdict. Then every case
# of hostile_back, each with a client of its own. Then the longest turn of Dom0's loop beside each.
#     tests/hostile/run.sh [PATTERN]      cases whose name matches the extended regular expression
# Environment: CASE_MS (400) for each case; RATIO_MIN (0.90) for the neighbour, FLOOD_RATIO_MIN (0.50) and
# FLOOD_P99_MAX (4) for one beside a flood: its rate and its p99 over those in peace.
# The neighbour of a flood is compared with one beside a front end that keeps a CPU busy: how the
# kernel shares the CPUs is not Dom0's doing. Rates of a busy machine are noisy, so a ratio that is
# too small is measured again, both of its rates, up to TRIES times.
# Exit status: 0 every verdict is ok.
. "$(dirname "$0")/../e2e/functions.sh"

CASE_MS=${CASE_MS:-400}
RATIO_MIN=${RATIO_MIN:-0.90}
FLOOD_RATIO_MIN=${FLOOD_RATIO_MIN:-0.50}
FLOOD_P99_MAX=${FLOOD_P99_MAX:-4}
TRIES=6
FRONT=${TEST_BIN:-$TOP/build/plain/tests}/hostile/hostile_front
FRONT=${FRONT/\/e2e\//\/}
RSS_SLACK_KB=${RSS_SLACK_KB:-4096}
LOG_BYTES_MAX=100000
PIPE_S=60 # the most that one case may take
BACK_S=240 # the same for one with many variants
BACK=${FRONT%front}back
TURNS=$(dirname "$FRONT")/turns/turns
[ -x "$FRONT" ] && [ -x "$BACK" ] && [ -x "$TURNS" ] || die "no $FRONT, $BACK, $TURNS (make hostile-programs)"

service_pid() { "$BIN/service" status --json 2>/dev/null | sed -n 's/.*"pid":\([0-9]*\).*/\1/p'; }

# json KEY: the first number with that key in the neighbour's statistics
json() { grep -oE "\"$1\" *: *[0-9]+" stats | head -n 1 | sed 's/.*: *//'; }

# neighbour REQUESTS: reads so many sectors, verified; leaves its $rate by its own count, 0 if it
# failed, and its $p99 in ns.
neighbour() {
    local pid
    rate=0 p99=0
    rm -f sectors.* read.*
    "$BIN/client" 2 "$1" --json >stats 2>rate.err </dev/null &
    pid=$!
    wait $pid || return
    if "$BIN/tool_for_integrity" disk1.img sectors.$pid read.$pid >integrity 2>&1; then
        rate=$(json requests_per_second)
        p99=$(json p99)
    else
        echo "the neighbour's reads are wrong: $(tail -n 1 integrity)" >&2
    fi
}

# beside CASE: leaves $seen, $status of the case, $rate and $p99 of the neighbour.
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
has_base_fds() { [ "$(fds "$dom0")" = "$base_fds" ]; }
settled() { eventually 5 has_base_fds; }

image disk1.img 16
start_service --image disk1.img --max-domains 16 --idle-timeout 0
dom0=$(service_pid)
[ -n "$dom0" ] || die "the service does not tell its pid"
# As many reads as take about two thirds of a case.
requests=500
beside 0-idle
[ "$rate" -gt 0 ] || die "the neighbour does nothing: $(cat rate.err)"
requests=$((rate * CASE_MS / 3000 + 1)) # for each of its two threads
eventually 5 domains_are 0 || die "domains are left"
base_fds=$(fds "$dom0")

declare -A base base_p99
for kind in idle busy; do
    best=0
    for _ in 1 2; do
        beside "0-$kind"
        [ "$rate" -gt "$best" ] && best=$rate base_p99[$kind]=$p99
    done
    [ "$best" -gt 0 ] || die "the neighbour does nothing beside $kind: $(cat rate.err)"
    base[$kind]=$best
done
base_rss=$(rss_kib "$dom0")
echo "neighbour: ${base[idle]} reads a second beside an idle front end, ${base[busy]} beside a busy one"
printf '%-17s %-43s %-20s %5s %5s  %-7s %s\n' "front end" "what is done" "expected" rate p99 verdict seen

failures=()
while IFS='|' read -r name kind what expected; do
    [ "$kind" = base ] || [ "$kind" = greedy ] && continue
    [[ $name =~ ${1:-.} ]] || continue
    peaceful=idle ratio_min=$RATIO_MIN p99_max=1000
    [ "$kind" = flood ] && peaceful=busy ratio_min=$FLOOD_RATIO_MIN p99_max=$FLOOD_P99_MAX
    compare=${base[$peaceful]} compare_p99=${base_p99[$peaceful]}
    best=0 best_p99=1000
    for ((try = 1; try <= TRIES; try++)); do
        if [ $try -gt 1 ]; then
            beside 0-$peaceful
            compare=$rate compare_p99=$p99
        fi
        beside "$name"
        share=$(ratio "$rate" "$compare") slower=$(ratio "$p99" "$compare_p99")
        less "$best" "$share" && best=$share
        less "$slower" "$best_p99" && best_p99=$slower
        [ $status = 0 ] || break
        less "$best" "$ratio_min" || less "$p99_max" "$best_p99" || break
    done
    verdict=ok
    if less "$best" "$ratio_min" || less "$p99_max" "$best_p99"; then verdict=SLOW; fi
    settled || verdict=LEAK
    [ $status = 0 ] || verdict=WRONG
    [ "$(service_pid)" = "$dom0" ] || verdict=DEAD
    [ $verdict = ok ] || failures+=("$name ($verdict: $seen)")
    printf '%-17s %-43s %-20s %5s %5s  %-7s %s\n' "$name" "$what" "$expected" "$best" "$best_p99" "$verdict" "$seen"
    [ $verdict = DEAD ] && die "Dom0 is gone after $name"
done < <("$FRONT" --list)

rss=$(rss_kib "$dom0")
log_bytes=$(wc -c <"$SPLITDOM_RUNDIR/default/dom0.log")
echo "Dom0: descriptors $(fds "$dom0") (at first $base_fds), memory $rss KiB ($base_rss), log $log_bytes bytes"
# A sanitizer keeps what was freed for a while.
[ -n "${TEST_SAN-}" ] || [ "$rss" -le $((base_rss + RSS_SLACK_KB)) ] || die "Dom0 has grown"
[ "$log_bytes" -le $LOG_BYTES_MAX ] || die "the log has grown to $log_bytes bytes"
expect 0 '' "$BIN/service" stop

printf '\n%-17s %-49s %-20s %-7s %s\n' "back end" "what is done" "expected" verdict seen
while IFS='|' read -r name what expected; do
    [[ $name =~ ${1:-.} ]] || continue
    verdict=ok
    timeout -s KILL $BACK_S "$BACK" "$name" "$BIN/client" >seen 2>&1 </dev/null || verdict=WRONG
    [ $verdict = ok ] || failures+=("$name ($verdict: $(tail -n 1 seen))")
    printf '%-17s %-49s %-20s %-7s %s\n' "$name" "$what" "$expected" "$verdict" "$(tail -n 1 seen)"
done < <("$BACK" --list)

# How long one turn of Dom0's loop gets beside each front end, in milliseconds of its processor time. A
# sanitizer makes it longer, and tells nothing about it.
mapfile -t names < <("$FRONT" --list | cut -d'|' -f1 | grep -E "${1:-.}")
if [ -z "${TEST_SAN-}" ] && [ ${#names[@]} -gt 0 ]; then
    printf '\n'
    (cd "$TOP" && exec timeout -s KILL 300 "$TURNS" "$FRONT" "$BIN/client" "${names[@]}") ||
        failures+=("a turn is longer than its bound")
fi
# Once more at the end, where whoever sees only the end of the log looks.
[ ${#failures[@]} = 0 ] || die "${#failures[@]} cases failed:$(printf '\n    %s' "${failures[@]}")"
