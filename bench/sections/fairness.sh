# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Shares and isolation: equal clients, quiet beside greedy ones, weights.
begin_section fairness 'Fairness: equal clients, quiet beside greedy ones, weights'

fair_s=$(calculate "$CELL_S * 2")

# The sectors that the quiet cached client reads are in the cache before it is measured.
fair_hot=hotset:0.05:100 # 512 sectors, which stay because they are asked for all the time
warm_up() {
    "$BIN/client" 1 10000 --depth 32 --name fair --no-record --pattern $fair_hot >/dev/null || die 'no warm cache'
}

# quiet_beside ROW QUIET-ARGUMENTS -- GREEDY-ARGUMENTS: the quiet client's figures, and the rate of
# all while it ran.
quiet_beside() {
    local row=$1 quiet=() before after from to greedy
    shift
    while [ "$1" != -- ]; do
        quiet+=("$1")
        shift
    done
    shift
    client_background "$TMP/greedy" fair "$BIN/client" "$@" $MANY --duration "$(calculate "$fair_s + 1")"
    greedy=$CHILD
    wait_domains fair 1
    sleep 0.2
    case $row in *cached*) warm_up ;; esac
    before=$(service_requests fair) from=$EPOCHREALTIME
    client_run "$row" fair "$BIN/client" "${quiet[@]}" --duration "$fair_s"
    after=$(service_requests fair) to=$EPOCHREALTIME
    record "$row" sum_rps "$(calculate "($after - $before) / ($to - $from)")"
    wait "$greedy" || die "greedy client: $(cat "$TMP/greedy.err")"
    children=()
}

# Shares can only be given to clients that wait for a share. One whose threads all have their read at
# the disk waits for nothing, so these rows have a service with a device depth of 4 (--depth 4): below
# the 8 threads of the smallest client, each of them is always backlogged.
weights_round() { # three backlogged clients of weights 1, 2 and 4
    local i=0 pids=() domid
    for i in 1 2 3; do
        client_background "$TMP/weight.$i" shares "$BIN/client" 64 $MANY --duration "$(calculate "$fair_s + 2")"
        pids+=("$CHILD")
    done
    wait_domains shares 3
    i=0
    for domid in $(domain_requests shares | cut -d ' ' -f 1); do
        "$BIN/service" set "$domid" weight $((64 << i++)) --name shares >/dev/null || die "no weight for $domid"
    done
    sleep 0.2
    domain_requests shares >"$TMP/before"
    sleep "$fair_s"
    domain_requests shares >"$TMP/after"
    for i in "${pids[@]}"; do wait "$i" || die 'client with a weight'; done
    children=()
    record 'weights 1:2:4' share_error "$(paste "$TMP/before" "$TMP/after" | awk '
        { got[NR] = $4 - $2; all += got[NR]; want[NR] = 2 ^ (NR - 1); sum += want[NR] }
        END { for (i = 1; i <= NR; i++) { e = got[i] / all / (want[i] / sum) - 1; if (e < 0) e = -e; if (e > worst) worst = e }
              printf "%.6f", worst }')"
}

fairness_round() {
    together '4 equal clients T=8' fair "$fair_s" 8 8 8 8
    together '4 equal clients T=64' fair "$fair_s" 64 64 64 64
    if [ -z "$QUICK" ]; then
        together '2 equal clients T=8' fair "$fair_s" 8 8
        together '16 equal clients T=8' fair "$fair_s" 8 8 8 8 8 8 8 8 8 8 8 8 8 8 8 8
        together 'backlogged clients T=8 and T=64' shares "$fair_s" 8 64
    fi
    client_run 'greedy T=64 alone' fair "$BIN/client" 64 $MANY --duration "$fair_s"
    client_run 'greedy D=128 alone' fair "$BIN/client" 1 $MANY --depth 128 --duration "$fair_s"
    client_run 'quiet alone' fair "$BIN/client" 1 $MANY --duration "$fair_s"
    quiet_beside 'quiet beside T=64' 1 $MANY -- 64
    quiet_beside 'quiet beside D=128' 1 $MANY -- --depth 128 1
    warm_up
    client_run 'quiet cached alone' fair "$BIN/client" 1 $MANY --pattern $fair_hot --duration "$fair_s"
    quiet_beside 'quiet cached beside T=64' 1 $MANY --pattern $fair_hot -- 64
    weights_round
}

service_start shares --depth 4
service_start fair # the last: client_run counts its CPU time
fair_rounds=$ROUNDS
[ -z "$QUICK" ] || fair_rounds=$((ROUNDS < 2 ? ROUNDS : 2)) # its rows are the longest
rounds $fair_rounds fairness_round
service_stop fair
service_stop shares
for row in '4 equal clients T=8' '4 equal clients T=64'; do
    goal_value "$row: Jain's index" jain "$row" '>=' 0.999 0.9999
    goal_value "$row: (largest - smallest) / mean" deviation "$row" '<=' 0.05 0.01
done
if [ -z "$QUICK" ]; then
    for row in '2 equal clients T=8' '16 equal clients T=8' 'backlogged clients T=8 and T=64'; do
        goal_value "$row: Jain's index" jain "$row" '>=' 0.999 0.9999
    done
fi
for beside in T=64 D=128; do
    goal_ratio "quiet T=1 beside $beside: p99 over alone" p99_ns "quiet beside $beside" 'quiet alone' '<=' 4 3
    goal_ratio "quiet T=1 beside $beside: sum over greedy alone" sum_rps "quiet beside $beside" "greedy $beside alone" '>=' 0.7 0.75 rps
done
goal_ratio 'quiet cached T=1 beside T=64: p99 over alone' p99_ns 'quiet cached beside T=64' 'quiet cached alone' '<=' 1.5 1.2
goal_value 'weights 1:2:4: worst error of a share' share_error 'weights 1:2:4' '<=' 0.01 -
finish_section rps jain deviation mean_ns p99_ns sum_rps share_error
