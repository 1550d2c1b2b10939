# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What a link is late by: round trips over a path of 634 us, 317 us each way, in the time of a dilated domain, by domu
# traffic and an echo. Both ends and Dom0 are processes of this machine, so all that the machine is late by is in these
# figures, divided by the dilation factor; rows with `the link alone` are by when Dom0 handed its frames out, each way. Then what one pays for a neighbour: round trips beside a flood of frames, a
# disk's client beside it, and the flood beside the client; each has a row beside a process that uses CPU and leaves
# Dom0 alone. A flood keeps three processes busy, its two domains and Dom0: what is left of two CPUs for a disk's client is
# bounded by how it does beside two processes that use CPU alone, with a Dom0 that has nothing else to do. What the client
# takes from the flood is its own CPU time and that of Dom0 for its requests: the flood's bound is how it does beside two
# processes that use as much and ask Dom0 for nothing. Dom0's time for requests is what it used beyond that of so many
# frames of a flood alone. That bound is generous: the disk's time is taken from Dom0's one thread, those processes' is not.
# What more threads would give is bounded by the client at one Dom0 and the flood at another one, which share nothing but
# the machine. Last, a flood that its interface's rate limits, as a network does: its sender waits on its own ring.
begin_section net-links 'Links: what they are late by, and a flood as a neighbour'

PINGS=${PINGS:-${QUICK:+300}}
PINGS=${PINGS:-3000} # of each row in a round
PATH_NS=634000
PING_RATE=300 # a second of real time
LINKS_NAME=links # the service

links_mac() { # DOMAIN: its interface's address, once it is connected
    local tries=500 mac
    while mac=$("$BIN/service" network-list --name "$LINKS_NAME" "$("$BIN/service" domid "$1" --name "$LINKS_NAME" 2>/dev/null)" 2>/dev/null | awk 'NR == 2 && $5 == 4 { print $3 }') && [ -z "$mac" ]; do
        [ $((tries -= 1)) -gt 0 ] || die "no domain $1"
        sleep 0.01
    done
    echo "$mac"
}

links_domain() { # DOMAIN OPTION...: domu traffic in the background; its process is CHILD
    local name=$1
    shift
    "$BIN/domu" traffic --name "$LINKS_NAME" --domain-name "$name" --json "$@" >"$TMP/$name.json" 2>"$TMP/$name.err" &
    CHILD=$!
    children+=("$CHILD")
}

links_end() { # PROCESS...
    kill "$@" 2>/dev/null
    wait "$@" 2>/dev/null
    children=()
}

# links_ping ROW TDF COUNT PATH_NS: round trips to the domain echo, less the path; microseconds of the domain's time.
links_ping() {
    local row=$1 tdf=$2 count=$3 path=$4 mac value metric
    mac=$(links_mac echo) || exit 1
    "$BIN/domu" traffic --name "$LINKS_NAME" --to "$mac" --tdf "$tdf" --count "$count" --rate $((PING_RATE * tdf)) --json >"$TMP/ping.json" 2>"$TMP/ping.err" ||
        die "$row: $(cat "$TMP/ping.err")"
    [ "$(json_number "$TMP/ping.json" received_frames)" = "$count" ] || die "$row: $(cat "$TMP/ping.json")"
    for metric in mean p50 p99; do
        value=$(sed 's/.*"round_trip_ns"//' "$TMP/ping.json" >"$TMP/times.json" && json_number "$TMP/times.json" $metric)
        record "$row" ${metric}_us "$(calculate "($value - $path) / 1000")"
    done
}

# links_late TDF WAY: by what the one link that there is handed its frames out too late.
links_late() {
    local metric
    "$BIN/service" status --json --name "$LINKS_NAME" >"$TMP/late.json" || die 'no status'
    sed "s/.*\"$2\":{\"words\"//" "$TMP/late.json" >"$TMP/times.json"
    [ "$(json_number "$TMP/times.json" out_frames)" -ge "$PINGS" ] || die "no frames on the link: $(cat "$TMP/late.json")"
    for metric in mean p50 p99; do
        record "TDF $1: the link alone $2" ${metric}_us "$(calculate "$(json_number "$TMP/times.json" late_${metric}_ns) / 1000")"
    done
}

