# SPDX-License-Identifier: MIT
# timeout: 400
# Whoever knows of a reading of a domain's clock never reads less: threads, a signal handler, threads
# that are told by another process; while rates change and the clock is paused, Dom0 is stopped, ended
# and killed, at any moment and in the middle of an update, and started again. 10 restarts at each of
# four rates, 50 with TEST_LONG.
# sanitizers: long: it judges clocks; their code is under sanitizers in unit, sim and fuzz
. "$(dirname "$0")/functions.sh"

restarts=${TEST_LONG:+50}
restarts=${restarts:-10}
updates=0 untraced=0 held_in_all=0

# Changes the rate of the one domain that there is, and pauses it at times, for as long as it is left.
change_rates() {
    local i=0 rates=(1/10 1 10 1000 1/1000 2.5)
    while :; do
        i=$((i + 1))
        if [ $((i % 7)) = 0 ]; then
            "$BIN/service" pause 1
            "$BIN/service" unpause 1
        else
            "$BIN/service" set 1 tdf "${rates[RANDOM % ${#rates[@]}]}"
        fi
    done >/dev/null 2>&1
}

end_changes() {
    kill $changes 2>/dev/null
    wait $changes 2>/dev/null
}

# cut kill|stop: in the middle of an update, or, where Dom0 may not be traced, at some moment.
cut() {
    local status=0
    "$TEST_BIN/time_cut" "$1" "$dom0" "$function" $clock $((RANDOM % 60)) 2>cut.err || status=$?
    case $status in
    0) updates=$((updates + 1)) ;;
    77)
        untraced=1
        kill -"${1^^}" "$dom0"
        ;;
    *) die "$1 in an update: $(cat cut.err)" ;;
    esac
}

# end_dom0 N: in one of five ways
end_dom0() {
    case $(($1 % 5)) in
    0) cut kill ;;
    1) kill -9 "$dom0" ;;
    2)
        cut stop
        sleep 0.2 # time must stand in an update for as long as that
        kill -CONT "$dom0"
        service stop >/dev/null || die "stop"
        ;;
    3)
        cut stop
        kill -9 "$dom0"
        ;;
    4)
        kill -STOP "$dom0"
        sleep 0.05
        kill -CONT "$dom0"
        service stop >/dev/null || die "stop"
        ;;
    esac
    eventually 10 gone "$dom0" || die "Dom0 survives"
}

requires nm
function=$(nm "$BIN/service" | sed -n 's/ T pvclock_publish_all_begin$//p')
[ -n "$function" ] || die "where does an update begin?"
image disk1.img 1
for tdf in 1/10 1 10 1000; do
    start_service
    mkfifo input
    rm -f out # what the last one wrote is not this one's
    "$TEST_BIN/time_readers" $tdf <input >out 2>err &
    readers=$!
    exec 3>input
    eventually 10 grep -q clock out || die "no domain: $(cat err)"
    clock=$(sed -n 's/^clock //p' out)
    for ((i = 0; i < restarts; i++)); do
        eventually 10 connected 1 || die "TDF $tdf, life $i: not connected: $(cat out err)"
        dom0=$(dom0_pid)
        change_rates &
        changes=$!
        sleep 0.0$((RANDOM % 10)) # a life of some length
        end_dom0 $((i + RANDOM % 2))
        end_changes
        start_service
    done
    eventually 10 connected 1 || die "TDF $tdf: not connected at the end: $(cat out err)"
    exec 3>&-
    rm input
    reap 20000 $readers
    echo "TDF $tdf: $(tail -n 1 out)"
    [ $status = 0 ] || die "TDF $tdf: time stepped back: $(cat out err)"
    eval "$(tail -n 1 out)"
    # shellcheck disable=SC2154 # set by that line
    [ "$reconnects" = $restarts ] || die "$reconnects reconnects instead of $restarts"
    # shellcheck disable=SC2154
    [ "$passed_ns" -gt 0 ] || die "time did not pass"
    # shellcheck disable=SC2154
    held_in_all=$((held_in_all + held))
    service stop >/dev/null || die "stop"
done
[ $untraced = 0 ] || echo "Dom0 may not be traced here: it was not stopped in updates on purpose"
[ $untraced = 1 ] || [ $updates -gt 0 ] || die "no update was cut"
# A look that waits for an update takes 100 ms: seven readers would make some fourteen in each stop.
[ $updates = 0 ] || [ $held_in_all -gt $((updates * 100)) ] || die "$held_in_all looks at a clock that stood"
echo "$updates updates were cut"
