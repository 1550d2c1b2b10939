#!/bin/bash
# SPDX-License-Identifier: MIT
# Two NBD exports of domains with weights 256 and 512, each read as fast as nbdcopy can: they share the disk 1 : 2.
. "$(dirname "$0")/functions.sh"
requires nbdcopy

truncate -s 1G disk1.img # so much that neither copy ends
start_service --image disk1.img --engine model --model mean=1ms,channels=8 --cache-bytes 0 --depth 8 --depth-isolated 8
first=$SOCKET
start_nbd
SOCKET=${SOCKET}2 URI=${URI}2
start_nbd
service set 1 weight 256 && service set 2 weight 512 || die "weights are refused"

for socket in "$first" "$SOCKET"; do
    nbdcopy --connections=4 --requests=16 --request-size=4096 "nbd+unix:///?socket=$socket" null: 2>/dev/null &
done

# The second domain's rate of now in percent of the first one's.
ratio() {
    service status --json | grep -o '"age_ns":[0-9]*,"rate_now":[0-9]*' | sed 's/.*://' |
        awk '{ rate[NR] = $1 } END { print (rate[1] > 0 ? int(100 * rate[2] / rate[1]) : 0) }'
}
is_two() { local r; r=$(ratio); [ "$r" -ge 170 ] && [ "$r" -le 230 ]; }
eventually 20 is_two || die "shares are 100 : $(ratio), not 100 : 200"
service stop >/dev/null || die "stop"
