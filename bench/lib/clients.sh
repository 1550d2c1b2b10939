# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Services and clients of ours.
# service_start NAME OPTION...
service_start() {
    local name=$1
    shift
    services+=("$name")
    "$BIN/service" start --name "$name" --image "$IMAGE" --idle-timeout 0 "$@" || die "no service: $name $*"
    service_status "$name"
    SERVICE_PID=$(json_number "$TMP/status.json" pid)
}
# make_writes_image: sets writes_image. Random bytes, so that no write allocates; the rows' first seconds would measure that.
make_writes_image() {
    writes_image=$(dirname "$IMAGE")/writes.img
    if [ ! -e "$writes_image" ] || [ "$(stat -Lc %s "$writes_image")" != $((IMAGE_MIB << 20)) ]; then
        dd if=/dev/urandom of="$writes_image" bs=1M count="$IMAGE_MIB" iflag=fullblock status=none || die "no room for $writes_image"
        sync "$writes_image"
    fi
}
service_stop() { "$BIN/service" stop --name "$1" >/dev/null || die "service $1 does not stop"; }
service_status() { "$BIN/service" status --json --name "$1" >"$TMP/status.json" || die "service $1 has gone"; }
# Requests that the service has taken so far, of all domains.
service_requests() { service_total "$1" requests; }
# service_total NAME COUNTER: over all domains so far, those that have ended included.
service_total() {
    service_status "$1"
    sed "s/.*\"total\":{[^}]*\"$2\":\([0-9]*\).*/\1/" "$TMP/status.json"
}

# process_cpu_us PID: user and system time so far.
process_cpu_us() {
    awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); printf "%.0f\n", ($12 + $13) * 1000000 / hz }' "/proc/$1/stat"
}
process_switches() { awk '/ctxt_switches/ { n += $2 } END { print n }' /proc/"$1"/task/*/status; }

# client_run ROW NAME COMMAND... : one client to its end, with the service NAME (SERVICE_PID its
# process); the words after NAME are those of the command line, a taskset in front included.
client_run() {
    local row=$1 name=$2 before after requests TIMEFORMAT='%U %S'
    shift 2
    cell_begin
    before=$(process_cpu_us "$SERVICE_PID")
    { time "$@" --name "$name" --json --no-record --no-progress >"$TMP/client.json" 2>"$TMP/client.err"; } 2>"$TMP/client.cpu" ||
        die "client failed: $*: $(cat "$TMP/client.err")"
    after=$(process_cpu_us "$SERVICE_PID")
    cell_end "$row"
    requests=$(json_number "$TMP/client.json" answered)
    client_take "$row" "$TMP/client.json"
    record "$row" cpu_us "$(awk -v s="$((${after%.*} - ${before%.*}))" -v n="$requests" '{ printf "%.3f", (($1 + $2) * 1e6 + s) / n }' "$TMP/client.cpu")"
    record "$row" client_cpu_us "$(awk -v n="$requests" '{ printf "%.3f", ($1 + $2) * 1e6 / n }' "$TMP/client.cpu")"
}

# client_take ROW JSON: the figures of a client that has ended.
client_take() {
    local metric
    record "$1" rps "$(json_number "$2" requests_per_second)"
    for metric in mean p50 p99 p99_9; do
        record "$1" "${metric}_ns" "$(json_number "$2" $metric)"
    done
    record "$1" kicks_per_request "$(calculate "$(json_number "$2" kicks) / $(json_number "$2" answered)")"
}

# client_background FILE NAME COMMAND...: begins one; its figures go to FILE; its process is CHILD.
client_background() {
    local file=$1 name=$2
    shift 2
    "$@" --name "$name" --json --no-record --no-progress >"$file" 2>"$file.err" &
    CHILD=$!
    children+=("$CHILD")
}

# wait_domains NAME COUNT: until so many are connected.
wait_domains() {
    local tries=500
    while service_status "$1" && [ "$(grep -o '"state":"Connected"' "$TMP/status.json" | wc -l)" -lt "$2" ]; do
        [ $((tries -= 1)) -gt 0 ] || die "no $2 domains at $1"
        sleep 0.01
    done
}

# Requests of each connected domain, in the order of their numbers: "DOMID REQUESTS" lines.
domain_requests() { # NAME
    service_status "$1"
    sed 's/.*"domains"://' "$TMP/status.json" | tr '{' '\n' |
        sed -n 's/.*"domid":\([0-9]*\),.*"state":"Connected".*"requests":\([0-9]*\),.*/\1 \2/p'
}

# together ROW NAME SECONDS THREADS...: one client for each number, all running all the time; rates by
# what the service counts while they do.
together() {
    local row=$1 name=$2 seconds=$3 threads pids=() pid from to rates
    shift 3
    for threads in "$@"; do
        client_background "$TMP/together.${#pids[@]}" "$name" "$BIN/client" "$threads" $MANY
        pids+=("$CHILD")
    done
    wait_domains "$name" $#
    sleep 0.1
    domain_requests "$name" >"$TMP/before" && from=$EPOCHREALTIME
    sleep "$seconds"
    domain_requests "$name" >"$TMP/after" && to=$EPOCHREALTIME
    kill "${pids[@]}" || die "$row: a client ended early: $(cat "$TMP"/together.*.err)"
    for pid in "${pids[@]}"; do wait "$pid"; done
    children=()
    mapfile -t rates < <(paste "$TMP/before" "$TMP/after" |
        awk -v s="$(calculate "$to - $from")" '$1 == $3 { print ($4 - $2) / s }')
    [ ${#rates[@]} = $# ] || die "$row: ${#rates[@]} clients instead of $#"
    record "$row" rps "$(printf '%s\n' "${rates[@]}" | awk '{ s += $1 } END { printf "%.1f", s }')"
    record "$row" jain "$(jain "${rates[@]}")"
    record "$row" deviation "$(deviation "${rates[@]}")"
}
