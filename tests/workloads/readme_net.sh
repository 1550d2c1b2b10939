#!/bin/bash
# SPDX-License-Identifier: MIT
# The README's commands for two namespaces joined by a link, as they stand there, and what they promise.
. "$(dirname "$0")/functions.sh"
requires ip ping
[ "$(id -u)" = 0 ] || skip "needs root, for ip netns"
[ -r /dev/net/tun ] && [ -w /dev/net/tun ] || skip "needs /dev/net/tun"
service --help | grep -q net-link || skip "this service has no links"

one=readme-a-$$ two=readme-b-$$
sed -n '/^Two network namespaces/,/^## Map/p' "$TOP/README.md" | sed -n '/^```$/,/^```$/p' | grep -v '^```' |
    sed "s,\./bin/,$BIN/,g; s,netns \(add\|exec\) a\b,netns \1 $one,g; s,netns \(add\|exec\) b\b,netns \1 $two,g" >commands
[ "$(wc -l <commands)" = 6 ] || die "not six commands: $(cat commands)"
ip netns add "$one" 2>netns.log && ip netns del "$one" || skip "no network namespaces are permitted here"
clean_namespaces() {
    ip netns pids "$one" | xargs -r kill 2>/dev/null
    ip netns pids "$two" | xargs -r kill 2>/dev/null
    ip netns del "$one" 2>/dev/null
    ip netns del "$two" 2>/dev/null
}
cleanup_fn stop_leftover
cleanup_fn clean_namespaces

image disk1.img 1
has_link() { ip netns exec "$1" ip -o link show eth0 2>/dev/null | grep -q LOWER_UP; }
has_links() { has_link "$one" && has_link "$two"; }
number=0
while IFS= read -r line; do
    number=$((number + 1))
    # On a busy machine the tap devices come later than their interfaces.
    [ $number != 6 ] || eventually 10 has_links || die "no interfaces in the namespaces"
    eval "$line" >output.$number 2>&1 || die "failed: $line: $(cat output.$number)"
done <commands
grep -q ' 0% packet loss' output.6 || die "ping: $(cat output.6)"
least=$(sed -n 's,^rtt [^=]*= \([0-9]*\)\..*,\1,p' output.6)
[ "$least" -ge 20 ] || die "a round trip of $least ms over a link of 10 ms each way"
