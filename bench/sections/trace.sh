# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What it costs to trace (client --trace, its default sample): the same loads with and without it, in turn. "hits": each is
# a hand-over to Dom0, with a CPU for each side, or the rate would tell mostly of where the scheduler puts both; "shared":
# the client finds them by itself.
begin_section trace 'Rates while requests are traced'

trace_cell() { # ROW SERVICE COMMAND...: the same load while it is traced
    local row=$1 service=$2
    shift 2
    # The file is written after the run, and no part of its rate.
    client_run "$row traced" "$service" "$@" --trace "$TMP/trace.json"
    record "$row traced" lost "$(grep -oE '"lost":[0-9]+' "$TMP/trace.json" | cut -d: -f2)"
}

# The one and the other begin in turn: what a round changes, such as the machine, it changes for both.
trace_pair() { # ROW SERVICE THREADS OPTION...
    local row=$1 service=$2 command=("$BIN/client" "$3" "$MANY" --duration "$CELL_S")
    shift 3
    command+=("$@")
    [ "$service" != placed ] || command=(taskset -c 0 "${command[@]}")
    [ $((ROUND % 2)) = 0 ] || client_run "$row" "$service" "${command[@]}"
    trace_cell "$row" "$service" "${command[@]}"
    [ $((ROUND % 2)) = 1 ] || client_run "$row" "$service" "${command[@]}"
}

# A disk's rate differs by a tenth from cell to cell: of these three times as many.
cold_round() {
    trace_pair 'cold T=1' trace 1
    trace_pair 'cold T=64' trace 64
}

trace_round() {
    local name
    for name in placed shared; do
        "$BIN/client" 1 80000 --depth 32 --name $name --no-record --pattern $HOT >/dev/null || die "no warm cache"
    done
    trace_pair 'hits T=1' placed 1 --pattern $HOT
    trace_pair 'hits T=64' placed 64 --pattern $HOT
    trace_pair 'hits D=32' placed 1 --depth 32 --pattern $HOT
    trace_pair 'shared T=1' shared 1 --pattern $HOT
    trace_pair 'shared T=64' shared 64 --pattern $HOT
    trace_pair 'shared D=32' shared 1 --depth 32 --pattern $HOT
}

service_start trace --shared-cache off
service_start placed --shared-cache off --cpu 1
service_start shared
rounds $((3 * ROUNDS)) cold_round
rounds "$ROUNDS" trace_round
service_stop trace
service_stop placed
service_stop shared
for row in 'cold T=1' 'cold T=64'; do
    goal_ratio "$row: rate while traced" rps "$row traced" "$row" '>=' 0.98 1
done
for row in 'hits T=1' 'hits T=64' 'hits D=32' 'shared T=1' 'shared T=64' 'shared D=32'; do
    goal_ratio "$row: rate while traced" rps "$row traced" "$row" '>=' 0.90 0.98
done
finish_section rps mean_ns p50_ns p99_ns lost
