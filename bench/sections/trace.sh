# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What it costs to trace (client --trace, its default sample): the same loads with and without it, in turn. In all rows each
# hit is a hand-over to Dom0.
begin_section trace 'Rates while requests are traced'

trace_pair() { # ROW THREADS OPTION...
    local row=$1 threads=$2
    shift 2
    client_run "$row" trace "$BIN/client" "$threads" $MANY --duration "$CELL_S" "$@"
    # The file is written after the run, and no part of its rate.
    client_run "$row traced" trace "$BIN/client" "$threads" $MANY --duration "$CELL_S" "$@" --trace "$TMP/trace.json"
    record "$row traced" lost "$(grep -oE '"lost":[0-9]+' "$TMP/trace.json" | cut -d: -f2)"
}

trace_round() {
    trace_pair 'cold T=1' 1
    trace_pair 'cold T=64' 64
    "$BIN/client" 1 80000 --depth 32 --name trace --no-record --pattern $HOT >/dev/null || die "no warm cache"
    trace_pair 'hits T=1' 1 --pattern $HOT
    trace_pair 'hits T=64' 64 --pattern $HOT
    trace_pair 'hits D=32' 1 --depth 32 --pattern $HOT
}

service_start trace --shared-cache off
rounds "$ROUNDS" trace_round
service_stop trace
for row in 'cold T=1' 'cold T=64'; do
    goal_ratio "$row: rate while traced" rps "$row traced" "$row" '>=' 0.98 1
done
for row in 'hits T=1' 'hits T=64' 'hits D=32'; do
    goal_ratio "$row: rate while traced" rps "$row traced" "$row" '>=' 0.90 0.98
done
finish_section rps mean_ns p50_ns p99_ns lost
