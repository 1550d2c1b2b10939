# SPDX-License-Identifier: MIT
# What has to wait in the store because a ring is busy is done when its time comes, not when the next
# read happens to wake Dom0: here that would be 200 ms later, each time.
. "$(dirname "$0")/functions.sh"

image disk1.img 4
start_service --engine model --model mean=200ms,law=fixed,channels=4,data=image --cache-percent 0
eval "$(service env)"
"$BIN/client" 1 100000000 --no-record >out 2>err &
busy=$!
eventually 5 requests_exceed 0 || die "the client does not read"
# About three seconds, or as many minutes and more.
batches=6000
[ -z "${TEST_SAN:-}" ] || batches=1000
timeout -k 2 $((15 * slack)) "$TEST_BIN/store_pipeline" $batches 2>flood || die "the writes take too long: $(cat flood)"
kill -0 $busy || die "the client has ended: $(cat err)"
kill -TERM $busy
reap 2000 $busy
