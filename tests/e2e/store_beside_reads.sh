# SPDX-License-Identifier: MIT
# The store's work that has to wait because rings are busy is done when its time comes, not when the
# next read happens to wake Dom0: here that would be 50 ms later, each time.
. "$(dirname "$0")/functions.sh"

image disk1.img 4
start_service --engine model --model mean=50ms,law=fixed,channels=4,data=image --cache-percent 0
"$BIN/client" 1 100000000 --no-record >out 2>err &
busy=$!
eventually 5 requests_exceed 0 || die "the client does not read"
timeout -k 2 $((20 * slack)) "$TEST_BIN/store_guest" write 2000 2>guest || die "2000 writes: $(cat guest)"
kill -0 $busy || die "the client has ended: $(cat err)"
kill -TERM $busy
reap 2000 $busy
