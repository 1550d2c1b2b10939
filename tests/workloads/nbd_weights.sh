#!/bin/bash
# SPDX-License-Identifier: MIT
# Two NBD exports of domains with weights 256 and 512, each read as fast as nbdcopy can: they share the disk 1 : 2
# within 2 %, and a third domain that is idle costs them nothing.
# timeout: 240
. "$(dirname "$0")/functions.sh"
requires nbdcopy jq

# So slow a disk that the copies saturate it on a busy machine, too, and so large that neither ends.
truncate -s 64G disk1.img
start_service --image disk1.img --engine model --model mean=10ms,channels=8,law=fixed --cache-bytes 0 --depth 8 --depth-isolated 8
first=$SOCKET
start_nbd
SOCKET=${SOCKET}2 URI=${URI}2
start_nbd
service set 1 weight 256 && service set 2 weight 512 || die "weights are refused"

copies=()
for socket in "$first" "$SOCKET"; do
    nbdcopy --connections=4 --requests=16 --request-size=4096 "nbd+unix:///?socket=$socket" null: 2>"copy${#copies[@]}.log" &
    copies+=($!)
done

# What was served of the two copies, and when; whether requests of both wait for their turn.
sample() {
    service status --json | jq -r '[.up_ns, (.domains[0, 1] | .requests), (.domains[0:2] | map(.weight_binds) | all)] | @tsv'
}
both_wait() { [[ $(sample) == *true ]]; }

# shares: for three seconds; sets share (of the second, where the first has 100) and rate (of both, requests a second).
# False: there was a time at which one of them did not wait, or a share is off by more than 2 % of it.
shares() { # WANTED
    local before after copy
    for copy in "${copies[@]}"; do
        kill -0 "$copy" 2>/dev/null || die "a copy has ended: $(cat copy*.log)"
    done
    before=$(sample)
    sleep 3 # the time that is measured
    after=$(sample)
    read -r share rate <<<"$(echo "$before $after" | awk '{
        first = $6 - $2; second = $7 - $3
        print (first > 0 ? 100 * second / first : 0), (first + second) / (($5 - $1) / 1e9) }')"
    [[ $before == *true && $after == *true ]] || return 1
    awk -v share="$share" -v wanted="$1" 'BEGIN { exit !(share >= 0.98 * wanted && share <= 1.02 * wanted) }'
}
eventually 20 both_wait || die "the copies do not saturate the disk: $(sample)"
eventually 20 shares 200 || die "shares are 100 : $share, not 100 : 200"
echo "two: 100 : $share, $rate requests a second"
alone=$rate

# The third has its disk open, and the largest share if it wanted one.
"$BIN/domu" vhost-user-blk "$SOCKET.idle" 2>idle.log &
eventually 10 test -S "$SOCKET.idle" || die "no third domain: $(cat idle.log)"
service set 3 weight 4096 || die "its weight is refused"
is_free() { shares 200 && awk -v rate="$rate" -v alone="$alone" 'BEGIN { exit !(rate >= 0.97 * alone) }'; }
eventually 20 is_free || die "with an idle domain: 100 : $share, $rate requests a second of $alone"
echo "two and an idle one: 100 : $share, $rate requests a second"

service set 2 weight 256 || die "another weight is refused"
eventually 20 shares 100 || die "shares of equal weights are 100 : $share"
service stop >/dev/null || die "stop"
