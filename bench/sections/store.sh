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
    local watches
    store_row 'socket write' socket --operation write
    store_row 'socket read' socket --operation read
    store_row 'socket write 32 in flight' socket --operation write --pipeline 32
    store_row 'ring write' ring --operation write
    store_row 'ring read' ring --operation read
    # With requests in flight a write costs the store's own time, not a round trip's.
    for watches in 1 10 100 1000 10000; do
        store_row "write $watches watches" socket --operation write --pipeline 32 --watches $watches
    done
    store_row 'socket write 1000 watches' socket --operation write --watches 1000
}

service_start store
export SPLITDOM_NAME=store
eval "$("$BIN/service" env)"
rounds "$ROUNDS" store_round
service_stop store
unset SPLITDOM_NAME XENSTORED_PATH
goal_ratio 'store: write with 1000 watches over without' rps 'socket write 1000 watches' 'socket write' '>=' 0.8 0.95
# The goal of "no more than log-like": a quarter more for each tenfold number of watches.
for watches in 10 100 1000 10000; do
    goal_ratio "store: time of a write, $watches watches over 1" mean_ns "write $watches watches" 'write 1 watches' '<=' "$(calculate "1 + 0.25 * log($watches) / log(10)")" -
done
finish_section rps mean_ns
