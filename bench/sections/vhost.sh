# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The nearest relative: qemu-storage-daemon's vhost-user-blk, which shares memory and rings with its
# front end (bench/vub.c) as we do. On the image with O_DIRECT, and on nothing ("null": a device that
# answers at once with zeros) against our hits. Rivals are not pinned; "own cores" as in section cached.
begin_section vhost 'Against vhost-user-blk of qemu-storage-daemon'

vub() { # ROW SOCKET OPTION...
    local row=$1 socket=$2 line metric before after reads
    shift 2
    before=$(process_cpu_us "${vhost_pid[$socket]}")
    line=$("$PROGRAMS/vub" "$TMP/$socket.sock" --seconds "$CELL_S" "$@") || die "vub $socket $*"
    after=$(process_cpu_us "${vhost_pid[$socket]}")
    reads=$(field reads <<<"$line")
    record "$row" rps "$(field per_second <<<"$line")"
    for metric in mean p50 p99; do record "$row" "${metric}_ns" "$(field ${metric}_ns <<<"$line")"; done
    record "$row" cpu_us "$(awk -v c="$(field cpu_us <<<"$line")" -v s="$((${after%.*} - ${before%.*}))" -v n="$reads" 'BEGIN { printf "%.3f", c + s / n }')"
}

vhost_serve() { # SOCKET QUEUES BLOCKDEV: one iothread, as many queues as the front end has threads
    server_start "$TMP/$1.sock" qemu-storage-daemon --blockdev "$3" --object iothread,id=t0 \
        --export "vhost-user-blk,id=e,node-name=f,addr.type=unix,addr.path=$TMP/$1.sock,num-queues=$2,iothread=t0"
    vhost_pid[$1]=$CHILD
}

vhost_hits() { # ROW SERVICE COMMAND...
    local row=$1 name=$2
    shift 2
    SERVICE_PID=${vhost_pid[$name]} client_run "$row" "$name" "$@" --pattern $HOT --duration "$CELL_S"
}

vhost_round() {
    local t
    for t in 1 8 64; do
        vub "vhost-user-blk T=$t" "disk$t" --threads $t
        SERVICE_PID=${vhost_pid[cold]} client_run "splitdom T=$t" cold "$BIN/client" $t $MANY --duration "$CELL_S"
    done
    vub 'vhost-user-blk D=32' disk1 --depth 32
    SERVICE_PID=${vhost_pid[cold]} client_run 'splitdom D=32' cold "$BIN/client" 1 $MANY --depth 32 --duration "$CELL_S"
    vub 'null T=1' null1
    vub 'null T=1 spinning' null1 --spin
    vhost_hits 'hits T=1 defaults' hits "$BIN/client" 1 $MANY
    vhost_hits 'hits T=1 own cores' own taskset -c 0 "$BIN/client" 1 $MANY
    vub 'null T=64' null64 --threads 64
    vhost_hits 'hits T=64 defaults' hits "$BIN/client" 64 $MANY
    vhost_hits 'hits T=64 own cores' own taskset -c 0 "$BIN/client" 64 $MANY
    vub 'null D=32' null1 --depth 32
    vub 'null D=32 spinning' null1 --depth 32 --spin
    vhost_hits 'hits D=32 defaults' hits "$BIN/client" 1 $MANY --depth 32
    vhost_hits 'hits D=32 own cores' own taskset -c 0 "$BIN/client" 1 $MANY --depth 32
}

if ! have qemu-storage-daemon; then
    note 'qemu-storage-daemon is not installed: not measured'
elif [ "$(nproc)" -lt 2 ]; then
    note 'only one CPU: not measured'
else
    declare -A vhost_pid
    image_node="driver=file,node-name=f,filename=$IMAGE,cache.direct=on,aio=io_uring,read-only=on"
    null_node="driver=null-co,node-name=f,size=$((IMAGE_MIB << 20)),read-zeroes=on,read-only=on"
    for queues in 1 8 64; do vhost_serve "disk$queues" $queues "$image_node"; done
    for queues in 1 64; do vhost_serve "null$queues" $queues "$null_node"; done
    service_start cold
    vhost_pid[cold]=$SERVICE_PID
    service_start hits
    vhost_pid[hits]=$SERVICE_PID
    service_start own --cpu 1
    vhost_pid[own]=$SERVICE_PID
    for name in hits own; do
        "$BIN/client" 1 80000 --depth 32 --name $name --no-record --pattern $HOT >/dev/null || die "no warm cache"
    done
    vhost_rounds=$ROUNDS
    [ -z "$QUICK" ] || vhost_rounds=1
    rounds "$vhost_rounds" vhost_round
    for name in cold hits own; do service_stop $name; done
    for name in disk1 disk8 disk64 null1 null64; do server_stop "${vhost_pid[$name]}"; done
    for row in T=1 T=8 T=64 D=32; do
        goal_ratio "cold, $row: rate over vhost-user-blk" rps "splitdom $row" "vhost-user-blk $row" '>=' 1 1.3
    done
    goal_ratio 'cached, T=64: rate over vhost-user-blk on nothing' rps 'hits T=64 own cores' 'null T=64' '>=' 15 25
    goal_ratio 'cached, D=32: rate over vhost-user-blk on nothing, spinning' rps 'hits D=32 own cores' 'null D=32 spinning' '>=' 3 4
fi
finish_section rps mean_ns p50_ns p99_ns cpu_us
