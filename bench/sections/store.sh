# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Xenstore: requests per second over the socket and over a domain's ring page, and what watches on
# other nodes cost a write.
begin_section store 'Store: requests per second'

store_row() { # ROW ARGUMENTS...
    local row=$1 line
    shift
    line=$("$PROGRAMS/store" "$@" --seconds "$(calculate "$CELL_S / 2")") || die "store $*"
    record "$row" rps "$(field per_second <<<"$line")"
    record "$row" mean_ns "$(field mean_ns <<<"$line")"
}

store_round() {
    store_row 'socket write' socket --operation write
    store_row 'socket read' socket --operation read
    store_row 'socket write 32 in flight' socket --operation write --pipeline 32
    store_row 'ring write' ring --operation write
    store_row 'ring read' ring --operation read
    store_row 'socket write 10 watches' socket --operation write --watches 10
    store_row 'socket write 1000 watches' socket --operation write --watches 1000
}

service_start store
export SPLITDOM_NAME=store
eval "$("$BIN/service" env)"
rounds "$ROUNDS" store_round
service_stop store
unset SPLITDOM_NAME XENSTORED_PATH
goal_ratio 'store: write with 1000 watches over without' rps 'socket write 1000 watches' 'socket write' '>=' 0.8 0.95
finish_section rps mean_ns
