# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# A client at full speed while somebody floods the store with writes, or flaps the state of its disk.
# On a small machine a disturber costs the client something only by using the CPU. So each row beside
# the flood has a row beside a process that uses as much of a CPU and leaves Dom0 alone.
begin_section disturb 'A client beside a flood of store writes, and beside a flapping front end'

# beside ROW THREADS COMMAND...: the client's rate while the command runs; leaves the command's output
# in $TMP/disturber and its share of a CPU, in percent, in SHARE.
beside() {
    local row=$1 t=$2 pid from
    shift 2
    from=$EPOCHREALTIME
    { TIMEFORMAT='%U %S'; time "$@" >"$TMP/disturber"; } 2>"$TMP/disturber.cpu" &
    pid=$!
    children+=("$pid")
    sleep 0.1
    client_run "$row" disturb "$BIN/client" "$t" $MANY --duration "$CELL_S"
    wait "$pid" || die "$row: the disturber failed: $(cat "$TMP/disturber.cpu")"
    children=()
    SHARE=$(awk -v s="$(calculate "$EPOCHREALTIME - $from")" '{ printf "%.2f", 100 * ($1 + $2) / s }' "$TMP/disturber.cpu")
    record "$row" disturber_cpu_percent "$SHARE"
}

flood_round() {
    local t seconds
    seconds=$(calculate "$CELL_S + 0.3")
    for t in 1 8 64; do
        client_run "T=$t alone" disturb "$BIN/client" $t $MANY --duration "$CELL_S"
        beside "T=$t beside the flood" $t "$PROGRAMS/store" socket --pipeline 64 --seconds "$seconds"
        record "T=$t beside the flood" store_rps "$(field per_second <"$TMP/disturber")"
        beside "T=$t beside as much CPU use" $t "$PROGRAMS/burn" "$SHARE" "$seconds"
    done
}

flap_round() {
    local cpu
    client_run 'T=8 without flapping' disturb "$BIN/client" 8 $MANY --duration "$CELL_S"
    beside 'T=8 beside flapping' 8 "$PROGRAMS/flap" "$(calculate "$CELL_S + 0.3")"
    record 'T=8 beside flapping' flaps_per_second "$(field per_second <"$TMP/disturber")"
    cpu=$(process_cpu_us "$SERVICE_PID")
    "$PROGRAMS/flap" "$CELL_S" >"$TMP/disturber" || die 'flapping alone failed'
    cpu=$(calculate "$(process_cpu_us "$SERVICE_PID") - $cpu")
    record 'flapping alone' flaps_per_second "$(field per_second <"$TMP/disturber")"
    record 'flapping alone' dom0_us_per_flap "$(calculate "$cpu / $(field flaps <"$TMP/disturber")")"
    FLAPS=$((FLAPS + $(field flaps <"$TMP/disturber")))
    record 'flapping alone' dom0_rss_kib "$(awk '/^VmRSS/ { print $2 }' "/proc/$SERVICE_PID/status")"
}

# Dom0's memory after the last round over that after the first.
growth() { values 'flapping alone' dom0_rss_kib | awk 'NR == 1 { first = $1 } END { print $1 / first }'; }

service_start disturb
export SPLITDOM_NAME=disturb
eval "$("$BIN/service" env)"
rounds "$ROUNDS" flood_round
FLAPS=0
rounds "$ROUNDS" flap_round
service_stop disturb
unset SPLITDOM_NAME XENSTORED_PATH
for t in 1 8 64; do
    goal_ratio "beside store writes, T=$t: rate over alone" rps "T=$t beside the flood" "T=$t alone" '>=' 0.9 -
done
for t in 1 8 64; do
    goal_ratio "beside store writes, T=$t: rate over beside as much CPU use" rps "T=$t beside the flood" "T=$t beside as much CPU use" '>=' 0.9 -
done
goal_ratio 'beside a flapping front end, T=8: rate over alone' rps 'T=8 beside flapping' 'T=8 without flapping' '>=' 0.9 -
growth | judge "Dom0's memory after $FLAPS flaps over that at first" '<=' 1.02 -
finish_section rps mean_ns p99_ns store_rps disturber_cpu_percent flaps_per_second dom0_us_per_flap dom0_rss_kib