delay_round() {
    local tdf echo
    for tdf in 1 10 100; do
        links_domain echo --echo --tdf $tdf
        echo=$CHILD
        links_mac echo >/dev/null || exit 1
        links_ping "TDF $tdf without a link" $tdf $((PINGS / 10)) 0
        "$BIN/service" net-link --name "$LINKS_NAME" "vif$("$BIN/service" domid echo --name "$LINKS_NAME").0" delay=317us || die 'no link'
        links_ping "TDF $tdf: 634 us" $tdf "$PINGS" $PATH_NS
        links_late $tdf up
        links_late $tdf down
        links_end "$echo"
    done
}

# links_flood ROW SECONDS: frames of 1500 bytes from one domain to another, in the background.
links_flood() {
    WINDOW_S='' WINDOW_FRAMES=''
    DOM0_BEFORE_US=$(process_cpu_us "$SERVICE_PID")
    links_domain sink
    SINK=$CHILD
    links_domain source --to "$(links_mac sink)" --size 1500 --seconds "$1" --linger 0
    SOURCE=$CHILD
    links_mac source >/dev/null || exit 1
}

links_frames() { # that all domains got so far
    "$BIN/service" status --json --name "$LINKS_NAME" | grep -o '"rx_frames":[0-9]*' | awk -F: '{ n += $2 } END { printf "%.0f", n }'
}

# links_beside COMMAND...: while the flood goes on; WINDOW_FRAMES of the flood came in the WINDOW_S that it took.
links_beside() {
    local before from status TIMEFORMAT='%U %S'
    before=$(links_frames)
    from=$EPOCHREALTIME
    { time "$@" 2>&3; } 3>&2 2>"$TMP/window.cpu"
    status=$?
    WINDOW_S=$(calculate "$EPOCHREALTIME - $from")
    WINDOW_FRAMES=$(($(links_frames) - before))
    return $status
}

# links_flood_end ROW: what of it came, all the time or in the window; FRAMES, what Dom0 used meanwhile (DOM0_US), and for how long.
links_flood_end() {
    local dom0_us
    wait "$SOURCE" || die "$1: the sender failed: $(cat "$TMP/source.err")"
    kill "$SINK"
    wait "$SINK" || die "$1: the receiver failed: $(cat "$TMP/sink.err")"
    children=()
    dom0_us=$(process_cpu_us "$SERVICE_PID")
    DOM0_US=$((${dom0_us%.*} - ${DOM0_BEFORE_US%.*}))
    FRAMES=$(json_number "$TMP/sink.json" received_frames)
    FLOOD_S=$(json_number "$TMP/source.json" seconds)
    record "$1" per_second "$(calculate "${WINDOW_FRAMES:-$FRAMES} / ${WINDOW_S:-$FLOOD_S}")"
    record "$1" dom0_percent "$(calculate "$DOM0_US / $FLOOD_S / 10000")"
}

links_burn() { # SECONDS PERCENT...: a process for each, that uses so much of a CPU and nothing else
    local seconds=$1
    shift
    BURNS=()
    for percent; do
        "$PROGRAMS/burn" "$percent" "$seconds" &
        BURNS+=("$!")
    done
    children+=("${BURNS[@]}")
}

# What the client that just ran beside the flood that just ended used of the CPUs, in percent of one: itself
# (CLIENT_PERCENT), and Dom0 for it (DISK_PERCENT). A frame costs Dom0 FLOOD_DOM0_US.
disk_percents() {
    CLIENT_PERCENT=$(awk -v s="$WINDOW_S" '{ p = ($1 + $2) * 100 / s; print (p > 100 ? 100 : p < 1 ? 1 : p) }' "$TMP/window.cpu")
    DISK_PERCENT=$(awk -v us="$DOM0_US" -v f="$FRAMES" -v each="$FLOOD_DOM0_US" -v s="$WINDOW_S" \
        'BEGIN { p = (us - f * each) / s / 10000; print (p > 100 ? 100 : p < 1 ? 1 : p) }')
    record 'flood beside a disk' client_percent "$CLIENT_PERCENT"
    record 'flood beside a disk' disk_percent "$DISK_PERCENT"
}

