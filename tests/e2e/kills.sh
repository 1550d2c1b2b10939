# SPDX-License-Identifier: MIT
# timeout: 1500
# Clients and Dom0 die by kill -9 at random moments, all under load, beside clients that outlive Dom0
# (--reconnect): each read of everybody is right, those of the survivors are complete, and nothing is
# left behind. KILLS_SEED repeats a run's moments, as far as the machine lets it.
# sanitizers: long
. "$(dirname "$0")/functions.sh"

client_kills=${TEST_LONG:+1000}
client_kills=${client_kills:-60}
dom0_kills=${TEST_LONG:+50}
dom0_kills=${dom0_kills:-4}
overlap=3 # victims at a time
seed=${KILLS_SEED:-$((EPOCHSECONDS % 32768))}
RANDOM=$seed
echo "seed: $seed"

# nap MS: a random time below that
nap() {
    local text
    printf -v text '0.%03d' $((RANDOM % $1))
    sleep "$text"
}

# survivor NAME COUNT OPTION...: runs clients to their ends, one after the other; each must have read
# COUNT sectors rightly. What was wrong is told in NAME/failed.
survivor() {
    local name=$1 count=$2 pid
    shift 2
    cd "$SCRATCH/$name" || exit 1
    until [ -e ../stop ]; do
        "$BIN/client" "$@" --reconnect >out 2>err &
        pid=$!
        wait $pid || {
            grep -q 'no service' err && continue # it began between two Dom0s
            echo "exit $?: $(cat err)" >failed
            exit 1
        }
        "$BIN/tool_for_integrity" ../disk1.img sectors.$pid read.$pid >verdict 2>&1 &&
            [ "$(wc -l <sectors.$pid)" = "$count" ] || {
            echo "$(wc -l <sectors.$pid) of $count records: $(cat verdict)" >failed
            exit 1
        }
        echo "$count" >>tally
        rm -f sectors.$pid read.$pid
    done
}

begin_victim() {
    local options=('8 100000000' '1 100000000 --depth 64 --sectors-per-request 8' '8 100000000 --reconnect')
    # shellcheck disable=SC2086 # several arguments
    "$BIN/client" ${options[RANDOM % 3]} >/dev/null 2>&1 &
    victims+=($!)
}

# The files of one that was killed hold the same records as far as both go.
verify_killed() { # PID
    local records bytes
    [ -e "sectors.$1" ] && [ -e "read.$1" ] || {
        rm -f "sectors.$1" "read.$1" # it had not even connected
        return
    }
    records=$(wc -l <"sectors.$1") bytes=$(stat -c %s "read.$1")
    [ $((bytes / 512)) -ge "$records" ] || records=$((bytes / 512))
    head -n "$records" "sectors.$1" >sectors.cut
    head -c $((records * 512)) "read.$1" >read.cut
    [ "$records" = 0 ] || "$BIN/tool_for_integrity" disk1.img sectors.cut read.cut >/dev/null ||
        die "the reads of client $1, which was killed, are wrong"
    verified=$((verified + records))
    rm -f "sectors.$1" "read.$1"
}

kill_victim() {
    local pid=${victims[0]}
    victims=("${victims[@]:1}")
    kill -9 "$pid" 2>/dev/null # it may have ended with Dom0
    wait "$pid" 2>/dev/null
    verify_killed "$pid"
}

kill_dom0() {
    local pid
    pid=$(dom0_pid)
    nap 100
    kill -9 "$pid"
    eventually 5 gone "$pid" || die "Dom0 survives kill -9"
    start_service
}


image disk1.img 16
start_service
fds_before=$(fds "$(dom0_pid)") # of a Dom0 without domains
mkdir blocking asynchronous
survivor blocking 20000 8 20000 &
survivors=($!)
survivor asynchronous 40000 1 40000 --depth 32 &
survivors+=($!)
victims=() verified=0
for ((i = 1; i <= client_kills; i++)); do
    begin_victim
    nap 60
    [ ${#victims[@]} -lt $overlap ] || kill_victim
    [ $((i % (client_kills / dom0_kills))) != 0 ] || kill_dom0
    [ ! -e blocking/failed ] && [ ! -e asynchronous/failed ] ||
        die "after $i kills: $(cat blocking/failed asynchronous/failed 2>/dev/null)"
done
while [ ${#victims[@]} -gt 0 ]; do kill_victim; done
touch stop
for pid in "${survivors[@]}"; do
    eventually 60 gone "$pid" || die "a survivor does not come to an end"
    wait "$pid" || die "a survivor failed: $(cat blocking/failed asynchronous/failed 2>/dev/null)"
done
eventually 5 domains_are 0 || die "domains are left"
as_before() { [ "$(fds "$(dom0_pid)")" = "$fds_before" ]; }
eventually 5 as_before || die "descriptors of Dom0: $(fds "$(dom0_pid)") instead of $fds_before"
service stop >/dev/null || die "stop"
[ -z "$(find "$SPLITDOM_RUNDIR" -type s)" ] || die "sockets are left: $(find "$SPLITDOM_RUNDIR" -type s)"
echo "$client_kills clients and $dom0_kills times Dom0 killed; records verified:" \
    "$verified of the killed, $(cat blocking/tally asynchronous/tally | awk '{ n += $1 } END { print n }') of the survivors"
