# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# A client at full speed while somebody floods the store with writes.
begin_section disturb 'A client beside a flood of store writes'

disturb_round() {
    local t flood
    for t in 8 64; do
        client_run "T=$t alone" disturb "$BIN/client" $t $MANY --duration "$CELL_S"
        "$PROGRAMS/store" socket --pipeline 64 --seconds "$(calculate "$CELL_S + 0.3")" >"$TMP/flood" &
        flood=$!
        children+=("$flood")
        sleep 0.1
        client_run "T=$t beside the flood" disturb "$BIN/client" $t $MANY --duration "$CELL_S"
        wait "$flood" || die 'the flood ended early'
        record "T=$t beside the flood" store_rps "$(field per_second <"$TMP/flood")"
    done
    children=()
}

service_start disturb
export SPLITDOM_NAME=disturb
eval "$("$BIN/service" env)"
rounds "$ROUNDS" disturb_round
service_stop disturb
unset SPLITDOM_NAME XENSTORED_PATH
goal_ratio 'beside store writes, T=64: rate over alone' rps 'T=64 beside the flood' 'T=64 alone' '>=' 0.9 -
goal_ratio 'beside store writes, T=8: rate over alone' rps 'T=8 beside the flood' 'T=8 alone' '>=' 0.9 -
finish_section rps mean_ns p99_ns store_rps
