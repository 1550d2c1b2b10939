#!/bin/bash
# SPDX-License-Identifier: MIT
# Two network namespaces joined by a bridge of Dom0: ping, IPv6, VLAN tags, large frames, DHCP, a file by nc, TCP by
# iperf3 whose segments stay together; the captures of both ends are equal.
. "$(dirname "$0")/functions.sh"
requires ip nsenter ping
service --help | grep -q -- '--vif SPEC' || skip "this service has no networks"

image disk1.img 1
start_service --vif bridge=xenbr0,mtu=9000
namespace a
namespace b
tap a ea --address 10.9.0.1/24
first=$TAP
tap b eb --address 10.9.0.2/24
second=$TAP

reaches() { in_ns a ping -c 2 -i 0.2 -W 5 "$@" >ping.log 2>&1; }
has_address() { in_ns "$1" ip -6 -o addr show "$2" scope link | grep -v tentative | grep -q fe80; }
reaches 10.9.0.2 || die "ping: $(cat ping.log)"
eventually 10 has_address a ea && eventually 10 has_address b eb || die "no IPv6 addresses"
reaches "$(in_ns b ip -6 -o addr show eb scope link | sed 's/.*inet6 \(fe80[^/]*\).*/\1/')%ea" || die "IPv6: $(cat ping.log)"

for ns in a b; do
    in_ns $ns ip link add link e$ns name v7 type vlan id 7 2>vlan.log && in_ns $ns ip link set v7 up || vlan=none
done
if [ -z "${vlan:-}" ]; then
    in_ns a ip addr add 10.9.7.1/24 dev v7 && in_ns b ip addr add 10.9.7.2/24 dev v7 || die "addresses of the VLAN"
    reaches 10.9.7.2 || die "VLAN: $(cat ping.log)"
fi

reaches -M "do" -s 8972 10.9.0.2 || die "frames of 9000 bytes: $(cat ping.log)" # not to be fragmented

if command -v tcpdump >/dev/null; then
    for ns in a b; do
        in_ns_exec $ns tcpdump -i e$ns -U --immediate-mode -w $ns.pcap icmp 2>$ns.tcpdump &
        eventually 10 grep -q "listening on" $ns.tcpdump || die "tcpdump: $(cat $ns.tcpdump)"
    done
    in_ns a ping -c 20 -i 0.02 -s 500 10.9.0.2 >ping.log || die "ping: $(cat ping.log)"
    for ns in a b; do
        captured() { [ "$(tcpdump -r $ns.pcap 2>/dev/null | wc -l)" = 40 ]; }
        eventually 10 captured || die "$ns has captured $(tcpdump -r $ns.pcap 2>/dev/null | wc -l) frames"
        # Each way by itself: which of two that cross on the way comes first is another matter at each end.
        for host in 10.9.0.1 10.9.0.2; do
            tcpdump -r $ns.pcap -t -n -xx src host $host 2>/dev/null
        done >$ns.frames
    done
    cmp a.frames b.frames || die "the two ends have seen different frames"
fi

if command -v nc >/dev/null; then
    image sent 8
    in_ns_exec b timeout 60 nc -l -p 5000 >came 2>nc.log &
    nc=$!
    listens() { in_ns b ss -ltn | grep -q ':5000 '; }
    sends() { in_ns a timeout 60 nc -N 10.9.0.2 5000 <sent 2>>nc.log || in_ns a timeout 60 nc -q 0 10.9.0.2 5000 <sent 2>>nc.log; }
    if eventually 5 listens; then
        sends || die "nc: $(cat nc.log)"
        wait $nc
        cmp sent came || die "the file has changed on its way"
    fi
fi

# A frame that stands for many segments arrives as one: the sender's kernel does not cut it, nobody else does.
if command -v iperf3 >/dev/null && command -v tcpdump >/dev/null; then
    in_ns_exec b tcpdump -i eb -n -c 1 'tcp port 5201 and greater 20000' >large.log 2>large.err &
    large=$!
    eventually 10 grep -q "listening on" large.err || die "tcpdump: $(cat large.err)"
    in_ns_exec b iperf3 -s -1 >server.log 2>&1 &
    server=$!
    listens() { in_ns b ss -ltn | grep -q ':5201 '; }
    eventually 10 listens || die "iperf3: $(cat server.log)"
    in_ns a timeout 60 iperf3 -c 10.9.0.2 -t 1 >client.log 2>&1 || die "iperf3: $(cat client.log)"
    wait $server || die "iperf3: $(cat server.log)"
    reap 5000 $large
    [ -s large.log ] || die "no frame of 20000 bytes or more came"
fi

if command -v busybox >/dev/null && busybox --list | grep -q '^udhcpd$'; then
    touch leases
    printf '%s\n' 'start 10.9.0.50' 'end 10.9.0.50' 'interface ea' "lease_file $PWD/leases" "pidfile $PWD/pid" 'option subnet 255.255.255.0' >udhcpd.conf
    # shellcheck disable=SC2016
    printf '#!/bin/sh\n[ "$1" != bound ] || echo "$ip" >"%s/leased"\n' "$PWD" >bound.sh
    chmod +x bound.sh
    in_ns_exec a busybox udhcpd -f udhcpd.conf 2>udhcpd.log &
    in_ns b busybox udhcpc -i eb -n -q -t 10 -T 1 -s ./bound.sh >udhcpc.log 2>&1 || die "DHCP: $(cat udhcpc.log udhcpd.log)"
    [ "$(cat leased)" = 10.9.0.50 ] || die "DHCP gave '$(cat leased)'"
fi

# Its process is the interface: both end in order, at a signal and with the service.
kill $first
reap 5000 $first
[ "$status" = 0 ] || die "domu tap ends with $status: $(cat ea.log)"
! in_ns a ip link show ea >/dev/null 2>&1 || die "ea is still there"
service stop >/dev/null
reap 5000 $second
[ "$status" = 1 ] && grep -q "Dom0 is gone" eb.log || die "domu tap ends with $status: $(cat eb.log)"
