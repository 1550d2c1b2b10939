# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Hit ratios by policy and load, against the best that could be had (a simulation of traces with the
# cache's own code), and what sizes of the cache do to the running service.
begin_section cache 'Cache: hit ratios by policy and load; sizes'

cache_requests=4000000 cache_sectors=1024000
[ -z "$QUICK" ] || cache_requests=400000 cache_sectors=102400

# The simulator's markdown table as measurements: load, policy, percent.
cache_simulated() {
    local load policy percent
    "$PROGRAMS/cache_sim" $cache_requests $cache_sectors >"$TMP/cache.txt" || die 'cache_sim'
    while IFS=, read -r load policy percent; do
        record "$load" "$policy" "$percent"
    done < <(awk -F' *[|] *' '
        /^[|] load/ { for (i = 3; i < NF; i++) policy[i] = $i; next }
        /^[|] / {
            gsub(",", ";", $2)
            for (i = 3; i < NF; i++) print $2 "," policy[i] "," $i
        }' "$TMP/cache.txt")
    # Of each load the part of the best policy's ratio that each policy gets.
    awk -F, '
        $2 == "static" || $2 == "MIN" || $2 == "load" { next }
        { ratio[$1, $2] = $3; loads[$1]; policies[$2]; if ($3 > best[$1]) best[$1] = $3 }
        END { for (p in policies) { worst = 2
                for (l in loads) if (l !~ /^loop/ && best[l] > 0 && ratio[l, p] / best[l] < worst) worst = ratio[l, p] / best[l]
                printf "%s,%.4f\n", p, worst } }' < <(grep "^$SECTION,1," "$CSV" | cut -d , -f 3-) >"$TMP/worst"
    while IFS=, read -r policy percent; do
        record "$policy: least part of the best policy" part_of_best "$percent"
    done <"$TMP/worst"
}

cache_sizes=(0 0.1 0.5 1)
[ -z "$QUICK" ] || cache_sizes=(0 1)
# Those of hand-overs and those that domains report.
cache_hits() { calculate "$(json_number "$TMP/status.json" hits) + $(json_number "$TMP/status.json" reported_hits)"; }
cache_round() {
    local size pattern before_hits before_misses hits misses
    for pattern in uniform zipf:0.99; do
        for size in "${cache_sizes[@]}"; do
            service_status "cache$size"
            before_hits=$(cache_hits) before_misses=$(json_number "$TMP/status.json" misses)
            SERVICE_PID=${cache_pid[$size]} client_run "$pattern $size %" "cache$size" \
                "$BIN/client" 64 $MANY --pattern $pattern --duration "$CELL_S"
            service_status "cache$size"
            hits=$(calculate "$(cache_hits) - $before_hits")
            misses=$(calculate "$(json_number "$TMP/status.json" misses) - $before_misses")
            record "$pattern $size %" hit_percent "$(calculate "100 * $hits / ($hits + $misses)")"
        done
    done
}

# The same loads where a domain reads hits by itself: how many points the ratio is off.
cache_shared() {
    local far
    "$PROGRAMS/cache_sim" shared $cache_requests $cache_sectors >"$TMP/shared.txt"
    far=$(sed -n 's/^furthest apart: \([0-9.]*\) points/\1/p' "$TMP/shared.txt")
    [ -n "$far" ] || die 'cache_sim shared'
    record 'hits read by domains' points_off "$far"
}

rounds 1 cache_simulated
rounds 1 cache_shared
declare -A cache_pid
for size in "${cache_sizes[@]}"; do
    service_start "cache$size" --cache-percent "$size"
    cache_pid[$size]=$SERVICE_PID
    "$BIN/client" 1 60000 --depth 64 --name "cache$size" --no-record --pattern zipf:0.99 >/dev/null || die 'no warm cache'
done
rounds "$ROUNDS" cache_round
for size in "${cache_sizes[@]}"; do service_stop "cache$size"; done
goal_value 'simulated, arc: least part of the best policy, but the loop' part_of_best 'arc: least part of the best policy' '>=' 0.97 -
# In a cache of a tenth, one insertion that Dom0 hears too late counts ten times as much.
[ -n "$QUICK" ] || goal_value 'simulated, hits read by domains: points off the exact ratio, any policy and load' points_off 'hits read by domains' '<=' 1 -
goal_ratio 'uniform: rate with the 1 % cache over none' rps 'uniform 1 %' 'uniform 0 %' '>=' 0.99 -
note "simulated: $cache_requests requests over $cache_sectors sectors, 1 % of them cached; the first quarter is not counted; figures in percent"
note 'PATTERN SIZE %: the running service, 64 threads, LRU'
finish_section lru clock sieve s3fifo arc static MIN part_of_best points_off hit_percent rps mean_ns
