# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Reads that all hit the cache, against what a round trip costs at least, the page cache, and
# nbdkit's memory plugin. "own cores": Dom0 on CPU 1, the client on CPU 0; "one core": both on CPU 0;
# "defaults": nothing pinned. "shared": the client reads hits by itself (--shared-cache); in all other rows each hit
# is a hand-over to Dom0. The page cache twice: a bare loop of pread, and fio, which takes times. Hits of the
# shared cache twice as well: a bare loop of the library's reads ("bare"), and the client, which takes times.
begin_section cached 'Cached reads against the limits of the machine'

hot_client() { # ROW SERVICE COMMAND...: with the service's process as SERVICE_PID
    local row=$1 name=$2
    shift 2
    SERVICE_PID=${cached_pid[$name]} client_run "$row" "$name" "$@" --pattern $HOT --duration "$CELL_S"
}

pingpong() { # ROW MODE CPUS
    local line
    cell_begin
    line=$("$PROGRAMS/pingpong" "$2" --cpus "$3" --seconds "$CELL_S") || die "pingpong $2"
    cell_end "$1"
    record "$1" mean_ns "$(field mean_ns <<<"$line")"
    record "$1" best_ns "$(field best_ns <<<"$line")"
    record "$1" rps "$(calculate "1e9 / $(field mean_ns <<<"$line")")"
}

# hits_run ROW COMMAND...: the bare loop.
hits_run() {
    local row=$1 line
    shift
    cell_begin
    line=$("$@") || die "hits: $*"
    cell_end "$row"
    [ "$(field ring <<<"$line")" = 0.0 ] || note "$row: not all were hits ($line)"
    record "$row" rps "$(field per_second <<<"$line")"
    record "$row" mean_ns "$(field mean_ns <<<"$line")"
    record "$row" cpu_us "$(calculate "$(field cpu_ns <<<"$line") / 1000")"
}

cached_depths='1 8 32 128'
[ -z "$QUICK" ] || cached_depths='1 32'

cached_round() {
    local d
    pingpong 'spin ping-pong' spin 0,1
    pingpong 'spin ping-pong with 512 bytes' spin512 0,1
    hot_client 'T=1 own cores' own taskset -c 0 "$BIN/client" 1 $MANY
    pingpong 'futex ping-pong' futex 0,1
    hot_client 'T=1 own cores no spinning' nospin taskset -c 0 "$BIN/client" 1 $MANY --no-spin
    pingpong 'futex ping-pong one core' futex 0,0
    hot_client 'T=1 one core no spinning' onecore taskset -c 0 "$BIN/client" 1 $MANY --no-spin
    hot_client 'T=1 defaults' plain "$BIN/client" 1 $MANY
    record 'page cache T=64' rps "$("$PROGRAMS/page_cache" "$IMAGE" 64 5120 "$CELL_S" | field per_second)"
    fio_run 'page cache T=64 by fio' --filename="$IMAGE" --direct=0 --invalidate=0 --size=2560k --ioengine=psync --numjobs=64
    hot_client 'T=64 own cores' own taskset -c 0 "$BIN/client" 64 $MANY
    hot_client 'T=64 defaults' plain "$BIN/client" 64 $MANY
    hot_client 'T=64 two queues' plain "$BIN/client" 64 $MANY --queues 2
    for d in $cached_depths; do
        hot_client "D=$d own cores" own taskset -c 0 "$BIN/client" 1 $MANY --depth $d
    done
    hot_client 'D=32 defaults' plain "$BIN/client" 1 $MANY --depth 32
    hot_client 'T=1 shared' shared taskset -c 0 "$BIN/client" 1 $MANY
    hot_client 'T=64 shared' shared "$BIN/client" 64 $MANY
    hot_client 'D=32 shared' shared "$BIN/client" 1 $MANY --depth 32
    hits_run 'T=1 shared bare' taskset -c 0 "$PROGRAMS/hits" shared 1 5120 "$CELL_S"
    hits_run 'T=64 shared bare' "$PROGRAMS/hits" shared 64 5120 "$CELL_S"
    hits_run 'D=32 shared bare' "$PROGRAMS/hits" shared 1 5120 "$CELL_S" 32
    if [ -n "$cached_nbd" ]; then
        fio_nbd 'nbdkit memory T=1' "$cached_nbd" --iodepth=1
        fio_nbd 'nbdkit memory D=32' "$cached_nbd" --iodepth=32
    fi
}

