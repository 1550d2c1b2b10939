# SPDX-License-Identifier: MIT
# Shares where some write: two readers and two writers that always wait for turns get as much as each other, and one
# that reads now and then is served beside a writer with 128 requests in flight. On a model of a disk, and only that
# nobody starves; TEST_LONG: the disk itself, with bounds.
# timeout: 300
# alone: what it measures depends on who else runs
# sanitizers: long: it measures shares; fair scheduling is in unit, writers in client_writes and nothing_lost
. "$(dirname "$0")/functions.sh"

requires python3
seconds=1 tries=3
if [ -n "${TEST_LONG:-}" ] && [ -z "${TEST_SAN:-}" ]; then
    seconds=10 jain_least=0.999 figure=p99 ratio_most=4
    image disk1.img 256
    disk=(--engine auto)
else
    jain_least=0.90 figure=p50 ratio_most=60
    truncate -s 64M disk1.img
    disk=(--engine model --model "mean=1ms,law=fixed,channels=4")
fi
start_disk() { start_service --disk "$PWD/disk1.img,raw,xvda,w!" --cache-percent 0 "${disk[@]}" "$@"; }

endless() { # ARGUMENT...: a client until it is killed
    "$BIN/client" "$@" --no-record >/dev/null 2>>err &
    pids+=($!)
}
end_all() {
    local pid
    kill -9 "${pids[@]}"
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null; done
    pids=()
    eventually 10 domains_are 0 || die "domains stay"
}
# Of each domain; its disks have counts of their own.
counts() {
    service status --json | python3 -c 'import json, sys
for domain in json.load(sys.stdin)["domains"]: print(domain["requests"])'
}
at_most() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a <= b) }'; }

# Jain's index of what four equals got in a while.
share() {
    counts >before
    sleep "$seconds"
    counts >after
    [ "$(wc -l <before)" = 4 ] || die "$(wc -l <before) domains: $(cat err)"
    jain=$(paste before after | awk '{ x = $2 - $1; s += x; q += x * x } END { print q ? s * s / (NR * q) : 0 }')
    echo "Jain's index of $(paste before after | awk '{ printf "%d ", $2 - $1 }')requests: $jain"
    at_most "$jain_least" "$jain"
}
# The latency of one that reads alone or beside: in nanoseconds
latency() {
    client 1 100000000 --duration "$seconds" --json --no-record >json 2>err || die "the quiet reader: $(cat err)"
    grep -oE "\"$figure\" *: *[0-9.]+" json | head -n 1 | sed 's/.*: *//'
}
quiet() {
    local alone beside
    alone=$(latency)
    endless 1 100000000 --depth 128 --write 100
    eventually 10 connected 1 || die "no writer: $(cat err)"
    eventually 10 requests_exceed $(($(status_number 'total":{"requests') + 500)) || die "the writer does not write"
    beside=$(latency)
    end_all
    ratio=$(awk -v a="$alone" -v b="$beside" 'BEGIN { print b / a }')
    echo "a quiet reader beside a writer: $figure $beside ns, alone $alone ns: $ratio"
    at_most "$ratio" "$ratio_most"
}
# A machine that stands still for a while is tried again.
some_try() {
    local i
    for ((i = 0; i < tries; i++)); do
        "$1" && return 0
    done
    return 1
}

# They wait for turns: the disk has room for four of their 128 requests.
start_disk --depth 4
pids=()
for write in 0 100 0 100; do endless 1 100000000 --depth 32 --write $write; done
eventually 20 connected 4 || die "not connected: $(cat err)"
eventually 20 requests_exceed 400 || die "they do not run"
some_try share || die "equals have unequal shares: $jain"
end_all
service stop >/dev/null || die "stop"

start_disk
some_try quiet || die "a quiet reader waits: $ratio times as long as alone"
service stop >/dev/null || die "stop"
