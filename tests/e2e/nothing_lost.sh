# SPDX-License-Identifier: MIT
# Nothing acknowledged is lost: kill -9 of Dom0 at random moments under two writers that reconnect and two that
# begin anew, on one image. What each of them was told is kept outside; after each kill the image file is read.
# TEST_LONG: a thousand kills, a hundred with sanitizers.
# timeout: 600
# sanitizers: long
. "$(dirname "$0")/functions.sh"

kills=10
[ -z "${TEST_LONG:-}" ] || kills=${KILLS:-1000}
[ -z "${TEST_SAN:-}" ] || [ $kills -le 100 ] || kills=100
sectors=2048 # of each writer: few, so that each is written again and again
read -ra engines <<<"${ENGINES:-uring threads}"
truncate -s 8M disk1.img
truncate -s $((4 * sectors * 32)) log # struct record has 32 bytes

# A small depth: most writes wait in Dom0 when it dies.
options=(--disk "$PWD/disk1.img,raw,xvda,w!" --depth 4)
try_start() { # ENGINE
    "$BIN/service" start "${options[@]}" --engine "$1" 2>starts && return
    echo "kill $kill of process $dom0: $(cat starts)"
    return 1
}
start_service "${options[@]}" --engine "${engines[0]}"

writer() { # NUMBER WORD...
    local i=$1
    shift
    "$TEST_BIN/acked_writes" write log $((i * sectors)) $sectors $RANDOM "$@" 2>"err.$i" &
    pids[i]=$!
}
acked_exceed() { [ "$("$TEST_BIN/acked_writes" count log)" -gt "$1" ]; }
check() { "$TEST_BIN/acked_writes" check log disk1.img >lost 2>&1 || die "$1: $(wc -l <lost) sectors: $(head -n 5 lost)"; }

pids=()
for i in 0 1; do writer $i reconnect; done
for ((kill = 1; kill <= kills; kill++)); do
    for i in 2 3; do writer $i; done
    eventually 20 connected 4 || die "kill $kill: not connected: $(cat err.*)"
    eventually 20 acked_exceed $(($("$TEST_BIN/acked_writes" count log) + 200 + RANDOM % 2000)) ||
        die "kill $kill: nothing is written: $(cat err.*)"
    dom0=$(dom0_pid)
    kill -9 "$dom0"
    eventually 5 gone "$dom0" || die "Dom0 survives kill -9"
    for i in 2 3; do
        reap 30000 "${pids[i]}"
        [ $status = 3 ] || die "kill $kill: a writer: exit $status: $(cat err.$i)"
    done
    check "after kill $kill"
    # What this is about is the disk: a start that finds the lock still held is told, and tried again.
    try_start "${engines[kill % ${#engines[@]}]}" || eventually 5 try_start "${engines[kill % ${#engines[@]}]}" ||
        die "kill $kill of process $dom0: no new start: $(cat starts)"
done
eventually 20 acked_exceed $(($("$TEST_BIN/acked_writes" count log) + 1000)) || die "nothing is written at the end"
for i in 0 1; do
    kill -TERM "${pids[i]}"
    reap 30000 "${pids[i]}"
    [ $status = 0 ] || die "a writer: exit $status: $(cat err.$i)"
done
service stop >/dev/null || die "stop"
check "at the end"
