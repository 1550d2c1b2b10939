# SPDX-License-Identifier: MIT
# The rate changes at random, with pauses, while 32 threads wait in eight ways: no wait ends early, none is forgotten,
# no clock steps back. How late they are says as much of the machine, so that is printed, beside what it is at one rate,
# and not mediated.
# timeout: 240
# sanitizers: long: what runs in programs is not sanitized; domu_run has the rest
. "$(dirname "$0")/functions.sh"

[ "$(uname -m)" = x86_64 ] || skip "the shim is for x86-64"
changes=${TEST_LONG:+1000}
changes=${changes:-100}
RANDOM=20261130
rates=(1 2 5 10 1/2 3 0 20)
list=()
for ((i = 0; i < changes; i++)); do
    list+=(-c "$((3 + RANDOM % 10)):${rates[RANDOM % ${#rates[@]}]}")
done
list+=(-c 5:1)
ticks=$("$TEST_BIN/waits_changes" tsc) || die "the TSC's rate"
run() { timeout -k 2 $((60 * slack)) "$TEST_BIN/mediated" "$BIN/domu-shim" "$@"; }
changing=$(run 1 "${list[@]}" "$TEST_BIN/waits_changes" $((changes * 3)) "$ticks") || die "$changes changes: $changing"
steady=$(run 1 "$TEST_BIN/waits_changes" 500 "$ticks") || die "one rate: $steady"
alone=$("$TEST_BIN/waits_changes" 500 "$ticks") || die "not mediated: $alone"
printf '%s changes: %s\none rate: %s\nnot mediated: %s\n' "$changes" "$changing" "$steady" "$alone"

# Kernel timers ring by the rate of now, but for what is on the way to the process at the change: within a millisecond
# in 99 of 100, on a machine that is not busy.
timers=$(run 1 "${list[@]}" "$TEST_BIN/timers_changes" $((changes * 3)) "$ticks" ${TEST_LONG:+1000 5000}) || die "timers: $timers"
echo "timers, $changes changes: $timers"
# None rings early where a slower rate is announced, however many are about to ring.
list=()
for ((i = 0; i < ${TEST_LONG:+1}50; i++)); do
    list+=(-c "6:1000" -c "6:1/2")
done
run 1 -a "${list[@]}" "$TEST_BIN/timers_crowd" ${TEST_LONG:+1}50 || die "a timer rang early"
# A periodic one rings once in each period, whatever the rate does in between.
list=()
for ((i = 0; i < 600; i++)); do
    list+=(-c "$((1 + i % 3)):$((i % 2 ? 1 : 10))")
done
run 1 "${list[@]}" "$TEST_BIN/timers_periodic" 400 || die "a periodic timer"
run 1 -a "${list[@]}" "$TEST_BIN/timers_periodic" 400 || die "a periodic timer, slower rates announced"
# One that has rung too early, while its process was stopped, is taken back.
run 1 -c 50:10 "$TEST_BIN/timers_held" || die "a timer of the rate of before"

# Who waits without a time-out notices nothing, in a process that has timers.
timers=()
for ((i = 0; i < 200; i++)); do
    timers+=(-c "5:$((1 + i % 2))")
done
run 1 "${timers[@]}" "$TEST_BIN/waits_endless" || die "a wait without a time-out ended by itself"

# Who waits for more events than there are waits for them all the time.
rc=0
run 1 -c 20:2 -c 20:1 -c 20:3 -c 20:1 "$TEST_BIN/aio_changes" 200 || rc=$?
[ $rc = 0 ] || [ $rc = 77 ] || die "io_getevents ended early"
# But for a signal of the program's, also after a change: as ever it ends the call with those that there are.
[ $rc = 77 ] || run 1 -c 300:2 "$TEST_BIN/aio_changes" signal || die "a signal after a change has not ended io_getevents"
for how in instant none; do
    [ $rc = 77 ] || run 1 "$TEST_BIN/aio_changes" $how || die "io_getevents: $how"
done

# A signal of the program's that comes with the kick of a change ends the wait all the same.
run 1 "$TEST_BIN/signals_kicks" 5 || die "a signal at the instant of a change"

# Kicks may come faster than they can be answered, and to a process that may have no queued signals.
run 1 "$TEST_BIN/kicks_odd" many 100000 || die "the stack that kicks take"
run 1 -c 50:2 -c 50:3 "$TEST_BIN/kicks_odd" full 300 || die "a kick without more than its number"

# A call that is caught at the instant of a change is answered all the same.
run 1 "$TEST_BIN/calls_kicks" 10000 || die "a call at the instant of a change"

# Timers are armed by the rate that a call has found, whether the kick has been there or not.
timers=()
for ((i = 0; i < ${TEST_LONG:+3}500; i++)); do
    timers+=(-c "1:$((2 - i % 2))")
done
run 1 "${timers[@]}" "$TEST_BIN/timers_calls" $((${#timers[@]} / 2)) || die "a timer of the rate of before, after a call"
# And of however many processes before: each leaves its place to others.
for ms in 2000 10000 50000; do
    rc=0
    run 2 -c "$ms:4" "$TEST_BIN/timers_many" "${TEST_LONG:+5}200" || rc=$?
    [ $rc = 3 ] || break
done
[ $rc = 0 ] || die "a timer, after those of other processes: $rc"
# Each process is asked once whether its timers are armed.
run 1 "$TEST_BIN/timers_places" || die "the places of a process with timers"
