# SPDX-License-Identifier: MIT
# Programs in domains: their time, what they exit with, and the verbs that reach them.
# alone: what it measures depends on who else runs
# sanitizers: long
. "$(dirname "$0")/functions.sh"

[ -x "$BIN/domu-shim" ] || skip "programs run in domains on x86-64 only"
image disk1.img 4
expect 1 "no service|service start" "$BIN/domu" run true
start_service --idle-timeout 0
domu() { timeout -k 2 $((60 * slack)) "$BIN/domu" "$@"; }
listed() { service list >list && grep -qE "$1" list; }
exits() { # STATUS COMMAND...
    local wanted=$1 is=0
    shift
    "$@" || is=$?
    [ $is = "$wanted" ] || die "exit $is instead of $wanted: $*"
}
domid() { service list | awk -v name="$1" '$NF == name { print $1 }'; }

# What a program exits with, its arguments, its descriptors.
expect 0 '' domu run true
exits 7 domu run -- sh -c 'exit 7'
exits 137 domu run -- sh -c 'kill -9 $$'
exits 143 domu run -- sh -c 'kill -15 $$'
expect 127 "cannot run 'nonexistent': looked for it in PATH" domu run nonexistent
# A program that somebody stops and lets go on again does so, as often as that happens.
cat >stops.sh <<'END'
is_stopped() { grep -q '^State:[[:space:]]*T' /proc/$$/status; }
for i in 1 2 3; do
    (until is_stopped || [ ! -e /proc/$$ ]; do sleep 0.01; done; kill -CONT $$) &
    kill -STOP $$
done
exit 8
END
exits 8 domu run -- sh stops.sh
expect 126 'passwd' domu run /etc/passwd
expect 0 '^a b\|c$' domu run -- printf '%s|%s\n' 'a b' c
[ "$(printf 'to stdin' | domu run cat)" = 'to stdin' ] || die "stdin does not reach the program"
expect 2 'which program' "$BIN/domu" run --tdf 2
expect 1 "a program in a domain can't run another" domu run -- "$BIN/domu" run true
expect 2 'tdf' "$BIN/domu" run --tdf 0 true

# Ten real seconds are one: lax, the machine may be busy. What a program takes by its own clock is
# what it asked for.
begin=$(now_ms)
domu run --tdf 10 -- sh -c 'date +%s%N; sleep 0.2; date +%s%N' >stamps || die "sleep fails"
took=$(($(now_ms) - begin))
own=$(awk 'NR == 1 { a = $1 } NR == 2 { printf "%d", ($1 - a) / 1000000 }' stamps)
[ $took -ge 2000 ] && [ $took -le $((6000 * slack)) ] || die "0.2 s at TDF 10 took $took ms"
[ "$own" -ge 199 ] && [ "$own" -le $((took / 10 + 10)) ] || die "it saw $own ms pass, of $took real ones"

# Where the time namespace of all has an offset, a process has begun when it has, too, and all clocks
# are the domain's; also where only one of the clocks has one.
for offset in '--boottime 100000' '--monotonic 10000000' '--monotonic 100000 --boottime 100000'; do
    # shellcheck disable=SC2086 # several words
    unshare --time --fork $offset true 2>/dev/null || continue
    # shellcheck disable=SC2086 # the same
    timeout -k 2 $((60 * slack)) unshare --time --fork $offset "$BIN/domu" run --tdf 10 -- \
        sh -c 'cat /proc/self/stat /proc/uptime' >began || die "no program runs in a time namespace, $offset"
    domu run --tdf 10 -- cat /proc/uptime >outside || die "no program runs outside"
    cat outside >>began
    awk 'NR == 1 { sub(/.*\) /, ""); began = $20 / 100 } NR == 2 { up = $1; if ((up - began) ^ 2 >= 100) exit 1 }
        NR == 3 { exit !(($1 - up) ^ 2 < 100) }' began || die "another time by $offset: $(cat began)"
done

