# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Frames from one domain to another over a bridge of Dom0, by domu traffic, against a kernel bridge with two tap devices,
# whose users are two processes, too (bench/tap_pair.c), and two such
# processes at a vde_switch. All frames are sent as fast as they go: what counts is what
# came. Nobody is pinned. The CPU time is that of all processes that carry a frame, for each frame that came: sender,
# receiver, and Dom0, or the kernel on behalf of the two. A second service offers persistent grants.
begin_section net 'Frames between two domains over a bridge'

# net_splitdom ROW SIZE [OPTION...]: at the service NET_NAME, whose process is NET_PID
net_splitdom() {
    local row=$1 size=$2 before after frames mac tries=500 TIMEFORMAT='%U %S'
    shift 2
    before=$(process_cpu_us "$NET_PID")
    { time "$BIN/domu" traffic --name "$NET_NAME" --domain-name sink --streams 1 --linger 0 --json >"$TMP/sink.json"; } 2>"$TMP/sink.cpu" &
    local sink=$!
    while mac=$("$BIN/service" network-list --name "$NET_NAME" "$("$BIN/service" domid sink --name "$NET_NAME" 2>/dev/null)" 2>/dev/null | awk 'NR == 2 && $5 == 4 { print $3 }') && [ -z "$mac" ]; do
        [ $((tries -= 1)) -gt 0 ] || die "$row: no receiver"
        sleep 0.01
    done
    { time "$BIN/domu" traffic --name "$NET_NAME" --to "$mac" --size "$size" --seconds "$CELL_S" --linger 0 --json "$@" >"$TMP/source.json"; } 2>"$TMP/source.cpu" ||
        die "$row: the sender failed"
    sleep 0.2
    kill $sink 2>/dev/null
    wait $sink || die "$row: the receiver failed"
    after=$(process_cpu_us "$NET_PID")
    frames=$(json_number "$TMP/sink.json" received_frames)
    record "$row" per_second "$(calculate "$frames / $(json_number "$TMP/source.json" seconds)")"
    record "$row" gbit_per_second "$(calculate "$frames * $size * 8e-9 / $(json_number "$TMP/source.json" seconds)")"
    record "$row" lost "$(calculate "1 - $frames / $(json_number "$TMP/source.json" sent_frames)")"
    record "$row" cpu_us "$(cat "$TMP/sink.cpu" "$TMP/source.cpu" | awk -v s="$((${after%.*} - ${before%.*}))" -v n="$frames" '{ t += $1 + $2 } END { printf "%.4f", (t * 1e6 + s) / n }')"
}

# net_kernel ROW SIZE: in a namespace of its own.
net_kernel() {
    local row=$1 size=$2 line
    # shellcheck disable=SC2016
    line=$(unshare -n bash -c 'ip link add br0 type bridge && ip link set br0 up && for t in x y; do
        ip tuntap add dev $t mode tap vnet_hdr && ip link set $t master br0 && ip link set $t up || exit 1; done && "$@"' \
        net "$PROGRAMS/tap_pair" x y "$size" "$CELL_S") || die "$row: tap_pair failed"
    record "$row" per_second "$(field per_second <<<"$line")"
    record "$row" gbit_per_second "$(calculate "$(field per_second <<<"$line") * $size * 8e-9")"
    record "$row" lost "$(calculate "1 - $(field received <<<"$line") / $(field sent <<<"$line")")"
    record "$row" cpu_us "$(field cpu_us <<<"$line")"
}

# net_vde ROW SIZE: two processes at a vde_switch, the CPU time of which counts, too.
net_vde() {
    local row=$1 size=$2 line before after
    before=$(process_cpu_us "$VDE_PID")
    line=$("$PROGRAMS/tap_pair" "$TMP/vde" "$TMP/vde" "$size" "$CELL_S") || die "$row: tap_pair failed"
    after=$(process_cpu_us "$VDE_PID")
    record "$row" per_second "$(field per_second <<<"$line")"
    record "$row" gbit_per_second "$(calculate "$(field per_second <<<"$line") * $size * 8e-9")"
    record "$row" lost "$(calculate "1 - $(field received <<<"$line") / $(field sent <<<"$line")")"
    record "$row" cpu_us "$(calculate "$(field cpu_us <<<"$line") + ($after - $before) / $(field received <<<"$line")")"
}

net_round() {
    local size
    for size in 64 512 1500; do
        NET_NAME=net NET_PID=$net_pid net_splitdom "splitdom $size" $size
        NET_NAME=kept NET_PID=$kept_pid net_splitdom "splitdom $size persistent" $size
        [ -z "$net_rival" ] || net_kernel "kernel bridge $size" $size
        [ -z "$VDE_PID" ] || net_vde "vde_switch $size" $size
    done
    NET_NAME=net NET_PID=$net_pid net_splitdom 'splitdom 65000 GSO' 65000 --gso 1448
    NET_NAME=kept NET_PID=$kept_pid net_splitdom 'splitdom 65000 GSO persistent' 65000 --gso 1448
}

net_rival=1
{ [ -w /dev/net/tun ] && have ip && unshare -n ip link add br0 type bridge 2>/dev/null; } || net_rival=
[ -n "$net_rival" ] || note 'network namespaces, tap devices or bridges are not permitted here: no kernel bridge'
VDE_PID=
if have vde_switch; then
    vde_switch -s "$TMP/vde" -d -p "$TMP/vde.pid" </dev/null >/dev/null 2>&1 || die 'no vde_switch'
    for ((i = 0; i < 500; i++)); do
        [ -s "$TMP/vde.pid" ] && [ -S "$TMP/vde/ctl" ] && break
        sleep 0.01
    done
    VDE_PID=$(cat "$TMP/vde.pid")
    children+=("$VDE_PID")
else
    note 'vde_switch is not installed (Debian: vde2)'
fi
service_start kept --vif bridge=xenbr0,persistent=1
kept_pid=$SERVICE_PID
service_start net --vif bridge=xenbr0
net_pid=$SERVICE_PID
rounds "$ROUNDS" net_round
service_stop net
service_stop kept
[ -z "$VDE_PID" ] || kill "$VDE_PID"
children=()
goal_value '64 bytes: frames a second' per_second 'splitdom 64' '>=' 1240000 -
goal_value '1500 bytes: frames a second' per_second 'splitdom 1500' '>=' 1240000 -
goal_value 'GSO: Gbit/s' gbit_per_second 'splitdom 65000 GSO' '>=' 14.5 -
if [ -n "$net_rival" ]; then
    for size in 64 512 1500; do
        goal_ratio "$size: rate over a kernel bridge" per_second "splitdom $size" "kernel bridge $size" '>=' 1 -
    done
fi
if [ -n "$VDE_PID" ]; then
    for size in 64 512 1500; do
        goal_ratio "$size: rate over vde_switch" per_second "splitdom $size" "vde_switch $size" '>=' 5 -
    done
fi
finish_section per_second gbit_per_second lost cpu_us
