# SPDX-License-Identifier: MIT
# timeout: 300
# Clients die by kill -9 with reads in flight, again and again, beside one that works: it never sees
# an error, and Dom0's memory and descriptors are back where they were.
. "$(dirname "$0")/functions.sh"

rounds=${TEST_LONG:+200}
rounds=${rounds:-50}

# Kills a client that has just begun, or is at work, or is an asynchronous one.
round() {
    local options='16 100000000' victim
    [ $(($1 % 3)) != 0 ] || options='1 100000000 --depth 64 --sectors-per-request 8'
    # shellcheck disable=SC2086 # several arguments
    "$BIN/client" $options --no-record >/dev/null 2>&1 &
    victim=$!
    if [ $(($1 % 5)) != 0 ]; then
        eventually 5 connected 2 || die "the victim does not connect"
    fi
    kill -9 $victim
    wait $victim 2>/dev/null
    eventually 5 domains_are 1 || die "the victim's domain is left"
}

image disk1.img 4
start_service
dom0=$(dom0_pid)
"$BIN/client" 4 100000000 >out 2>err &
survivor=$!
eventually 5 connected 1 || die "the client does not connect"
for ((i = 1; i <= 5; i++)); do round $i; done # everything has been used once
fds_before=$(fds "$dom0") rss_before=$(rss_kib "$dom0")
for ((i = 1; i <= rounds; i++)); do round $i; done
kill -0 $survivor || die "the survivor is gone: $(cat err)"
requests=$(status_number 'total":{"requests')
eventually 5 requests_exceed "$requests" || die "the survivor does not read any more"
[ "$(service status --json | grep -o '"state":' | wc -l)" = 1 ] || die "status shows others"
as_before() { [ "$(fds "$dom0")" -le "$fds_before" ]; }
eventually 5 as_before || die "descriptors: $(fds "$dom0") instead of $fds_before"
if [ -z "${TEST_SAN:-}" ]; then # freed memory stays in quarantine
    [ "$(rss_kib "$dom0")" -le $((rss_before + 1024)) ] || die "memory: $(rss_kib "$dom0") KiB instead of $rss_before"
fi
kill -TERM $survivor
reap 2000 $survivor
[ $status = 143 ] && [ "$(cat err)" = 'client: ended by SIGTERM' ] || die "exit $status: $(cat err)"
verify $survivor