# The name, the factor, and a change that reaches who sleeps.
"$BIN/domu" run --tdf 1000 --name sleeper -- sleep 1 &
sleeper=$!
eventually 10 listed ' 1000 .* sleeper$' || die "not in the list: $(cat list)"
expect 1 'domain with name "sleeper" already exists' domu run --name sleeper true
expect 1 'letters, digits' domu run --name 'a b' true
expect 0 '' service set "$(domid sleeper)" tdf 1/1000
reap 5000 $sleeper
[ $status = 0 ] || die "the sleeper exits with $status"

# A pause is as long as it lasts, whatever the program waits for, and however fast the clock goes then.
"$BIN/domu" run --name paused -- sh -c 'echo there; sleep 100; echo "done"' >out &
paused=$!
eventually 10 grep -q there out || die "it does not begin"
expect 0 '' service pause "$(domid paused)"
expect 0 '' service set "$(domid paused)" tdf 1/100
stands() { [ "$(domu run sh -c 'sleep 1.5; echo x')" = x ]; } # longer than it would have taken
stands || die "another domain stands still, too"
grep -q 'done' out && die "it did not stand still"
expect 0 '' service unpause "$(domid paused)"
reap 10000 $paused
grep -q 'done' out || die "it did not go on"

# shutdown is SIGTERM to the program; destroy ends all there is, and who ignores it, too.
"$BIN/domu" run --name polite -- sh -c 'trap "echo term; exit 5" TERM; echo there; while :; do sleep 0.05; done;' >polite &
polite=$!
eventually 10 grep -q there polite || die "it does not begin"
expect 0 '' service shutdown "$(domid polite)"
reap 5000 $polite
[ $status = 5 ] || die "after shutdown it exits with $status"
grep -q term polite || die "it got no SIGTERM"
"$BIN/domu" run --name stubborn -- sh -c 'trap "" TERM; (trap "" TERM; setsid sleep 1000 & echo $! >left; wait) & while :; do sleep 1; done;' &
stubborn=$!
eventually 10 test -s left || die "it does not begin"
expect 0 '' service shutdown "$(domid stubborn)"
gone $stubborn && die "shutdown ended who ignores it"
expect 0 '' service destroy "$(domid stubborn)"
reap 5000 $stubborn
[ $status = 137 ] || die "after destroy it exits with $status"
eventually 5 gone "$(cat left)" || die "a process outlived destroy"
expect 1 'no domain 77' service destroy 77
# A domain that does not listen ends by destroy, too; a client says why.
"$BIN/client" 1 100000000 >out 2>err &
client=$!
eventually 10 connected 1 || die "the client does not connect"
expect 0 '' service destroy "$(service list | awk -v pid=$client '$6 == pid { print $1 }')"
reap 5000 $client
grep -q 'Dom0 has destroyed this domain' err || die "the client does not say why: $(cat err)"

# Signals are passed on; descendants are waited for, also those that nobody waits for.
"$BIN/domu" run -- sh -c 'trap "exit 9" USR1; echo there; while :; do sleep 0.05; done;' >begun &
passed=$!
eventually 10 grep -q there begun || die "it does not begin"
kill -USR1 $passed
reap 5000 $passed
[ $status = 9 ] || die "SIGUSR1 was not passed on: exit $status"
exits 3 domu run -- sh -c '(sleep 0.3; echo late >later) & exit 3'
[ -s later ] || die "a descendant was not waited for"

# A parent that ignores SIGCHLD leaves that to its children: the end is noticed all the same, and the program has what it had.
deaf() { timeout -k 2 $((20 * slack)) bash -c 'trap "" CHLD; exec "$@"' bash "$BIN/domu" run -- "$@"; }
exits 6 deaf sh -c 'exit 6'
exits 0 deaf grep SigIgn /proc/self/status >ignored
grep -qE '1[0-9a-f]{4}$' ignored || die "the program does not ignore SIGCHLD: $(cat ignored)"

# Dom0 dies: time goes on, and that is said once.
"$BIN/domu" run --tdf 1/10 -- sh -c 'echo there; sleep 10; echo "done"' >last 2>err &
orphan=$!
eventually 10 grep -q there last || die "it does not begin"
kill -9 "$(dom0_pid)"
reap 10000 $orphan
[ $status = 0 ] && grep -q 'done' last || die "it does not outlive Dom0: exit $status"
[ "$(grep -c 'Dom0 is gone' err)" = 1 ] || die "it says: $(cat err)"