neighbour_round() {
    local echo count seconds
    count=$((PINGS / 10))
    seconds=$(calculate "$count / $PING_RATE + 1")
    links_domain echo --echo
    echo=$CHILD
    links_ping 'round trips alone' 1 $count 0
    links_burn "$seconds" 100
    links_ping 'round trips beside a busy CPU' 1 $count 0
    links_end "${BURNS[@]}"
    children=("$echo")
    links_flood "$seconds"
    links_ping 'round trips beside a flood' 1 $count 0
    kill "$SOURCE"
    links_flood_end 'flood beside round trips'
    links_end "$echo"

    seconds=$(calculate "$CELL_S + 3") # ended before
    client_run 'disk alone' links "$BIN/client" 8 $MANY --duration "$CELL_S"
    links_burn "$seconds" 100
    client_run 'disk beside a busy CPU' links "$BIN/client" 8 $MANY --duration "$CELL_S"
    links_end "${BURNS[@]}"
    links_burn "$seconds" 100 100
    client_run 'disk beside two busy processes' links "$BIN/client" 8 $MANY --duration "$CELL_S"
    links_end "${BURNS[@]}"
    links_flood "$CELL_S"
    links_flood_end 'flood alone'
    FLOOD_DOM0_US=$(calculate "$DOM0_US / $FRAMES")
    links_flood "$seconds"
    client_run 'disk beside a flood' links links_beside "$BIN/client" 8 $MANY --duration "$CELL_S"
    kill "$SOURCE"
    links_flood_end 'flood beside a disk'
    disk_percents
    LINKS_NAME=other SERVICE_PID=$other_pid
    links_flood "$seconds"
    client_run 'disk beside a flood of another Dom0' links links_beside "$BIN/client" 8 $MANY --duration "$CELL_S"
    kill "$SOURCE"
    links_flood_end 'flood of another Dom0 beside a disk'
    LINKS_NAME=links SERVICE_PID=$links_pid
    links_burn "$seconds" "$CLIENT_PERCENT" "$DISK_PERCENT"
    links_flood "$CELL_S"
    links_flood_end 'flood beside as much CPU as the disk takes'
    links_end "${BURNS[@]}"
    links_burn "$seconds" 100
    links_flood "$CELL_S"
    links_flood_end 'flood beside a busy CPU'
    links_end "${BURNS[@]}"
}

limited_round() {
    local LINKS_NAME=limited SERVICE_PID=$limited_pid seconds
    seconds=$(calculate "$CELL_S + 3")
    client_run 'disk beside nothing' limited "$BIN/client" 8 $MANY --duration "$CELL_S"
    links_flood "$CELL_S"
    links_flood_end '1 Gbit/s alone'
    links_flood "$seconds"
    client_run 'disk beside 1 Gbit/s' limited links_beside "$BIN/client" 8 $MANY --duration "$CELL_S"
    kill "$SOURCE"
    links_flood_end '1 Gbit/s beside a disk'
}

