# SPDX-License-Identifier: MIT
# Unmodified programs on a domain's clock, by the shim alone (the clock is made by hand, without a service): what
# they see of time, that they are started as by exec, and what is refused.
# alone: what it measures depends on who else runs
# sanitizers: long: what runs in programs is not sanitized; domu_run has the rest
. "$(dirname "$0")/functions.sh"

[ "$(uname -m)" = x86_64 ] || skip "the shim is for x86-64"
shim=$BIN/domu-shim
mediated() { "$TEST_BIN/mediated" "$shim" "$@"; }

# took MIN MAX COMMAND...: that it takes so many real milliseconds. The upper bounds are lax, as a loaded machine is late; what
# is not mediated would be outside of them all the same.
took() {
    local min=$1 max=$2 begin
    shift 2
    begin=$(now_ms)
    "$@" || die "$*: exit code $?"
    begin=$(($(now_ms) - begin))
    [ $begin -ge "$min" ] || die "$* took $begin ms, less than $min"
    [ $begin -le $((max * slack)) ] || die "$* took $begin ms, more than $max"
}

took 1000 30000 mediated 10 sleep 0.1
took 300 15000 mediated 1/100 sleep 30
took 300 30000 mediated 3 bash -c 'read -t 0.1 <> <(:); true'

# A change reaches who sleeps: by the old rate these would sleep on for minutes; a pause stops them, the end of it
# lets them go on.
took 100 30000 mediated 1 -c 100:1/1000 sleep 200
took 100 30000 mediated 1000 -c 100:1/1000 bash -c 'sleep 100 & sleep 100 & wait'
took 400 30000 mediated 1 -c 100:0 -c 300:1/100 sleep 5
took 400 30000 mediated 0 -c 400:1/10 sleep 1

# What the program finds is what exec would have made: arguments, environment, name, exit code, signals.
cat >script <<'END'
#!/bin/sh -e
echo "$0 $# $2 $(cat /proc/$$/comm) $VARIABLE"
END
chmod +x script
export VARIABLE='a b'
[ "$(mediated 2 ./script x 'y z')" = "./script 2 y z script a b" ] || die "script: $(mediated 2 ./script x 'y z')"
[ "$(mediated 2 sh -c 'exec ./script x "y z"')" = "./script 2 y z script a b" ] || die "a script by exec"
[ "$(mediated 2 readlink /proc/self/exe)" = "$(readlink -f "$(command -v readlink)")" ] || die "/proc/self/exe"
[ "$(mediated 2 cat /proc/self/cmdline | tr '\0' ' ')" = "cat /proc/self/cmdline " ] || die "cmdline"
rc=0
mediated 2 sh -c 'exit 7' || rc=$?
[ $rc = 7 ] || die "exit code $rc, not 7"
rc=0
mediated 2 sh -c 'kill -TERM $$' || rc=$?
[ $rc = $((128 + 15)) ] || die "exit code $rc, not that of SIGTERM"
rc=0
mediated 2 ./nosuch 2>err || rc=$?
[ $rc = 127 ] && grep -q 'nosuch: no such program' err || die "a program that is not there: $rc $(cat err)"

# Where another user runs it, /proc/self/exe is the shim for the kernel, but not for who reads the link.
nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
if [ "$(id -u)" = 0 ] && "${nobody[@]}" test -r "$shim" -a -x "$TEST_BIN/mediated" 2>/dev/null; then
    exe=$("${nobody[@]}" "$TEST_BIN/mediated" "$shim" 2 readlink /proc/self/exe) &&
        [ "$exe" = "$(readlink -f "$(command -v readlink)")" ] || die "/proc/self/exe of another user: $exe"
fi

# The shim's descriptors stay, whatever the program closes.
took 200 30000 mediated 2 bash -c 'for fd in /proc/self/fd/*; do fd=${fd##*/}; [ $fd -le 2 ] || eval "exec $fd>&-"; done 2>/dev/null; exec sleep 0.1'

# Refused, with a reason: another user's setuid program.
cp /bin/true setuid
if [ "$(id -u)" = 0 ] && chown nobody setuid 2>/dev/null && chmod u+s setuid; then
    rc=0
    mediated 2 ./setuid 2>err || rc=$?
    [ $rc = 126 ] && grep -q 'setuid' err || die "a setuid program: $rc $(cat err)"
fi

# A shim of another version does not take the session's memory for what it is not.
rc=0
mediated 2 -o true 2>err || rc=$?
[ $rc = 126 ] && grep -q 'of different versions' err || die "a session of another version: $rc $(cat err)"
