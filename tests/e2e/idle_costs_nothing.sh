# SPDX-License-Identifier: MIT
# With clients attached that are silent, Dom0 sleeps: no processor time, no wake-ups. Nor do they.
# alone: what it measures depends on who else runs
# sanitizers: long: it measures wake-ups; a sanitizer has its own
. "$(dirname "$0")/functions.sh"
[ "${TEST_SAN:-}" != thread ] || skip "the thread sanitizer has a thread of its own that wakes up"

# Ticks of processor time and the number of voluntary context switches of all of a process's threads.
used() {
    awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$1/stat"
    cat "/proc/$1"/task/*/status | awk '/^voluntary_ctxt_switches/ { n += $2 } END { print n }'
}

# 10 ms are one tick; a status, say, may have used a part of one before.
idle() { # FILE
    awk 'NR % 2 == 1 && $2 - $1 > 1 { bad = 1 }
         NR % 2 == 0 && $2 - $1 > 2 { bad = 1 } END { exit bad }' "$1"
}

image disk1.img 1
for engine in auto threads; do
    start_service --engine $engine
    coproc disk { exec "$TEST_BIN/disk_session"; }
    # shellcheck disable=SC2154 # coproc sets it, and bash unsets it when the process has ended
    disk_process=$disk_PID
    read -r -t $((10 * slack)) answer <&"${disk[0]}" && [ "$answer" = connected ] || die "no connection"
    client 8 2000 --no-record >/dev/null || die "the service does not serve"
    echo 'read 5' >&"${disk[1]}"
    read -r -t $((10 * slack)) answer <&"${disk[0]}" || die "no answer"
    pids="$(dom0_pid) $disk_process"
    eventually 5 domains_are 1 || die "the client has not left"
    # What came before may take its time on a busy machine, so there is a second look, and a third.
    for _ in 1 2 3; do
        for pid in $pids; do used "$pid"; done >before
        sleep "${TEST_LONG:+1}3"
        for pid in $pids; do used "$pid"; done >after
        paste before after >both
        idle both && break
    done
    idle both ||
        die "$engine: ticks and switches before and after, Dom0 and client: $(tr '\n' ';' <both)"
    eval "exec ${disk[1]}>&-"
    wait "$disk_process"
    service stop >/dev/null || die "stop"
done
