# SPDX-License-Identifier: MIT
# The verbs that steer a domain are writes to the store, and the tools do the same.
. "$(dirname "$0")/functions.sh"

image disk1.img 10
start_service
"$BIN/client" 4 100000000 >out 2>err &
busy=$!
eventually 5 connected 1 || die "the client does not connect"
status_shows() { service status --json | grep -q "$1"; }

expect 0 '^ +1 +256 +1 +0 +4 +[0-9]+ +DomU-1$' service list
expect 0 '' service set 1 weight 512
eventually 5 status_shows '"weight":512,' || die "the weight is not 512"
expect 0 '' service set 1 tdf 10
eventually 5 status_shows '"weight":512,"tdf":"10",' || die "the TDF is not 10"
expect 0 '^ +1 +512 +10 +0 +4 +[0-9]+ +DomU-1$' service list
expect 0 '' service pause 1
eventually 5 status_shows '"paused":true' || die "it is not paused"
# Pauses count: who pauses twice lets it go on twice.
expect 0 '' service pause 1
expect 0 '^ +1 +512 +10 +2 +4 +[0-9]+ +DomU-1$' service list
expect 0 '' service unpause 1
expect 0 '^ +1 +512 +10 +1 +4 +[0-9]+ +DomU-1$' service list
status_shows '"paused":true' || die "one unpause ended two pauses"
expect 0 '' service unpause 1
eventually 5 status_shows '"paused":false' || die "it is paused"
expect 1 'domain 1 is not paused' service unpause 1
callers=()
for _ in 1 2 3 4 5 6 7 8; do service pause 1 & callers+=($!); done
wait "${callers[@]}"
expect 0 '^ +1 +512 +10 +8 +4 +[0-9]+ +DomU-1$' service list
callers=()
for _ in 1 2 3 4 5 6 7 8; do service unpause 1 & callers+=($!); done
wait "${callers[@]}"
expect 0 '^ +1 +512 +10 +0 +4 +[0-9]+ +DomU-1$' service list
expect 2 "weight" service set 1 weight 0
expect 2 "tdf" service set 1 tdf 0
expect 2 "" service set 1 colour 7
expect 1 'no domain 77.*service list' service set 77 weight 5
expect 1 'no domain 77' service shutdown 77
expect 0 '^ +1 +512 +10 .*DomU-1$' service list DomU-1
[ "$(wc -l <stdout)" = 2 ] || die "more than one domain: $(cat stdout)"
expect 0 '^\[\{"domid":0,[^]]*"disks":\[\]\}\}\]$' service list -l 0
expect 1 'no domain 77' service list 77
expect 1 'nosuch is an invalid domain identifier' service list -l nosuch
kill -0 $busy || die "the client has ended: $(cat err)"

if command -v xenstore-write >/dev/null; then
    eval "$(service env)"
    xenstore-write /local/domain/1/device/vbd/51728/state 2
    expect 0 '^ +1 +512 +10 +0 +4,2 +[0-9]+ +DomU-1$' service list
    xenstore-rm /local/domain/1/device/vbd/51728
    xenstore-write /local/domain/1/sched/weight 100 /local/domain/1/tdf 1/2
    eventually 5 status_shows '"weight":100,"tdf":"1/2",' || die "the store's values have no effect"
    xenstore-write /local/domain/1/sched/weight lots
    eventually 5 grep -q 'domain 1: weight must be' "$SPLITDOM_RUNDIR/default/dom0.log" ||
        die "no word on a bad weight"
    eventually 5 eval '[ "$(xenstore-read /local/domain/1/sched/weight)" = 100 ]' ||
        die "the bad value stays: $(xenstore-read /local/domain/1/sched/weight)"
fi

was_shut_down() {
    reap 2000 $busy
    [ $status = 1 ] || die "exit $status"
    grep -q '^client: Dom0 told this domain to shut down' err || die "no word of why: $(cat err)"
    [ ! -s out ] || die "a result: $(cat out)"
    verify $busy
}
expect 0 '' service shutdown 1
was_shut_down
if command -v xenstore-write >/dev/null; then
    "$BIN/client" 4 100000000 >out 2>err &
    busy=$!
    eventually 5 connected 1 || die "the client does not connect"
    eventually 5 requests_exceed 0 || die "the client does not read"
    xenstore-write /local/domain/2/control/shutdown poweroff
    was_shut_down
fi
eventually 5 domains_are 0 || die "the domain is left"

# The states of many disks are all listed.
service stop >/dev/null || die "stop"
disks=()
for letter in {a..z} a{a..n}; do disks+=(--disk "disk1.img,raw,xvd$letter,r"); done
start_service "${disks[@]}"
"$BIN/client" 4 100000000 --no-record >out 2>err &
busy=$!
forty() { service list 1 | awk '$1 == 1 { exit gsub(/[0-9]/, "", $5) != 40 }'; }
eventually 5 forty || die "not the states of 40 disks: $(service list)"
kill -9 $busy
reap 5000 $busy
[ $status = 137 ] || die "exit $status"
