# SPDX-License-Identifier: MIT
# The states of a disk, with the tools in the front end's place and in the toolstack's: close and start
# over while the disk is online, an error that is told, and a disk that is taken away.
. "$(dirname "$0")/functions.sh"
requires xenstore-write

front=/local/domain/1/device/vbd/51712 back=/local/domain/0/backend/vbd/1/51712
error=/local/domain/0/error/backend/vbd/1/51712/error
back_is() { [ "$(xenstore-read $back/state 2>/dev/null)" = "$1" ]; }
goes() { # STATE-OF-FRONT STATE-OF-BACK
    xenstore-write $front/state "$1"
    eventually 5 back_is "$2" || die "front end $1: back end $(xenstore-read $back/state), not $2"
}

image disk1.img 10
start_service
eval "$(service env)"
coproc guest { exec "$TEST_BIN/store_guest" look; }
eventually 5 back_is 2 || die "the back end does not wait"
goes 5 5
goes 6 6
goes 1 2
goes 5 5
xenstore-write $front/state 1 # not heard: it must close first
goes 6 6
goes 1 2
xenstore-exists $error && die "an error: $(xenstore-read $error)"
goes 9 5
grep -q 'unexpected front end state' <<<"$(xenstore-read $error)" || die "no error node"
goes 6 6
goes 1 2

# Offline: when the front end has closed, both directories go; the domain stays.
xenstore-write $back/online 0 $back/state 5
xenstore-write $front/state 5
gone_from_store() { ! xenstore-exists $back && ! xenstore-exists $front; }
xenstore-write $front/state 6
eventually 5 gone_from_store || die "the nodes are left"
domains_are 1 || die "the domain has gone, too"
eval "exec ${guest[1]}>&-"
eventually 5 domains_are 0 || die "the domain is left"
wait

# Under a client that reads: what it has read is right, it is told why it must end.
"$BIN/client" 4 100000000 >out 2>err &
busy=$!
eventually 5 requests_exceed 0 || die "the client does not read"
xenstore-write /local/domain/0/backend/vbd/2/51712/online 0 /local/domain/0/backend/vbd/2/51712/state 5
reap 5000 $busy
[ $status = 1 ] || die "exit $status"
grep -q 'Dom0 closed the disk' err || die "no word of why: $(cat err)"
verify $busy
eventually 5 domains_are 0 || die "the domain is left"
client 4 500 --no-record >/dev/null || die "a new client fails"
