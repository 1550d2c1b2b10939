# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What others do with the same image.
fio_common=(--name=j --readonly --rw=randread --bs=512 "--size=${IMAGE_MIB}m" --thread --randrepeat=0
    --norandommap --time_based --group_reporting --output-format=json)

# fio_run ROW OPTION...
fio_run() {
    local row=$1 rps mean p50 p99 p999 cpu
    shift
    cell_begin
    fio "${fio_common[@]}" --runtime="$(calculate "$CELL_S * 1000")ms" "$@" >"$TMP/fio.json" 2>"$TMP/fio.err" ||
        die "fio failed: $* $(cat "$TMP/fio.err")"
    cell_end "$row"
    read -r rps mean p50 p99 p999 cpu < <(fio_figures "$TMP/fio.json")
    record "$row" rps "$rps"
    record "$row" mean_ns "$mean"
    record "$row" p50_ns "$p50"
    record "$row" p99_ns "$p99"
    record "$row" p99_9_ns "$p999"
    record "$row" cpu_us "$cpu"
}

# fio_figures FILE [read|write]: that member and the job's own, of fio's JSON, which has one member a line.
fio_figures() {
    awk -v wanted="${2:-read}" '
        { key = $1; gsub(/[",:]/, "", key); value = $NF; gsub(/[",]/, "", value) }
        key == "read" { part = "read" }
        key == "write" { part = "write" }
        key == "trim" { part = "trim" }
        key ~ /^(slat|clat|lat)_ns$/ { sub_part = key }
        part == wanted && key == "iops" { rps = value }
        part == wanted && key == "total_ios" { count = value }
        part == wanted && sub_part == "lat_ns" && key == "mean" && mean == "" { mean = value }
        part == wanted && sub_part == "clat_ns" && key == "50.000000" { p50 = value }
        part == wanted && sub_part == "clat_ns" && key == "99.000000" { p99 = value }
        part == wanted && sub_part == "clat_ns" && key == "99.900000" { p999 = value }
        key == "job_runtime" { runtime_ms = value }
        key == "usr_cpu" { usr = value }
        key == "sys_cpu" { sys = value }
        END { printf "%.1f %.1f %s %s %s %.3f\n", rps, mean, p50, p99, p999, count ? (usr + sys) / 100 * runtime_ms * 1000 / count : 0 }
    ' "$1"
}

# Threads that read the image themselves, one read at a time: no service between.
fio_psync() { # ROW THREADS
    fio_run "$1" --filename="$IMAGE" --direct=1 --ioengine=psync --numjobs="$2"
}
fio_uring() { # ROW DEPTH OPTION...
    local row=$1 depth=$2
    shift 2
    fio_run "$row" --filename="$IMAGE" --direct=1 --ioengine=io_uring --registerfiles=1 --fixedbufs=1 --iodepth="$depth" "$@"
}
# relay_run ROW OPTION...: the least that a service between two processes can do (bench/relay.c).
# Nothing where there is no io_uring for it.
relay_run() {
    local row=$1 line
    shift
    RELAY_WORKS=${RELAY_WORKS-$("$PROGRAMS/relay" "$IMAGE" --mib "$IMAGE_MIB" --seconds 0.01 >/dev/null 2>&1 && echo yes)}
    [ -n "$RELAY_WORKS" ] || return 0
    cell_begin
    line=$("$PROGRAMS/relay" "$IMAGE" --mib "$IMAGE_MIB" --seconds "$CELL_S" "$@") || die "relay $*"
    cell_end "$row"
    record "$row" rps "$(field per_second <<<"$line")"
    record "$row" cpu_us "$(field cpu_us <<<"$line")"
}
fio_nbd() { # ROW URI OPTION...
    local row=$1 uri=$2
    shift 2
    fio_run "$row" --ioengine=nbd --uri="$uri" "$@"
}
fio_has() { fio --enghelp 2>/dev/null | grep -qw "$1"; }

# server_start SOCKET COMMAND...: until the socket is there; its process is CHILD.
server_start() {
    local socket=$1 tries=500
    shift
    "$@" >"$socket.log" 2>&1 &
    CHILD=$!
    children+=("$CHILD")
    until [ -S "$socket" ]; do
        [ $((tries -= 1)) -gt 0 ] && kill -0 "$CHILD" 2>/dev/null || die "does not start: $*: $(cat "$socket.log")"
        sleep 0.01
    done
}
server_stop() {
    kill "$1" 2>/dev/null
    wait "$1" 2>/dev/null
}