if [ "$(nproc)" -lt 2 ]; then
    note 'only one CPU: nothing to be measured with own cores'
else
    declare -A cached_pid
    cached_nbd=
    if have nbdkit && fio_has nbd; then
        server_start "$TMP/nbd.sock" nbdkit -f -r -t 64 -U "$TMP/nbd.sock" memory ${IMAGE_MIB}M
        cached_nbd="nbd+unix:///?socket=$TMP/nbd.sock" cached_server=$CHILD
    else
        note 'nbdkit or the nbd engine of fio is not installed: no row for it'
    fi
    service_start own --cpu 1 --shared-cache off
    cached_pid[own]=$SERVICE_PID
    service_start nospin --cpu 1 --no-spin --shared-cache off
    cached_pid[nospin]=$SERVICE_PID
    service_start onecore --cpu 0 --no-spin --shared-cache off
    cached_pid[onecore]=$SERVICE_PID
    service_start plain --shared-cache off
    cached_pid[plain]=$SERVICE_PID
    service_start shared --cpu 1
    cached_pid[shared]=$SERVICE_PID
    for name in own nospin onecore plain shared; do # 15 times the hot set: all of it is in the cache then
        "$BIN/client" 1 80000 --depth 32 --name $name --no-record --pattern $HOT >/dev/null || die "no warm cache"
    done
    rounds "$ROUNDS" cached_round
    for name in own nospin onecore plain shared; do service_stop $name; done
    [ -z "$cached_nbd" ] || server_stop "$cached_server"
    read -r median smallest largest < <(ratios rps 'T=64 two queues' 'T=64 defaults' | spread)
    note "64 threads on two rings over all on one: ${median:-not measured}${median:+ ($smallest..$largest)}"
    goal_ratio 'cached, T=1: round trip over spin ping-pong with 512 bytes' mean_ns 'T=1 own cores' 'spin ping-pong with 512 bytes' '<=' 6 3
    goal_ratio 'cached, T=1, no spinning: round trip over futex ping-pong' mean_ns 'T=1 own cores no spinning' 'futex ping-pong' '<=' 1.2 1.05
    goal_ratio 'the same on one core' mean_ns 'T=1 one core no spinning' 'futex ping-pong one core' '<=' 1.2 1.05
    goal_ratio 'cached, T=64: rate over page cache' rps 'T=64 own cores' 'page cache T=64' '>=' 2 3
    goal_ratio 'the same over fio on the page cache' rps 'T=64 own cores' 'page cache T=64 by fio' '>=' 2 3
    goal_ratio 'shared, T=1: a hit over spin ping-pong with 512 bytes' mean_ns 'T=1 shared' 'spin ping-pong with 512 bytes' '<=' 0.6 0.3
    goal_value 'shared, T=1: nanoseconds a hit, two readings of the clock included' mean_ns 'T=1 shared' '<=' 130 80
    goal_value 'the same without them' mean_ns 'T=1 shared bare' '<=' 80 40
    goal_ratio 'shared, T=64: rate over page cache, times taken here and not there' rps 'T=64 shared' 'page cache T=64' '>=' 6 10
    goal_ratio 'the same, both in a bare loop' rps 'T=64 shared bare' 'page cache T=64' '>=' 6 10
    goal_ratio 'the same, both taking times' rps 'T=64 shared' 'page cache T=64 by fio' '>=' 6 10
    goal_ratio 'shared, T=64: rate over a hand-over' rps 'T=64 shared' 'T=64 own cores' '>=' 3 6
    goal_ratio 'shared, depth 32: rate over a hand-over' rps 'D=32 shared' 'D=32 own cores' '>=' 1 6
    goal_value 'shared, depth 32, bare loop: sectors per second' rps 'D=32 shared bare' '>=' 20e6 -
    goal_value 'cached, depth 32: sectors per second' rps 'D=32 own cores' '>=' 8e6 10e6
fi
finish_section rps mean_ns p50_ns p99_ns p99_9_ns cpu_us
