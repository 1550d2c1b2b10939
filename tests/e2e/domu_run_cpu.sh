# SPDX-License-Identifier: MIT
# A share of the CPU: what a program may use, how that changes, and what is left of its control group.
# alone: what it measures depends on who else runs
. "$(dirname "$0")/functions.sh"

[ -z "${TEST_SAN:-}" ] || skip "what runs in programs is not sanitized; domu_run.sh has the rest"
[ -x "$BIN/domu-shim" ] || skip "programs run in domains on x86-64 only"
image disk1.img 4
start_service --idle-timeout 0
domid() { service list | awk -v name="$1" '$NF == name { print $1 }'; }

"$BIN/client" 1 100000000 >out 2>err &
client=$!
eventually 10 connected 1 || die "the client does not connect"
expect 1 'keeps to no share of the CPU' service set 1 cpu-share 1/2
kill $client
reap 5000 $client
if ! "$BIN/domu" run --cpu-share 1/2 true 2>why; then
    grep -q '^domu: --cpu-share: .*control group' why || die "no reason: $(cat why)"
    "$BIN/domu" run true || die "without the option it is refused, too"
    skip "no control group may be made here: $(cat why)"
fi

# cpu_ms PID: of CPU time, the kernel's ticks of 10 ms. One that spins for a while, by the real clock.
cpu_ms() { awk '{ print ($14 + $15) * 10 }' "/proc/$1/stat"; }
used_in_a_while() { # PID
    local from
    from=$(cpu_ms "$1")
    timeout 2 tail -f /dev/null
    echo $(($(cpu_ms "$1") - from))
}
"$BIN/domu" run --cpu-share 10% --name busy -- sh -c 'echo $$ >pid; while :; do :; done' &
busy=$!
eventually 10 test -s pid || die "it does not begin"
used=$(used_in_a_while "$(cat pid)")
[ "$used" -le 400 ] || die "$used ms of CPU in 2 s, with a tenth"
expect 0 '' service set "$(domid busy)" cpu-share 1/1000
used=$(used_in_a_while "$(cat pid)")
[ "$used" -le 100 ] || die "$used ms of CPU in 2 s, with a thousandth"
group=$(sed -n 's/^[0-9]*:[^:]*:\(.*splitdom-run-.*\)/\1/p' "/proc/$(cat pid)/cgroup" | head -n 1)
[ -n "$group" ] || die "it is in no group of its own: $(cat "/proc/$(cat pid)/cgroup")"
left() { find /sys/fs/cgroup -name "$(basename "$group")" -type d 2>/dev/null | grep -q .; }
left || die "where is its group?"

# Who asks for no share is in no group, where all would count as one process; a share that is set later moves all of them.
"$BIN/domu" run --name later -- sh -c 'sh -c "while :; do sleep 0.02; done" & echo $! >child; wait' &
later=$!
eventually 10 test -s child || die "it does not begin"
in_group() { grep -q splitdom-run- "/proc/$(cat child)/cgroup" && grep -q splitdom-run- "/proc/$(parent_of "$(cat child)")/cgroup"; }
parent_of() { sed -n 's/^PPid:[[:space:]]*//p' "/proc/$1/status"; }
! grep -q splitdom-run- "/proc/$(cat child)/cgroup" || die "it is in a group without a share"
expect 0 '' service set "$(domid later)" cpu-share 1/2
eventually 5 in_group || die "it is in no group, with a share"
expect 0 '' service destroy "$(domid later)"
reap 5000 $later

# Who may not be moved, as one of a real-time class where the kernel has RT_GROUP_SCHED, is told of.
if chrt -f 1 true 2>/dev/null; then
    "$BIN/domu" run --name real -- chrt -f 1 sh -c 'echo $$ >real; while :; do sleep 0.02; done' 2>real.err &
    later=$!
    eventually 10 test -s real || die "it does not begin"
    told() { grep -q splitdom-run- "/proc/$(cat real)/cgroup" || grep -q 'stays out of the control group' real.err; }
    expect 0 '' service set "$(domid real)" cpu-share 1/2
    eventually 5 told || die "it is in no group, and nobody says so: $(cat real.err)"
    expect 0 '' service destroy "$(domid real)"
    reap 5000 $later
fi

# Killed with its program, nobody is there to remove the group; the next one does.
kill -9 $busy "$(cat pid)"
reap 5000 $busy
eventually 5 gone "$(cat pid)" || die "the program does not end"
"$BIN/domu" run --cpu-share 1/2 true || die "the next one fails"
left && die "the group of a killed one is left"
exit 0
