# SPDX-License-Identifier: MIT
# A domain that gets the number of a dead one inherits nothing: no permission that tools had given,
# no node that the dead one owned, inside or outside its home.
. "$(dirname "$0")/functions.sh"
requires xenstore-write

look() { # PATH: what the domain sees
    echo "$1" >&"${guest[1]}"
    read -r -t $((10 * slack)) answer <&"${guest[0]}" || die "no answer to $1"
}
sees() { # PATH ANSWER
    look "$1" && [ "$answer" = "$2" ] || die "$1 is $answer, not $2"
}
begin() {
    coproc guest { exec "$TEST_BIN/store_guest" look; }
    # shellcheck disable=SC2154 # coproc sets it, and bash unsets it when the process has ended
    guest_process=$guest_PID
}
end() { # of the domain, without a farewell
    kill -9 "$guest_process"
    wait "$guest_process" 2>/dev/null
    eventually 5 domains_are 0 || die "the domain is left"
}

image disk1.img 1
start_service --max-domains 1
eval "$(service env)"
begin
sees name DomU-1
xenstore-write /secret/key 42 /theirs/node mine /local/domain/1/data/old rubbish
xenstore-chmod /secret/key n0 r1
xenstore-chmod /theirs/node n1
sees /secret/key 42
sees /theirs/node mine
sees data/old rubbish
end
# The entry stays in the list as text, for nobody.
[ "$(xenstore-ls -f -p /secret)" = '/secret/key = "42"   (n0,r1)' ] || die "$(xenstore-ls -f -p /secret)"
xenstore-exists /theirs/node && die "a node of the dead domain is left"
xenstore-exists /local/domain/1 && die "its home is left"

begin
sees name DomU-1
sees /secret/key EACCES
sees /theirs/node EACCES
sees data/old ENOENT
end
