# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What a read costs in processor time (user + system, client and Dom0 together) and in system calls,
# and what attached but silent clients cost.
begin_section cpu 'Processor time and system calls per read; idle cost'

cpu_round() {
    fio_psync 'psync T=1' 1
    client_run 'splitdom T=1' cpu "$BIN/client" 1 $MANY --duration "$CELL_S"
    fio_psync 'psync T=64' 64
    client_run 'splitdom T=64' cpu "$BIN/client" 64 $MANY --duration "$CELL_S"
    fio_uring 'io_uring D=32' 32
    client_run 'splitdom D=32' cpu "$BIN/client" 1 $MANY --depth 32 --duration "$CELL_S"
}

total_calls() { awk '$NF == "total" { n = $4 } END { print n + 0 }' "$1"; }

# count_calls ROW REQUESTS CLIENT-ARGUMENTS...: strace slows both down, but changes little about how
# often they call.
count_calls() {
    local row=$1 requests=$2 tracer tries=200
    shift 2
    strace -f -c -o "$TMP/service.calls" -p "$SERVICE_PID" 2>"$TMP/tracer.err" &
    tracer=$!
    children+=("$tracer")
    until grep -q attached "$TMP/tracer.err"; do
        [ $((tries -= 1)) -gt 0 ] || {
            note "strace may not attach to Dom0: $(tail -n 1 "$TMP/tracer.err")"
            return
        }
        sleep 0.01
    done
    strace -f -c -o "$TMP/client.calls" "$BIN/client" "$@" --name cpu --no-record >/dev/null || die "client under strace"
    kill -INT "$tracer"
    wait "$tracer" 2>/dev/null
    record "$row" client_calls_per_request "$(calculate "$(total_calls "$TMP/client.calls") / $requests")"
    record "$row" dom0_calls_per_request "$(calculate "$(total_calls "$TMP/service.calls") / $requests")"
}

calls_round() {
    count_calls 'splitdom T=1' 5000 1 5000
    count_calls 'splitdom T=64' 20000 64 20000
    count_calls 'splitdom D=32' 20000 1 20000 --depth 32
    count_calls 'splitdom D=32 cached' 20000 1 20000 --depth 32 --pattern $HOT
}

# 64 silent domains: whatever time Dom0 and they take is for nothing.
idle_round() {
    local seconds=10 domains cpu switches
    [ -z "$QUICK" ] || seconds=3
    mkfifo "$TMP/stay"
    "$PROGRAMS/idle_domains" 64 <"$TMP/stay" >"$TMP/idle.out" &
    domains=$!
    children+=("$domains")
    exec 9>"$TMP/stay"
    wait_domains "$SPLITDOM_NAME" 64
    sleep 0.5
    cpu=$(process_cpu_us "$SERVICE_PID") switches=$(process_switches "$SERVICE_PID")
    local cpu_domains switches_domains
    cpu_domains=$(process_cpu_us "$domains") switches_domains=$(process_switches "$domains")
    sleep $seconds
    record '64 silent clients' dom0_cpu_us_per_s "$(calculate "($(process_cpu_us "$SERVICE_PID") - $cpu) / $seconds")"
    record '64 silent clients' dom0_switches_per_s "$(calculate "($(process_switches "$SERVICE_PID") - $switches) / $seconds")"
    record '64 silent clients' clients_cpu_us_per_s "$(calculate "($(process_cpu_us "$domains") - $cpu_domains) / $seconds")"
    record '64 silent clients' clients_switches_per_s "$(calculate "($(process_switches "$domains") - $switches_domains) / $seconds")"
    exec 9>&-
    wait "$domains"
    rm "$TMP/stay"
}

service_start cpu
export SPLITDOM_NAME=cpu # for idle_domains
rounds "$ROUNDS" cpu_round
cpu_rounds=$ROUNDS_DONE
if have strace; then
    rounds 1 calls_round
else
    note 'strace is not installed: system calls are not counted'
fi
rounds 1 idle_round
ROUNDS_DONE=$cpu_rounds
service_stop cpu
unset SPLITDOM_NAME
goal_ratio 'CPU per read, T=1, over psync' cpu_us 'splitdom T=1' 'psync T=1' '<=' 1.7 1.4
goal_ratio 'CPU per read, T=64, over psync' cpu_us 'splitdom T=64' 'psync T=64' '<=' 1.6 1.35
goal_ratio 'CPU per read, depth 32, over io_uring' cpu_us 'splitdom D=32' 'io_uring D=32' '<=' 1.0 0.8
goal_value 'idle, 64 clients: CPU of Dom0, us per s' dom0_cpu_us_per_s '64 silent clients' '<=' 0 -
goal_value 'idle, 64 clients: context switches of Dom0 per s' dom0_switches_per_s '64 silent clients' '<=' 0 -
finish_section cpu_us client_cpu_us rps client_calls_per_request dom0_calls_per_request dom0_cpu_us_per_s dom0_switches_per_s clients_cpu_us_per_s clients_switches_per_s
