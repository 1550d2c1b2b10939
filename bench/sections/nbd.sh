# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The same image as a network block device over a Unix socket: what a user could take instead. nbdkit
# reads through the page cache (it has no O_DIRECT); qemu-nbd reads with O_DIRECT, like Dom0.
begin_section nbd 'Against NBD servers over a Unix socket'

nbd_servers=()
nbd_round() {
    local t server
    for t in 1 8 64; do
        for server in ${nbd_servers[@]+"${nbd_servers[@]}"}; do
            fio_nbd "$server T=$t" "nbd+unix:///?socket=$TMP/$server.sock" --iodepth=1 --numjobs=$t
        done
        client_run "splitdom T=$t" nbd "$BIN/client" $t $MANY --duration "$CELL_S"
    done
    for server in ${nbd_servers[@]+"${nbd_servers[@]}"}; do
        fio_nbd "$server D=32" "nbd+unix:///?socket=$TMP/$server.sock" --iodepth=32
    done
    client_run 'splitdom D=32' nbd "$BIN/client" 1 $MANY --depth 32 --duration "$CELL_S"
}

if ! fio_has nbd; then
    note 'this fio has no nbd engine: not measured'
elif ! have nbdkit && ! have qemu-nbd; then
    note 'neither nbdkit nor qemu-nbd is installed: not measured'
else
    nbd_pids=()
    if have nbdkit; then
        server_start "$TMP/nbdkit.sock" nbdkit -f -r -t 64 -U "$TMP/nbdkit.sock" file "$IMAGE"
        nbd_servers+=(nbdkit) nbd_pids+=("$CHILD")
    fi
    if have qemu-nbd; then
        server_start "$TMP/qemu-nbd.sock" qemu-nbd -r -t -e 128 -f raw --aio=io_uring --cache=none -k "$TMP/qemu-nbd.sock" "$IMAGE"
        nbd_servers+=(qemu-nbd) nbd_pids+=("$CHILD")
    else
        note 'qemu-nbd is not installed: no row for it'
    fi
    service_start nbd
    nbd_rounds=3
    [ -z "$QUICK" ] || nbd_rounds=1
    rounds $nbd_rounds nbd_round
    service_stop nbd
    for pid in "${nbd_pids[@]}"; do server_stop "$pid"; done
    if have qemu-nbd; then
        for row in T=1 T=8 T=64 D=32; do
            goal_ratio "$row: rate over qemu-nbd" rps "splitdom $row" "qemu-nbd $row" '>=' 1 1.3
        done
    fi
fi
note 'the cpu_us of NBD rows is that of fio alone, without the server'
finish_section rps mean_ns p50_ns p99_ns cpu_us
