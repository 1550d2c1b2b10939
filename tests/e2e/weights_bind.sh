# SPDX-License-Identifier: MIT
# Weights decide while requests wait for turns in Dom0, and the status says whether they do: the
# recipe of service(1), with a disk that serves eight reads at once.
# alone: what it measures depends on who else runs
. "$(dirname "$0")/functions.sh"

image disk1.img 8
client=$BIN/client

start_two() { # DEPTH: weights 256 and 768, 16 threads each
    start_service --engine model --model mean=1ms,channels=8 --cache-bytes 0 --depth "$1" --depth-isolated "$1"
    for _ in 1 2; do
        "$client" 16 4000000 --no-record >/dev/null 2>&1 &
        pids="$pids $!"
    done
    eventually 10 connected 2 || die "no two domains"
    service set 1 weight 256 && service set 2 weight 768 || die "weights are refused"
}
stop_two() {
    # shellcheck disable=SC2086 # a list
    kill $pids
    pids=
    wait
    service stop >/dev/null || die "no stop"
}
binding() { [ "$(service status --json | grep -o '"weight_binds":true' | wc -l)" = "$1" ]; }
# The second domain's rate of now in percent of the first one's.
ratio() {
    service status --json | grep -o '"age_ns":[0-9]*,"rate_now":[0-9]*' | sed 's/.*://' |
        awk '{ rate[NR] = $1 } END { print (rate[1] > 0 ? int(100 * rate[2] / rate[1]) : 0) }'
}
is_three() { local r; r=$(ratio); [ "$r" -ge 270 ] && [ "$r" -le 330 ]; }
is_one() { local r; r=$(ratio); [ "$r" -ge 80 ] && [ "$r" -le 125 ]; }
pids=

start_two 8
eventually 5 binding 2 || die "no weight binds: $(service status)"
eventually 10 is_three || die "shares are 100 : $(ratio), not 100 : 300"
service status | grep -q ' 768! ' || die "the table does not mark it: $(service status)"
stop_two

# As many reads at the disk as are asked for: nobody waits in Dom0.
start_two 64
eventually 10 is_one || die "shares are 100 : $(ratio), not equal"
eventually 5 binding 0 || die "a weight binds: $(service status)"
service status | grep -q '768!' && die "the table marks it"
stop_two
