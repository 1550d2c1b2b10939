# SPDX-License-Identifier: MIT
# A signal ends a client early but orderly: a message, exit 128 + signal, whole and matching files.
. "$(dirname "$0")/functions.sh"

image disk1.img 4
start_service

# Waits until the client has recorded something.
has_begun() {
    gone "$1" && die "the client ended early: $(cat stderr)"
    [ -s "sectors.$1" ]
}
started() { # PID
    eventually 10 has_begun "$1" || die "the client records nothing"
}

for signal in INT:130 TERM:143 HUP:129; do
    for mode in '4 1000000000' '1 1000000000 --depth 16'; do
        # shellcheck disable=SC2086 # several arguments
        env --default-signal=INT,HUP "$BIN/client" $mode >stdout 2>stderr &
        pid=$!
        started $pid
        kill -s "${signal%:*}" $pid
        status=0
        wait $pid || status=$?
        [ $status = "${signal#*:}" ] || die "exit $status after $signal: $(cat stderr)"
        grep -q "ended by SIG${signal%:*}" stderr || die "no message: $(cat stderr)"
        [ ! -s stdout ] || die "a result although the run was not whole"
        verify $pid
        rm -f sectors.* read.*
    done
done

# A full queue of signals (RLIMIT_SIGPENDING) keeps no client from ending.
few_signals() { (ulimit -i 0 && exec timeout -k 2 $((20 * slack)) "$BIN/client" 2 50 --no-record); }
few_signals >stdout 2>stderr || die "exit $? with a full queue of signals: $(cat stderr)"

# One that was ignored from the beginning stays so.
(
    trap '' HUP
    exec "$BIN/client" 4 1000000000 >stdout 2>stderr
) &
pid=$!
started $pid
kill -s HUP $pid
size=$(stat -c %s "sectors.$pid")
has_more() {
    gone $pid && die "ended by a signal that was to be ignored"
    [ "$(stat -c %s "sectors.$pid")" -gt "$size" ]
}
eventually 10 has_more || die "the client records nothing more"
kill -s TERM $pid
status=0
wait $pid || status=$?
[ $status = 143 ] || die "exit $status"
verify $pid
