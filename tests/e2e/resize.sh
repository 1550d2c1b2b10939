# SPDX-License-Identifier: MIT
# The image grows and shrinks under connected clients: they see the new last sector and what is there.
. "$(dirname "$0")/functions.sh"

ask() { # COMMAND: the answer
    echo "$1" >&"${disk[1]}"
    read -r -t $((10 * slack)) answer <&"${disk[0]}" || die "no answer to $1"
}
last_is() { ask last && [ "$answer" = "$1" ]; }

image disk1.img 2
start_service
coproc disk { exec "$TEST_BIN/disk_session"; }
disk_process=$disk_PID
read -r -t $((10 * slack)) answer <&"${disk[0]}" && [ "$answer" = connected ] || die "no connection"
"$BIN/client" 16 100000000 --no-record >/dev/null 2>err &
busy=$!
eventually 5 connected 2 || die "the clients do not connect"
last_is 4095 || die "last sector $answer of 2 MiB"
ask 'read 4096'
[ "${answer%%:*}" = error ] || die "a sector beyond the end: $answer"

image more 1
cat more >>disk1.img
last_is 4095 || die "it grew before anybody said so"
expect 0 '' service resize
eventually 5 last_is 6143 || die "last sector $answer of 3 MiB"
ask 'read 6143'
[ "$answer" = "$(tail -c 512 disk1.img | head -c 8 | od -An -tx1 | tr -d ' \n')" ] ||
    die "the new last sector reads $answer"
client 8 2000 >/dev/null || die "a new client fails"
verify_all 2000

# A size that is no multiple of 512 is refused, and so is another file of that name; the log says so, too.
printf x >>disk1.img
expect 1 'disk1.img.*3145729 bytes' service resize
eventually 5 grep -q 'resize refused.*3145729 bytes' "$SPLITDOM_RUNDIR/default/dom0.log" || die "not in the log"
truncate -s 3M disk1.img
mv disk1.img old.img
expect 1 'disk1.img.*not there any more' service resize
image disk1.img 1
expect 1 'disk1.img.*another file' service resize
mv old.img disk1.img
expect 0 '' service resize
last_is 6143 || die "last sector $answer"

# The same size, other bytes: what was cached is not given out any more.
ask 'read 17'
dd if=/dev/urandom of=disk1.img bs=512 seek=17 count=1 conv=notrunc,fsync status=none
expect 0 '' service resize
ask 'read 17'
[ "$answer" = "$(dd if=disk1.img bs=512 skip=17 count=1 status=none | head -c 8 | od -An -tx1 | tr -d ' \n')" ] ||
    die "sector 17 reads as before: $answer"

# Smaller: the busy client asks for sectors that are gone, which is its own problem.
kill -0 $busy || die "the busy client fails already: $(cat err)"
truncate -s 512K disk1.img
expect 0 '' service resize
eventually 5 last_is 1023 || die "last sector $answer of 512 KiB"
ask 'read 1024'
[ "${answer%%:*}" = error ] || die "a sector beyond the end: $answer"
ask 'read 1023'
[ "${answer%%:*}" != error ] || die "the last sector: $answer"
kill -TERM $busy
reap 5000 $busy
client 8 1000 >/dev/null || die "a new client fails"
verify_all 1000
eval "exec ${disk[1]}>&-"
wait "$disk_process" || die "the session fails at its end"
