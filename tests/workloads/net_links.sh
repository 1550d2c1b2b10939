#!/bin/bash
# SPDX-License-Identifier: MIT
# Links between interfaces and their bridge, as ping sees them from two namespaces: delays add up, those of a domain
# with a time dilation factor are in its time, and a lossy link counts what it loses. A
# program in a domain sees the link as its clock does.
. "$(dirname "$0")/functions.sh"
requires ip nsenter ping
service --help | grep -q net-link || skip "this service has no links"

image disk1.img 1
start_service --vif bridge=xenbr0
namespace a
namespace b
tap a ea --address 10.9.0.1/24

# least_us: the shortest round trip of eight, in microseconds. A machine that is busy makes some longer, none shorter.
least_us() {
    in_ns a ping -c 8 -i 0.05 -W 10 10.9.0.2 >ping.log 2>&1 || die "ping: $(cat ping.log)"
    sed -n 's,^rtt [^=]*= \([0-9]*\)\.\([0-9]*\)/.*,\1\2,p' ping.log
}
# round_trip LEAST MOST: in microseconds; the most is tried for a while.
within() {
    us=$(least_us)
    [ "$us" -ge "$1" ] || die "a round trip of $us us, shorter than the links: $1"
    [ "$us" -le "$2" ]
}
round_trip() { eventually 20 within "$1" "$2" || die "round trips of $us us and more, instead of $1 to $2"; }

# other NAME OPTION...: the other end; another domain each time, with another address.
other() {
    tap b eb --address 10.9.0.2/24 --domain-name "$@"
    in_ns a ip neigh flush all
}

for tdf in 1 10 1/10; do
    other "b${tdf/\//-}" --tdf $tdf
    second=$TAP
    vif=vif$(service domid "b${tdf/\//-}").0
    case $tdf in
    1) ms=10 ;;
    10) ms=1 ;;
    1/10) ms=100 ;;
    esac
    # 10 ms of real time each way, whatever they are in the domain's
    service net-link "$vif" delay=${ms}ms || die "no link at TDF $tdf"
    round_trip 20000 27000
    if [ $tdf = 10 ]; then # the same in real time
        service net-link "$vif" delay=3ms frame=real || die "no link in real time"
        round_trip 6000 12000
        service net-link vif1.0 delay=2ms || die "no link of the other interface"
        round_trip 10000 16000 # both
        service net-link vif1.0 remove
    fi
    kill $second
    reap 5000 $second
done

other lossy
service net-link "vif$(service domid lossy).0" loss=30% seed=7 || die "no lossy link"
in_ns a ping -c 100 -i 0.01 -W 1 10.9.0.2 >ping.log 2>&1
received=$(sed -n 's/.* \([0-9]*\) received.*/\1/p' ping.log)
[ "$received" -gt 20 ] && [ "$received" -lt 80 ] || die "$received of 100 pings, at 30 % loss each way"
service net-link >links
lost=$(grep -oE ' lost [0-9]+' links | awk '{ sum += $2 } END { print sum }')
[ "$lost" -ge $((100 - received)) ] || die "only $lost frames are counted as lost of $((100 - received)): $(cat links)"

# An unmodified program at TDF 10, with a network of its own: 3 ms each way, by its own clock.
[ -x "$BIN/domu-shim" ] || exit 0
timeout $((60 * slack)) "$BIN/domu" run --name inside --tdf 10 --vif 0 --address 10.9.0.3/24 -- \
    sh -c 'until [ -e go ]; do sleep 0.01; done; ping -c 4 -i 0.05 10.9.0.1; exit 7' >inside.log 2>&1 &
inside=$!
is_there() { vif=vif$(service domid inside 2>/dev/null).0 && service net-link "$vif" delay=3ms 2>/dev/null; }
eventually 10 is_there || die "no domain inside: $(cat inside.log)"
touch go
status=0
wait $inside || status=$?
[ $status = 7 ] || die "domu run ends with $status: $(cat inside.log)"
us=$(sed -n 's,^rtt [^=]*= \([0-9]*\)\.\([0-9]*\)/.*,\1\2,p' inside.log)
[ "$us" -ge 6000 ] && [ "$us" -le 30000 ] || die "it saw round trips of $us us, instead of 6000: $(cat inside.log)"

# One that is taken away is gone for the program, too, and somebody says so.
"$BIN/domu" run --name without --vif 0 -- sh -c 'touch begun; while ip link show eth0; do sleep 0.1; done' >/dev/null 2>without.err &
without=$!
eventually 30 [ -e begun ] || die "a program with an interface: $(cat without.err)"
expect 0 '' service network-detach without 0
wait $without || die "a program without its interface: $(cat without.err)"
grep -q 'eth0 is gone' without.err || die "nobody says that an interface has gone: $(cat without.err)"

expect 1 'gave no interface 9' "$BIN/domu" run --vif 9 true