service_start limited --vif bridge=xenbr0,rate=1Gb/s@1ms
limited_pid=$SERVICE_PID
service_start other --vif bridge=xenbr0
other_pid=$SERVICE_PID
service_start links --vif bridge=xenbr0
links_pid=$SERVICE_PID
rounds "$ROUNDS" delay_round
rounds "$ROUNDS" neighbour_round
rounds "$ROUNDS" limited_round
for name in links other limited; do service_stop $name; done
goal_value 'TDF 1: half of the round trips are late by, us' p50_us 'TDF 1: 634 us' '<=' 40 -
goal_value 'TDF 1: 99 of 100 are late by, us' p99_us 'TDF 1: 634 us' '<=' 400 -
goal_value 'TDF 10: half of the round trips are late by, us' p50_us 'TDF 10: 634 us' '<=' 4 -
goal_value 'TDF 10: 99 of 100 are late by, us' p99_us 'TDF 10: 634 us' '<=' 40 -
for way in up down; do
    goal_value "TDF 1: the link alone $way: half are late by, us" p50_us "TDF 1: the link alone $way" '<=' 20 -
    goal_value "TDF 1: the link alone $way: 99 of 100 are late by, us" p99_us "TDF 1: the link alone $way" '<=' 200 -
    goal_value "TDF 10: the link alone $way: half are late by, us" p50_us "TDF 10: the link alone $way" '<=' 2 -
    goal_value "TDF 10: the link alone $way: 99 of 100 are late by, us" p99_us "TDF 10: the link alone $way" '<=' 20 -
    goal_value "TDF 100: the link alone $way: half are late by, us" p50_us "TDF 100: the link alone $way" '<=' 0.2 -
    goal_value "TDF 100: the link alone $way: 99 of 100 are late by, us" p99_us "TDF 100: the link alone $way" '<=' 2 -
done
goal_value 'TDF 10: mean error, us (TimeKeeper: 8.2)' mean_us 'TDF 10: 634 us' '<=' 8.2 -
goal_value 'TDF 100: mean error, us (TimeKeeper: 0.54)' mean_us 'TDF 100: 634 us' '<=' 0.54 -
goal_ratio 'round trips beside a flood: p99 over alone' p99_us 'round trips beside a flood' 'round trips alone' '<=' 4 -
goal_ratio 'round trips beside a flood: p99 over beside a busy CPU' p99_us 'round trips beside a flood' 'round trips beside a busy CPU' '<=' 4 -
goal_ratio "a disk's rate beside a flood over alone" rps 'disk beside a flood' 'disk alone' '>=' 0.9 -
goal_ratio "a disk's rate beside a flood over beside a busy CPU" rps 'disk beside a flood' 'disk beside a busy CPU' '>=' 0.9 -
goal_ratio "a disk's rate beside a flood over beside two busy processes" rps 'disk beside a flood' 'disk beside two busy processes' '>=' 0.9 -
goal_ratio "a disk's rate beside a flood over beside one of another Dom0" rps 'disk beside a flood' 'disk beside a flood of another Dom0' '>=' 0.9 -
goal_ratio "a flood's rate beside a disk over one of another Dom0" per_second 'flood beside a disk' 'flood of another Dom0 beside a disk' '>=' 0.9 -
goal_ratio "a flood's rate beside a disk over alone" per_second 'flood beside a disk' 'flood alone' '>=' 0.9 -
goal_ratio "a flood's rate beside a disk over beside a busy CPU" per_second 'flood beside a disk' 'flood beside a busy CPU' '>=' 0.9 -
goal_ratio "a flood's rate beside a disk over beside as much CPU" per_second 'flood beside a disk' 'flood beside as much CPU as the disk takes' '>=' 0.9 -
goal_ratio "a disk's rate beside a flood of 1 Gbit/s over alone" rps 'disk beside 1 Gbit/s' 'disk beside nothing' '>=' 0.9 -
goal_ratio "a flood of 1 Gbit/s beside a disk over alone" per_second '1 Gbit/s beside a disk' '1 Gbit/s alone' '>=' 0.9 -
note "dom0_percent: of a CPU, all that Dom0 used beside so many frames; client_percent and disk_percent: what the disk's client used, and Dom0 for it"
note "mean_us, p50_us and p99_us of the rows with 634 us are round trips less that path: two ways over the link; $PINGS in each round. Goals of p50 and p99 are those of one way, 20 and 200 us, twice, by the factor"
finish_section mean_us p50_us p99_us rps per_second dom0_percent client_percent disk_percent
