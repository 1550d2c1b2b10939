# SPDX-License-Identifier: MIT
# Nothing flushed is lost: Dom0's image has a volatile write cache (volatile_disk.c, in Dom0's memory), so that
# kill -9 is a loss of power. After each loss the image holds all writes that were answered before a flush that was.
# TEST_LONG: two hundred losses.
# timeout: 300
. "$(dirname "$0")/functions.sh"
[ -z "${TEST_SAN:-}" ] || skip "a sanitizer wants to be the first library that is loaded"
requires gcc

losses=8
[ -z "${TEST_LONG:-}" ] || losses=${KILLS:-200}
sectors=512 # of each writer
truncate -s 512K disk1.img
truncate -s $((2 * sectors * 32)) log # struct record has 32 bytes
gcc -D_GNU_SOURCE -O2 -shared -fPIC -o volatile_disk.so "$TOP/tests/e2e/volatile_disk/volatile_disk.c" -ldl ||
    die "no library to load"

start_volatile() {
    LD_PRELOAD=$PWD/volatile_disk.so VOLATILE_DISK=$PWD/disk1.img start_service --engine threads --depth 8 \
        --disk "$PWD/disk1.img,raw,xvda,w!"
}
acked_exceed() { [ "$("$TEST_BIN/acked_writes" count log)" -gt "$1" ]; }

lost_acknowledged=0
for ((loss = 1; loss <= losses; loss++)); do
    start_volatile
    pids=()
    for i in 0 1; do
        "$TEST_BIN/acked_writes" write log $((i * sectors)) $sectors $RANDOM volatile 2>"err.$i" &
        pids[i]=$!
    done
    eventually 20 acked_exceed $(($("$TEST_BIN/acked_writes" count log) + 2000 + RANDOM % 2000)) ||
        die "loss $loss: nothing is written: $(cat err.*)"
    dom0=$(dom0_pid)
    kill -9 "$dom0"
    eventually 5 gone "$dom0" || die "Dom0 survives kill -9"
    for i in 0 1; do
        reap 30000 "${pids[i]}"
        [ $status = 3 ] || die "loss $loss: a writer: exit $status: $(cat err.$i)"
    done
    "$TEST_BIN/acked_writes" check log disk1.img flushed >lost 2>&1 ||
        die "after loss $loss: $(wc -l <lost) sectors: $(head -n 5 lost)"
    "$TEST_BIN/acked_writes" check log disk1.img >/dev/null 2>&1 || lost_acknowledged=$((lost_acknowledged + 1))
done
# Else the cache was not volatile, and nothing has been shown.
[ $lost_acknowledged -gt 0 ] || die "no loss of power took anything"
