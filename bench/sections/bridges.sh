# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The disk for software that knows nothing of it, against what a user could take instead on the same image:
#   an NBD export (`domu nbd`) against qemu-nbd (O_DIRECT) and nbdkit's file plugin (page cache), cold; against
#   nbdkit's memory plugin where Dom0 has the data cached; and what nbdkit itself costs: beside qemu-nbd a plugin that
#   does no more than read the file with O_DIRECT (bench/nbdkit/direct.c), also without structured replies, and nbdkit's null plugin;
#   fio's engine against fio's io_uring, O_DIRECT, registered file and buffers;
#   `domu vhost-user-blk` against qemu-storage-daemon, both driven by bench/vub.c.
# Blocks of 4 KiB but for vub, which reads sectors.
begin_section bridges 'The disk for other software'

bridge_depths=(1 8 32)
bridge_threads=(1 8 64)
cold_area=(--bs=4k)
hot_area=(--bs=4k --size=2m) # Dom0's cache has room for two and a half
nbd_uri() { printf 'nbd+unix:///?socket=%s' "$TMP/$1.sock"; }
engine=$BIN/fio-splitdom.so

# What nbdkit file has left in the page cache is no help to its next row.
drop_pages() { dd of="$IMAGE" oflag=nocache conv=notrunc,fdatasync count=0 status=none; }

nbd_cold() { # SERVER DEPTH
    drop_pages
    fio_nbd "nbd $1 D=$2" "$(nbd_uri "$1")" "${cold_area[@]}" --iodepth="$2"
}
nbd_hits() { # SERVER DEPTH
    fio_nbd "nbd hits $1 D=$2" "$(nbd_uri "$1")" "${hot_area[@]}" --iodepth="$2"
}
fio_engine() { # DEPTH
    fio_run "fio splitdom D=$1" --ioengine=external:"$engine" --service=cold "${cold_area[@]}" --iodepth="$1"
}
vub_threads() { # SERVER THREADS
    local line metric
    line=$("$PROGRAMS/vub" "$TMP/vub-$1.sock" --seconds "$CELL_S" --depth 32 --threads "$2") || die "vub $*"
    record "vub $1 T=$2" rps "$(field per_second <<<"$line")"
    for metric in mean p50 p99; do record "vub $1 T=$2" "${metric}_ns" "$(field ${metric}_ns <<<"$line")"; done
}
# No goal of ours, but what bounds one: NBD servers of nbdkit without anything of ours.
nbdkit_share() { # SERVER DEPTH
    local median smallest largest
    read -r median smallest largest < <(ratios rps "nbd $1 D=$2" "nbd qemu D=$2" | spread)
    [ -z "$median" ] || note "nbdkit alone, depth $2: plugin $1 has $median ($smallest..$largest) of the rate of qemu-nbd"
}

bridges_round() {
    local d t server
    for d in "${bridge_depths[@]}"; do
        for server in $nbd_cold; do nbd_cold "$server" "$d"; done
        for server in $nbd_hot; do nbd_hits "$server" "$d"; done
        [ ! -e "$engine" ] || fio_engine "$d"
        fio_uring "fio io_uring D=$d" "$d" "${cold_area[@]}"
    done
    for t in "${bridge_threads[@]}"; do
        for server in $vub_servers; do vub_threads "$server" "$t"; done
    done
}

nbd_cold='' nbd_hot='' vub_servers=splitdom bridge_pids=()
bridge_start() { # SOCKET COMMAND...
    server_start "$@"
    bridge_pids+=("$CHILD")
}
service_start cold
service_start hot
if ! fio_has nbd || ! have nbdkit || [ ! -e "$BIN/nbdkit-splitdom-plugin.so" ]; then
    note 'no nbdkit, no plugin for it or no nbd engine in fio: NBD is not measured'
