# SPDX-License-Identifier: MIT
# Weights decide while requests wait for turns in Dom0, and the status says whether they do: the
# recipe of service(1), with a disk that serves eight reads at once. A client may tell its weight and its name itself.
# alone: what it measures depends on who else runs
# sanitizers: long: it measures shares; fair scheduling is in unit, many clients in clients_killed and kills
. "$(dirname "$0")/functions.sh"

image disk1.img 8
client=$BIN/client

start_two() { # DEPTH: weights 256 and 768, 16 threads each
    start_service --engine model --model mean=1ms,channels=8 --cache-bytes 0 --depth "$1" --depth-isolated "$1"
    start_client
    start_client
    eventually 10 connected 2 || die "no two domains"
    service set 1 weight 256 && service set 2 weight 768 || die "weights are refused"
}
start_client() { # OPTION...
    "$client" 16 4000000 --no-record "$@" >/dev/null 2>&1 &
    pids="$pids $!"
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
is_two() { local r; r=$(ratio); [ "$r" -ge 170 ] && [ "$r" -le 230 ]; }
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

# The clients say what their domains weigh, and who they are.
start_service --engine model --model mean=1ms,channels=8 --cache-bytes 0 --depth 8 --depth-isolated 8
start_client --domain-name light
eventually 10 connected 1 || die "no first domain"
start_client --domain-name heavy --weight 512
eventually 10 connected 2 || die "no second domain"
eventually 10 is_two || die "shares are 100 : $(ratio), not 100 : 200"
service status | grep -q ' 512! .*heavy' || die "the table does not show it: $(service status)"
service list | grep -q ' 256 .* light$' || die "the list does not show it: $(service list)"
expect 1 'name "heavy" already exists' "$client" 1 1 --no-record --domain-name heavy
expect 1 'letters, digits' "$client" 1 1 --no-record --domain-name 'a b'
service set 2 weight 256 || die "the weight cannot be changed any more"
eventually 10 is_one || die "shares are 100 : $(ratio), not equal"
stop_two
for wrong in 0 65536 1.5 x ''; do
    expect 2 'weight must be' "$client" 1 1 --weight "$wrong"
done
expect 2 'must not be empty' "$client" 1 1 --domain-name ''
