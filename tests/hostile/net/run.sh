#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs every case of hostile_net, each beside two honest domains that send a frame to and fro, and prints a
# table: the reaction, the pair's rate as a share of what it has alone, its 99th percentile, the verdict. The
# verdict is about the reaction, and that the pair was never cut off; how fast it was is for people.
#     tests/hostile/net/run.sh [PATTERN]
# Environment: CASE_MS (200) for each case. Exit status: 0 every verdict is ok.
. "$(dirname "$0")/../../e2e/functions.sh"

LOG_BYTES_MAX=100000
NET=${TEST_BIN:-$TOP/build/plain/tests}/hostile/net/hostile_net
NET=${NET/\/e2e\//\/}
[ -x "$NET" ] || die "no $NET (make hostile-programs)"

image disk1.img 4
start_service --image disk1.img --vif bridge=xenbr0,persistent=1 --max-domains 16 --idle-timeout 0
dom0=$("$BIN/service" status --json | sed -n 's/.*"pid":\([0-9]*\).*/\1/p')
before=$(fds "$dom0")
timeout -k 2 $((120 * slack)) "$NET" "${1:-}" "${CASE_MS:-200}" || die "a case failed"
kill -0 "$dom0" || die "Dom0 is gone"
eventually 5 domains_are 0 || die "domains are left"
has_fds() { [ "$(fds "$dom0")" = "$before" ]; }
log_bytes=$(wc -c <"$SPLITDOM_RUNDIR/default/dom0.log")
[ "$log_bytes" -le $LOG_BYTES_MAX ] || die "the log has grown to $log_bytes bytes"
eventually 5 has_fds || die "Dom0 has $(fds "$dom0") descriptors, $before at first"
expect 0 '' "$BIN/service" stop
