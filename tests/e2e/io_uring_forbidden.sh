# SPDX-License-Identifier: MIT
# Where io_uring is forbidden the threads engine takes over and says so; asked for uring, Dom0 refuses.
. "$(dirname "$0")/functions.sh"

log=$SPLITDOM_RUNDIR/default/dom0.log

# refused_and_replaced PREFIX...: what starts the service in a world without io_uring
refused_and_replaced() {
    expect 1 'io_uring is not available here.*--engine threads' "$@" "$BIN/service" start --engine uring
    expect 3 'no service' service status
    cleanup_fn stop_leftover
    timeout -k 2 $((20 * slack)) "$@" "$BIN/service" start >out 2>err || die "no start without io_uring: $(cat err)"
    service status --json | grep -q '"engine":"threads"' || die "another engine: $(service status)"
    cat err "$log" | grep -q 'io_uring is not available.*threads engine takes over' ||
        die "nobody says so: $(cat err "$log")"
    client 8 1000 >/dev/null || die "the threads engine does not serve"
    client 1 1000 --depth 32 >/dev/null || die "the threads engine does not serve"
    verify_all 2000
    expect 0 'hit ratio' service stop
}

image disk1.img 4
"$TEST_BIN/deny_calls" EPERM io_uring_setup true || skip "seccomp filters are not allowed here"
refused_and_replaced "$TEST_BIN/deny_calls" EPERM io_uring_setup
# Also the clients' machine is without it.
start_service
"$TEST_BIN/deny_calls" EPERM io_uring_setup "$BIN/client" 4 500 >/dev/null || die "a client needs io_uring"
verify_all 500
service stop >/dev/null

# The system-wide switch, where we may turn it.
switch=/proc/sys/kernel/io_uring_disabled
if [ -w $switch ] && [ "$(cat $switch)" != 2 ] && [ -n "${TEST_LONG:-}" ]; then
    cleanup_fn sh -c "echo $(cat $switch) >$switch"
    echo 2 >$switch
    refused_and_replaced env
fi
exit 0
