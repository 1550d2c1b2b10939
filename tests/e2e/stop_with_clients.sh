# SPDX-License-Identifier: MIT
# `service stop` under load: clients end at once, with an error and whole files; nothing is left.
. "$(dirname "$0")/functions.sh"

image disk1.img 10
start_service
pids=()
for threads in 1 16 64; do
    "$BIN/client" $threads 100000000 >>out 2>>err &
    pids+=($!)
done
"$BIN/client" 1 100000000 --depth 32 --sectors-per-request 8 >>out 2>>err &
pids+=($!)
eventually 5 connected 4 || die "the clients do not connect"
eventually 5 requests_exceed 5000 || die "the clients do not read"
all_have_read() { ! service status --json | grep -qE '"requests":[0-9]{1,2}[,}]'; }
eventually 10 all_have_read || die "some client hardly reads: $(service status --json)"
pid=$(dom0_pid)

begin=$(now_ms)
expect 0 'hit ratio' service stop
[ $(($(now_ms) - begin)) -lt $((1000 * slack)) ] || die "stop took $(($(now_ms) - begin)) ms"
gone "$pid" || die "Dom0 is left"
for client in "${pids[@]}"; do
    reap 1000 "$client"
    [ $status = 1 ] || die "client $client: exit $status instead of 1"
done
[ ! -s out ] || die "a result in spite of it: $(cat out)"
[ "$(grep -c '^client: Dom0 is gone' err)" = 4 ] || die "not four clear messages: $(cat err)"
for client in "${pids[@]}"; do
    [ "$(($(wc -l <"sectors.$client") * 512))" = "$(stat -c %s "read.$client")" ] ||
        die "the files of client $client differ in length"
    [ -s "sectors.$client" ] || die "client $client recorded nothing"
    verify "$client"
done
[ "$(ls "$SPLITDOM_RUNDIR/default")" = dom0.log ] || die "left: $(ls "$SPLITDOM_RUNDIR/default")"
expect 3 'no service' service status

rm -f sectors.* read.*
start_service
client 8 1000 >out || die "the next service does not serve"
verify_all 1000
