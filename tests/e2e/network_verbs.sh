#!/bin/bash
# SPDX-License-Identifier: MIT
# network-attach, network-list, network-detach, net-link and rule: words, messages and columns of xl as recorded, on a
# domain that has no front end for its interfaces; that a domain takes all of it along.
. "$(dirname "$0")/functions.sh"
requires jq

image disk1.img 1
start_service --bridge xenbr0 --bridge xenbr1 --vif bridge=xenbr1,mac=00:16:3e:00:00:01
"$BIN/client" 1 1000000000 --rate 10 --no-record >client.out 2>&1 &
eventually 10 connected 1 || die "no domain: $(cat client.out)"

sed 's/|$//' >list <<'LIST'
Idx BE Mac Addr.         handle state evt-ch   tx-/rx-ring-ref BE-path                       |
0   0  00:16:3e:00:00:01      0     2     -1    -1/-1          /local/domain/0/backend/vif/1/0
1   0  00:16:3e:00:00:02      1     2     -1    -1/-1          /local/domain/0/backend/vif/1/1
LIST
expect 0 '' service network-attach 1 mac=00:16:3e:00:00:02 bridge=xenbr0 rate=10Mb/s
[ ! -s stdout ] || die "network-attach says something: $(cat stdout)"
expect 0 '' service network-list 1
diff list stdout || die "network-list is not as xl's"
expect 0 '' service network-attach 1 mac=00:16:3e:00:00:03 bridge=xenbr0 rate=1MB/s@20ms vifname=foo script=vif-bridge model=netfront type=vif
expect 0 '' service network-attach 1
expect 1 'Could not find bridge device nosuch' service network-attach 1 bridge=nosuch
expect 1 "Invalid parameter .mac'\." service network-attach 1 mac=00:16:3e:00
expect 1 "unrecognized argument .nonsense'" service network-attach 1 nonsense
expect 1 "config parsing error in vif: invalid rate in .fast'" service network-attach 1 rate=fast
expect 1 'script' service network-attach 1 script=/bin/false
expect 1 'another vif has the address' service network-attach 1 mac=00:16:3e:00:00:02
expect 1 'no domain 9' service network-attach 9
expect 1 'Unknown device 9\.' service network-detach 1 9
expect 1 'Unknown device 00:16:3e:00:00:99\.' service network-detach 1 00:16:3e:00:00:99
expect 1 'no domain 9' service network-list 9
vif() { service status --json | jq -r ".domains[0].vifs[] | select(.devid == $1) | $2"; }
[ "$(vif 2 '[.name, .mac, .bridge, .rate_bytes, .rate_interval_us] | join(" ")')" = 'foo 00:16:3e:00:00:03 xenbr0 20000 20000' ] || die "vif 2: $(vif 2 .)"
case $(vif 3 .mac) in 00:16:3e:*) ;; *) die "an address of its own: $(vif 3 .mac)" ;; esac
expect 0 '' service network-detach 1 1
expect 0 '' service network-detach 1 00:16:3e:00:00:03
expect 0 '' service network-list 1
[ "$(awk 'NR > 1 { print $1 }' stdout | xargs)" = "0 3" ] || die "left: $(cat stdout)"

# Links.
expect 0 '' service net-link
[ ! -s stdout ] || die "links that nobody made: $(cat stdout)"
expect 0 '' service net-link vif1.0 rate=10Mbit delay=10ms loss=0.1%
expect 0 '' service net-link xenbr0 xenbr1 delay=1ms
expect 0 'vif1.0 frame=domain' service net-link
grep -q 'xenbr0 xenbr1 frame=real' stdout || die "no trunk: $(cat stdout)"
[ "$(vif 0 .link.up.words)" = 'rate=10000000bit delay=10000000ns loss=0.1% queue=1000' ] || die "$(vif 0 .link)"
service status --json | jq -e '.links | length == 1 and (.[0] | .from == "xenbr0" and .to == "xenbr1" and
    .up.words == .down.words and .up.lost == 0 and .down.waiting_bytes == 0)' >/dev/null || die "the link is not in the status"
expect 1 'a circle is refused' service net-link xenbr1 xenbr0 delay=1ms
expect 1 'no vif and no bridge is called nosuch' service net-link nosuch delay=1ms
expect 1 "invalid value in .delay=soon'" service net-link vif1.0 delay=soon
expect 0 '' service net-link vif1.0 remove
expect 1 'no such link' service net-link vif1.0 remove

# Rules.
expect 0 '^1$' service rule add in=vif1.0 proto=tcp dport=80 state=new drop
expect 0 '^2$' service rule add before=1 from=10.0.0.0/8 accept
expect 0 '' service rule list
[ "$(awk 'NR > 1 { $2 = $3 = ""; print }' stdout | xargs)" = "2 from=10.0.0.0/8 accept 1 in=vif1.0 proto=6 dport=80 state=new drop" ] || die "rules: $(cat stdout)"
[ "$(service status --json | jq -r '.rules | map(.id) | join(" ")')" = "2 1" ] || die "rules in JSON"
expect 1 'a rule ends in one of' service rule add proto=tcp
expect 1 'there is no rule 7' service rule delete 7
expect 0 '' service rule delete 1
expect 0 '' service rule flush

# They come and go, and leave nothing.
rounds=50
[ -z "${TEST_LONG:-}" ] || rounds=1000
before=$(fds "$(dom0_pid)")
for ((i = 0; i < rounds; i++)); do
    service network-attach 1 mac=00:16:3e:00:00:02 && service network-detach 1 00:16:3e:00:00:02 || die "round $i"
done
[ "$(fds "$(dom0_pid)")" -le $((before + 2)) ] || die "descriptors are left"
[ "$(service status --json | jq '.domains[0].vifs | length')" = 2 ] || die "interfaces are left"
kill %1
eventually 10 domains_are 0 || die "the domain stays"
expect 0 '' service net-link xenbr0 xenbr1 remove
expect 0 '' service stop
