# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Time dilation on the real disk: under TDF k it looks k times as fast; with --disk-scale k as it is.
# The experiment with the model disk, and clocks and timers, are bench/tdf/run.sh.
begin_section tdf 'Time dilation: the real disk under TDF 1, 2, 5, 10'

tdf_factors='2 5 10'

# tdf_client ROW SERVICE TDF: for CELL_S real seconds. real_rps: in real time.
tdf_client() {
    client_run "$1" "$2" "$BIN/client" 8 $MANY --tdf "$3" --duration "$(calculate "$CELL_S / $3")"
    record "$1" real_rps "$(calculate "$(json_number "$TMP/client.json" requests_per_second) / $3")"
}

# How far the client's threads and Dom0's wake-ups, which are not dilated, show: with the model disk
# the device is the same at any TDF, so the rate ought to be.
tdf_model() {
    local k
    for k in 1 2 10; do
        client_run "model 2 ms D=8 TDF $k" "model$k" "$BIN/client" 1 $MANY --depth 8 --tdf $k \
            --duration "$(calculate "$CELL_S / 4")"
    done
}

# The rows begin with another one each round: on this kind of machine the first after a pause is slower.
tdf_round() {
    local rows=(1 again "${tdf_split[@]}") i row
    for i in "${!rows[@]}"; do
        row=${rows[(i + ROUND) % ${#rows[@]}]}
        case $row in
        1) tdf_client 'TDF 1' tdf 1 ;;
        again) tdf_client 'TDF 1 again' tdf 1 ;;
        *) tdf_client "TDF $row" tdf "$row" ;;
        esac
    done
    for i in "${!rows[@]}"; do
        row=${rows[(i + ROUND) % ${#rows[@]}]}
        case $row in
        1) tdf_client 'TDF 1 depth 1' one 1 ;;
        again) tdf_client 'TDF 1 depth 1 again' one 1 ;;
        *) tdf_client "TDF $row disk-scale $row" "scale$row" "$row" ;;
        esac
    done
    tdf_model
}

read -ra tdf_split <<<"$tdf_factors"
service_start tdf --cache-bytes 0
service_start one --cache-bytes 0 --depth 1
for k in $tdf_factors; do service_start "scale$k" --cache-bytes 0 --depth 1 --disk-scale "$k"; done
for k in 1 2 10; do
    service_start "model$k" --cache-bytes 0 --engine model --model "mean=$((2 * k))ms,cv=0.25,channels=64"
done
rounds "$ROUNDS" tdf_round
for name in tdf one scale2 scale5 scale10 model1 model2 model10; do service_stop $name; done

# aa_spread METRIC ROW: the largest deviation of the row from itself, over all rounds.
aa_spread() {
    ratios "$1" "$2 again" "$2" | awk '{ d = $1 > 1 ? $1 - 1 : 1 - $1; if (d > most) most = d } END { print most }'
}
# judge_same TITLE METRIC ROW BASE: does the median ratio lie within the spread of A/A?
judge_same() {
    ratios "$2" "$3" "$4" | spread | awk '{ d = $1 > 1 ? $1 - 1 : 1 - $1; print d }' |
        judge "$1" '<=' "$(aa_spread "$2" "$4")" -
}
for k in $tdf_factors; do
    judge_same "TDF $k: rate / $k off the undilated rate by, within A/A" real_rps "TDF $k" 'TDF 1'
done
for k in $tdf_factors; do
    judge_same "TDF $k disk-scale $k: rate off the undilated rate by, within A/A" rps "TDF $k disk-scale $k" 'TDF 1 depth 1'
done
for k in 2 10; do
    goal_ratio "model: rate under TDF $k, latency $k times, over the undilated" rps "model 2 ms D=8 TDF $k" 'model 2 ms D=8 TDF 1' '<=' 1.1 -
done
note 'A spread (largest deviation of the row from its repetition over all rounds) is the bound of the first six.'
finish_section rps real_rps mean_ns p99_ns
