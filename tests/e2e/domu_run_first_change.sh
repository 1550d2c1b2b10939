# SPDX-License-Identifier: MIT
# As long as a domain's clock is the kernel's, nothing of files is mediated; from its first change on everything is, also
# for who computes or waits for something else than a time, and such waits notice nothing.
# timeout: 120
# sanitizers: long: what runs in programs is not sanitized; domu_run has the rest
. "$(dirname "$0")/functions.sh"

[ -x "$BIN/domu-shim" ] || skip "programs run in domains on x86-64 only"
filters_of() { awk '/^Seccomp_filters:/ { print $2 }' "/proc/$1/status"; }
outside=$(filters_of self)
[ -n "$outside" ] || skip "this kernel does not tell how many filters a process has"
image disk1.img 4
start_service --idle-timeout 0

# One that is caught from the beginning has it all in one filter.
for tdf in 1 2; do
    count=$("$BIN/domu" run --tdf $tdf -- awk '/^Seccomp_filters:/ { print $2 }' /proc/self/status)
    [ "$count" = $((outside + 1)) ] || die "TDF $tdf: $count filters, $outside outside"
done

# A time that is set is found as it was set, to the nanosecond.
"$BIN/domu" run -- touch -d '2001-02-03 04:05:06.123456789' there || die touch
[ "$("$BIN/domu" run -- stat -c %y there)" = "$(stat -c %y there)" ] || die "a file's time at TDF 1"

# Calls of a program that are caught: none of those that look for files.
if command -v strace >/dev/null && strace -f -o traced true 2>/dev/null; then
    strace -f -o traced -e trace=none "$BIN/domu" run -- sh -c 'ls -l /; exit' >/dev/null || die "ls under strace"
    grep -q 'SYS_SECCOMP' traced || die "strace tells of no call that is caught"
    ! grep -E 'SYS_SECCOMP.*__NR_(newfstatat|fstat|stat|lstat|statx|open|openat)' traced || die "asking for files is caught"
fi

# A handler's jump leaves nothing undone for other threads.
"$BIN/domu" run --tdf 10 -- "$TEST_BIN/stamps_jump" || die "a filter that was left half way"

"$BIN/domu" run --name first -- "$TEST_BIN/first_change" 2>errors &
program=$!
eventually 10 test -s ready || die "the program does not begin: $(cat errors)"
while read -r pid; do
    [ "$(filters_of "$pid")" = $((outside + 1)) ] || die "caught before the change: process $pid"
done <ready
domid=$("$BIN/service" list | awk '$NF == "first" { print $1 }')
"$BIN/service" set "$domid" tdf 1/1000 || die "the rate of domain $domid"
all_reached() {
    local pid
    while read -r pid; do
        [ "$(filters_of "$pid")" = $((outside + 2)) ] || return 1
    done <ready
}
eventually 5 all_reached || die "filters: $(while read -r pid; do filters_of "$pid"; done <ready | tr '\n' ' ')"
touch go
wait $program || die "$? $(cat errors)"
