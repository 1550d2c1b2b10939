# SPDX-License-Identifier: MIT
# While a client runs, both halves of its disk are in the store as Xen's blkif.h documents them, in
# state 4, with owners that let the other half read only; afterwards nothing of it is left.
. "$(dirname "$0")/functions.sh"
requires xenstore-ls

image disk1.img 3
start_service
eval "$(service env)"
# Two directories stay, once there was a domain.
rest() { xenstore-ls -f | grep -vE '^/local/domain/0/backend(/vbd)? = ""$'; }
rest >before
"$BIN/client" 4 100000000 --no-record >out 2>err &
busy=$!
eventually 5 connected 1 || die "the client does not connect"
front=/local/domain/1/device/vbd/51712 back=/local/domain/0/backend/vbd/1/51712
connected_front() { [ "$(xenstore-read $front/state)" = 4 ]; }
eventually 5 connected_front || die "the front end is in state $(xenstore-read $front/state)"
xenstore-ls -f -p >during

shows() { # PATH VALUE-PATTERN PERMISSIONS
    grep -qE "^$1 = \"$2\" +\($3\)\$" during || die "no $1 = $2 ($3) but: $(grep "^$1 " during)"
}
mine='n1,r0' theirs='n0,r1'
shows $front/backend "$back" $mine
shows $front/backend-id 0 $mine
shows $front/virtual-device 51712 $mine
shows $front/device-type disk $mine
shows $front/state 4 $mine
shows $front/protocol x86_64-abi $mine
shows $front/event-channel '[0-9]+' $mine
shows $front/feature-persistent 1 $mine
grep -qE "^$front/ring-ref0? = \"[0-9]+\"" during || die "no ring reference"
shows $back/frontend "$front" $theirs
shows $back/frontend-id 1 $theirs
shows $back/state 4 $theirs
shows $back/online 1 $theirs
shows $back/mode r $theirs
shows $back/params "$SCRATCH/disk1.img" $theirs
shows $back/sectors 6144 $theirs
shows $back/sector-size 512 $theirs
shows $back/physical-sector-size '[0-9]+' $theirs
shows $back/info '[0-9]+' $theirs
shows $back/max-ring-page-order '[0-4]' $theirs
shows $back/feature-persistent 1 $theirs
shows $back/feature-max-indirect-segments 256 $theirs
shows $back/multi-queue-max-queues '[1-8]' $theirs
shows $back/feature-flush-cache 0 $theirs
shows $back/feature-barrier 0 $theirs
shows $back/discard-enable 0 $theirs
grep -q "^$back/feature-discard\|^$back/discard-[gas]" during && die "a read-only disk has nodes about discards"

kill -TERM $busy
reap 2000 $busy
eventually 5 domains_are 0 || die "the domain is left"
rest >after
cmp -s before after || die "the store is not as before: $(diff before after)"

# A ring of several pages.
"$BIN/client" 1 100000000 --depth 200 --no-record >out 2>err &
busy=$!
eventually 5 connected 1 || die "the client does not connect"
[ "$(xenstore-read /local/domain/2/device/vbd/51712/ring-page-order)" = 3 ] || die "not 8 pages"
for i in 0 1 2 3 4 5 6 7; do
    xenstore-exists /local/domain/2/device/vbd/51712/ring-ref$i || die "no ring-ref$i"
done
service status --json | grep -q '"ring_entries":256' || die "not 256 entries"
kill -TERM $busy
reap 2000 $busy

# A service that maps one page only: the client asks for no more.
service stop >/dev/null || die "stop"
start_service --max-ring-page-order 0
"$BIN/client" 1 100000000 --depth 200 --no-record >out 2>err &
busy=$!
eventually 5 connected 1 || die "the client does not connect: $(cat err)"
xenstore-exists $front/ring-ref || die "no ring-ref"
xenstore-exists $front/ring-page-order && die "more than one page, of one"
service status --json | grep -q '"ring_entries":32' || die "not 32 entries"
eventually 5 grep -q 'hold 32 requests: --depth is 32 instead of 200' err || die "no word of it: $(cat err)"
eventually 5 requests_exceed 1000 || die "it does not read: $(cat err)"
kill -TERM $busy
reap 2000 $busy
service stop >/dev/null || die "stop"

# A writable disk, a read-only one and a CD-ROM: the nodes of a real Xen, in its order, without those of block scripts.
for name in w r cd; do image $name.img 1; done
start_service --disk w.img,raw,xvda,w --disk r.img,raw,xvdb,r --disk cd.img,raw,hdc,cdrom --shared-cache off
mkfifo asked answers
"$TEST_BIN/vbd_session" <asked >answers 2>err &
busy=$!
exec {to}>asked {from}<answers
read -r -t $((20 * slack)) answer <&$from || die "no domain: $(cat err)"
for devid in 51712 51728 5632; do
    echo "open $devid" >&$to
    read -r -t $((20 * slack)) answer <&$from && [ "$answer" = ok ] || die "disk $devid: $answer"
done
names() { xenstore-list "$1" | tr '\n' ' '; }
# are PATH NAMES
are() { [ "$(names "$1")" = "$2 " ] || die "$1: $(names "$1")"; }
tools='frontend params frontend-id online removable bootable state dev type mode device-type discard-enable specification'
offer='feature-max-indirect-segments multi-queue-max-queues max-ring-page-order'
discard='discard-granularity discard-alignment discard-secure feature-discard'
rest='feature-barrier feature-persistent sectors info sector-size physical-sector-size'
backs=/local/domain/0/backend/vbd/1
are $backs/51712 "$tools $offer feature-flush-cache $discard $rest"
for devid in 51728 5632; do are $backs/$devid "$tools $offer feature-flush-cache $rest"; done
[ "$(xenstore-read $backs/51712/info $backs/51728/info $backs/5632/info | tr '\n' ' ')" = '0 4 5 ' ] || die "info"
[ "$(xenstore-read $backs/5632/removable $backs/5632/device-type | tr '\n' ' ')" = '1 cdrom ' ] || die "the CD-ROM"
for devid in 51712 51728 5632; do
    are /local/domain/1/device/vbd/$devid \
        'backend backend-id state virtual-device device-type trusted protocol ring-ref event-channel feature-persistent feature-trace-rank'
done
exec {to}>&- {from}<&-
wait $busy
