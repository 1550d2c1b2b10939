# SPDX-License-Identifier: MIT
# One service at a time writes to an image; others read it. A disk of a running service is refused likewise.
# sanitizers: long
. "$(dirname "$0")/functions.sh"

image a.img 4
image b.img 4
writes() { service "$1" --name "$2" --disk "$PWD/$3,raw,xvda,$4"; }
stop_both() { "$BIN/service" stop --name first; "$BIN/service" stop --name second; } >/dev/null 2>&1
cleanup_fn stop_both

writes start first a.img w || die "the first service does not start"
expect 1 'a.img: another service writes to it' writes start second a.img 'w!'
writes start second a.img r || die "a reader is refused"
expect 0 '' service stop --name second
writes start second b.img w || die "another image is refused"
"$BIN/client" 1 1000000000 --no-record --name second >out 2>err &
client=$!
busy() { service list --name second | grep -q '^ *1 '; }
eventually 5 busy || die "no domain: $(service list --name second)"
expect 1 'a.img: another service writes to it' service block-attach --name second 1 a.img,raw,xvdb,w
expect 0 '' service block-attach --name second 1 a.img,raw,xvdb,r
expect 0 '' service stop --name first
expect 0 '' service block-attach --name second 1 a.img,raw,xvdc,w
for vdev in xvdb xvdc; do
    expect 0 '' service block-detach --name second 1 $vdev
done
expect 0 '' service block-attach --name second 1 a.img,raw,xvdb,w
kill "$client" && reap 5000 "$client"

# With its last domain an image is given back, though nobody asks Dom0 for anything then: Dom0 sees the end of a client
# a moment after others do.
eventually 5 writes start first a.img w || die "the image of a domain that has ended is still locked"
