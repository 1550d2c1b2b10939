# SPDX-License-Identifier: MIT
# Dom0 ends by itself after 300 s of its own clock without a request, also while a silent client is
# attached; a request postpones that. Its clock runs 100 times as fast here.
# sanitizers: long: it measures time; the timer is in unit, ends are in every other script
. "$(dirname "$0")/functions.sh"

image disk1.img 1
start_service --tdf 1/100 --idle-timeout 300
begin=$(now_ms)
pid=$(dom0_pid)
coproc disk { exec "$TEST_BIN/disk_session" 2>err; }
read -r -t $((10 * slack)) answer <&"${disk[0]}" && [ "$answer" = connected ] || die "no connection"
sleep 1
asked=$(now_ms)
echo 'read 5' >&"${disk[1]}"
read -r -t $((10 * slack)) answer <&"${disk[0]}" && [ "${answer%%:*}" != error ] || die "no answer"
last=$(now_ms)
eventually 6 gone "$pid" || die "no idle exit in time"
end=$(now_ms)
[ $((end - asked)) -ge 2990 ] || die "idle exit $((end - asked)) ms after the last request, not 3000"
[ $((end - last)) -le $((4000 * slack)) ] || die "idle exit only after $((end - last)) ms"
# The client was told.
echo 'read 5' >&"${disk[1]}"
read -r -t $((10 * slack)) answer <&"${disk[0]}" && [ "${answer%%:*}" = error ] || die "a read after Dom0's end: $answer"
eval "exec ${disk[1]}>&-"
log=$SPLITDOM_RUNDIR/default/dom0.log
grep -qE 'stopping: idle: no request' "$log" && grep -qE 'cache hit ratio [0-9.]+ %, 1 requests' "$log" ||
    die "the farewell is not in the log: $(cat "$log")"
expect 3 'no service' service status
[ "$(ls "$SPLITDOM_RUNDIR/default")" = dom0.log ] || die "left: $(ls "$SPLITDOM_RUNDIR/default")"
[ $((end - begin)) -ge 3900 ] || die "the request did not postpone the end"
