# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Writes, and large requests, through the service and by fio on an image of their own; both with O_DIRECT, neither
# flushes. What is written is lost: the image is the section's.
begin_section writes 'Writes, and requests of 1 MiB, against fio without a service'

make_writes_image
writes_fio() { # ROW RW BS OPTION...
    local row=$1 rw=$2 bs=$3 rps mean p50 p99 p999 cpu options
    shift 3
    options=(--name=j "--rw=$rw" "--bs=$bs" "--size=${IMAGE_MIB}m" --thread --randrepeat=0 --norandommap
        --time_based --group_reporting --output-format=json "--filename=$writes_image" --direct=1)
    fio "${options[@]}" --runtime="$(calculate "$CELL_S * 1000")ms" "$@" >"$TMP/fio.json" 2>"$TMP/fio.err" ||
        die "fio failed: $row $(cat "$TMP/fio.err")"
    read -r rps mean p50 p99 p999 cpu < <(fio_figures "$TMP/fio.json" "${rw#rand}")
    record "$row" rps "$rps"
    record "$row" mean_ns "$mean"
    record "$row" p50_ns "$p50"
    record "$row" p99_ns "$p99"
    record "$row" cpu_us "$cpu"
}
writes_psync() { writes_fio "fio $1" randwrite 4k --ioengine=psync --numjobs="$2"; }
writes_uring() { # ROW RW BS DEPTH
    writes_fio "fio $1" "$2" "$3" --ioengine=io_uring --registerfiles=1 --fixedbufs=1 --iodepth="$4"
}
writes_client() { # ROW THREADS OPTION...
    local row=$1 threads=$2
    shift 2
    client_run "splitdom $row" writes "$BIN/client" "$threads" $MANY --disk xvda --duration "$CELL_S" "$@"
}
writes_round() {
    local t
    for t in 1 8 64; do
        writes_psync "writes T=$t" $t
        writes_client "writes T=$t" $t --write 100 --sectors-per-request 8
    done
    writes_uring 'writes D=32' randwrite 4k 32
    writes_client 'writes D=32' 1 --depth 32 --write 100 --sectors-per-request 8
    writes_uring '1 MiB writes D=8' write 1m 8
    writes_client '1 MiB writes D=8' 1 --depth 8 --write 100 --sectors-per-request 2048 --pattern sequential
    writes_uring '1 MiB reads D=8' read 1m 8
    writes_client '1 MiB reads D=8' 1 --depth 8 --sectors-per-request 2048 --pattern sequential
    writes_client '44 KiB reads D=8' 1 --depth 8 --sectors-per-request 88 --pattern sequential
}

if direct=$("$PROGRAMS/direct_write" "$writes_image"); then
    note "one request at a time without a service, io_uring over pwrite and pread: $direct"
fi
services+=(writes)
"$BIN/service" start --name writes --disk "$writes_image,raw,xvda,w!" --idle-timeout 0 || die 'no service: writes'
service_status writes
SERVICE_PID=$(json_number "$TMP/status.json" pid)
rounds "$ROUNDS" writes_round
service_stop writes
for row in T=1 T=8 T=64; do
    goal_ratio "4 KiB writes, $row: rate over psync" rps "splitdom writes $row" "fio writes $row" '>=' 0.90 1
done
goal_ratio '4 KiB writes, depth 32: rate over io_uring' rps 'splitdom writes D=32' 'fio writes D=32' '>=' 0.95 1
for row in writes reads; do
    goal_ratio "1 MiB $row, depth 8: rate over io_uring" rps "splitdom 1 MiB $row D=8" "fio 1 MiB $row D=8" '>=' 0.95 1
done
ratios cpu_us 'splitdom 1 MiB reads D=8' 'splitdom 44 KiB reads D=8' | awk '{ print $1 * 88 / 2048 }' |
    judge 'CPU per byte: requests of 1 MiB over 44 KiB' '<=' 0.5 -
finish_section rps mean_ns p50_ns p99_ns cpu_us
