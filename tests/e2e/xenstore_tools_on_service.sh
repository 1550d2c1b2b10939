# SPDX-License-Identifier: MIT
# Xen's tools and client library on the store of a running service, beside a client at work.
. "$(dirname "$0")/functions.sh"
requires xenstore-ls

image disk1.img 10
# While rings have requests the store gets a small share of the time, which is little to a program with
# sanitizers: there the disk is slow, so that requests are rare.
model=()
[ -z "${TEST_SAN:-}" ] || model=(--engine model --model 'mean=20ms,law=fixed')
start_service ${model[@]+"${model[@]}"}
"$BIN/client" 4 100000000 --no-record >out 2>err &
busy=$!
eventually 5 connected 1 || die "the client does not connect"
eval "$(service env)"
[ "$XENSTORED_PATH" = "$SPLITDOM_RUNDIR/default/xenstore.sock" ] || die "service env: $XENSTORED_PATH"
cd "$TOP" || die "no $TOP"
timeout -k 2 $((60 * slack)) bash tests/e2e/xenstore_tools.sh || die "the tools fail on a service"
cd "$SCRATCH" || exit 1
# Domains that come and go fire the special watches.
for special in introduce release; do
    coproc watch { exec xenstore-watch -n 2 "@${special}Domain"; }
    watcher=$watch_PID
    read -r -t $((10 * slack)) line <&"${watch[0]}" && [ "$line" = "@${special}Domain" ] ||
        die "@${special}Domain: no first event but '$line'"
    exec {events}<&"${watch[0]}"
    client 1 5 --no-record >/dev/null || die "a second client"
    read -r -t $((10 * slack)) line <&$events && [ "$line" = "@${special}Domain" ] ||
        die "@${special}Domain: no event but '$line'"
    exec {events}<&-
    wait "$watcher"
done
kill -0 $busy || die "the client has ended: $(cat err)"
kill -TERM $busy
reap 2000 $busy
xenstore-ls -f | grep -q tools-test && die "the tools left something in the store"
exit 0