else
    nbd_cold='splitdom file' nbd_hot='splitdom-hot memory'
    bridge_start "$TMP/splitdom.sock" "$BIN/domu" nbd "$TMP/splitdom.sock" --name cold --readonly
    bridge_start "$TMP/splitdom-hot.sock" "$BIN/domu" nbd "$TMP/splitdom-hot.sock" --name hot --readonly
    bridge_start "$TMP/file.sock" nbdkit -f -r -t 64 -U "$TMP/file.sock" file "$IMAGE" fadvise=random cache=none
    if [ -e "$PROGRAMS/nbdkit-direct-plugin.so" ]; then
        nbd_cold="$nbd_cold direct direct-no-sr null"
        direct=("$PROGRAMS/nbdkit-direct-plugin.so" "$IMAGE")
        bridge_start "$TMP/direct.sock" nbdkit -f -r -t 64 -U "$TMP/direct.sock" "${direct[@]}"
        bridge_start "$TMP/direct-no-sr.sock" nbdkit -f -r -t 64 --no-sr -U "$TMP/direct-no-sr.sock" "${direct[@]}"
        bridge_start "$TMP/null.sock" nbdkit -f -r -t 64 -U "$TMP/null.sock" null "${IMAGE_MIB}M"
    fi
    bridge_start "$TMP/memory.sock" nbdkit -f -r -t 64 -U "$TMP/memory.sock" memory 2M
    fio --name=warm --ioengine=nbd --uri="$(nbd_uri splitdom-hot)" --rw=read --bs=4k --size=2m --iodepth=8 >/dev/null 2>&1 || die "no warm cache"
    if have qemu-nbd; then
        bridge_start "$TMP/qemu.sock" qemu-nbd -r -t -e 128 -f raw --aio=io_uring --cache=none -k "$TMP/qemu.sock" "$IMAGE"
        nbd_cold="$nbd_cold qemu"
    else
        note 'qemu-nbd is not installed: no row for it'
    fi
fi
[ -e "$engine" ] || note 'no engine for fio (make fio-engine): not measured'
bridge_start "$TMP/vub-splitdom.sock" "$BIN/domu" vhost-user-blk "$TMP/vub-splitdom.sock" --name cold
if have qemu-storage-daemon; then
    bridge_start "$TMP/vub-qemu.sock" qemu-storage-daemon \
        --blockdev "driver=file,node-name=f,filename=$IMAGE,cache.direct=on,aio=io_uring,read-only=on" \
        --object iothread,id=t0 \
        --export "vhost-user-blk,id=e,node-name=f,addr.type=unix,addr.path=$TMP/vub-qemu.sock,num-queues=64,iothread=t0"
    vub_servers='splitdom qemu'
else
    note 'qemu-storage-daemon is not installed: no row for it'
fi
bridge_rounds=3
[ -z "$QUICK" ] || bridge_rounds=1
rounds "${BRIDGE_ROUNDS:-$bridge_rounds}" bridges_round
for pid in "${bridge_pids[@]}"; do server_stop "$pid"; done
service_stop cold
service_stop hot
for d in "${bridge_depths[@]}"; do
    case $nbd_cold in *qemu*) goal_ratio "NBD, cold, depth $d: rate over qemu-nbd" rps "nbd splitdom D=$d" "nbd qemu D=$d" '>=' 1 - ;; esac
    case $nbd_cold in *null*qemu*)
        for server in direct direct-no-sr null; do nbdkit_share "$server" "$d"; done
        ;;
    esac
    [ -z "$nbd_hot" ] || goal_ratio "NBD, cached, depth $d: rate over nbdkit memory" rps "nbd hits splitdom-hot D=$d" "nbd hits memory D=$d" '>=' 0.9 1
done
[ ! -e "$engine" ] || goal_ratio "fio engine, cold, depth 32: rate over io_uring" rps 'fio splitdom D=32' 'fio io_uring D=32' '>=' 0.95 1
for t in "${bridge_threads[@]}"; do
    case $vub_servers in *qemu*) goal_ratio "vhost-user-blk, cold, $t queue(s): rate over qemu-storage-daemon" rps "vub splitdom T=$t" "vub qemu T=$t" '>=' 1 - ;; esac
done
note 'nbdkit file reads through the page cache, which is emptied before each row; within a row few blocks are read twice'
note 'the cpu_us of NBD and engine rows is that of fio alone; vub rows are 32 reads of one sector in flight on each queue'
finish_section rps mean_ns p50_ns p99_ns cpu_us
