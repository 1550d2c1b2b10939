#!/bin/bash
# SPDX-License-Identifier: MIT
# docs/follow-a-read.md: the breakpoints in docs/follow/ show one cold read and one hit, on both sides, in the order
# that the page shows, and both sides name the same request.
# timeout: 300
. "$(dirname "$0")/functions.sh"

requires gdb make "${CC:-gcc}"
[ -z "${TEST_SAN:-}" ] || skip "the page is about plain programs"
gdb -q -batch -ex run --args /bin/true >out 2>&1 </dev/null
grep -q 'exited normally' out || skip "gdb may not trace a process here: $(tail -n 1 out)"

follow=$TOP/docs/follow
make --no-print-directory -C "$TOP" VARIANT=debug OPT='-O0 -g' build/debug/bin/service build/debug/bin/client >out 2>&1 ||
    die "no programs for a debugger: $(tail -n 5 out)"
debug=$TOP/build/debug/bin
export DEBUGINFOD_URLS=

# has_functions SCRIPT PROGRAM: each function that the script stops at exists.
has_functions() {
    local missing
    gdb -q -batch -x "$follow/$1" "$debug/$2" >out 2>&1 </dev/null
    missing=$(sed -n 's/^Function "\([^"]*\)" not defined.*/\1/p' out | tr '\n' ' ')
    [ -z "$missing" ] || die "docs/follow/$1 stops at what $2 does not have; was it renamed? $missing"
    [ "$(grep -c '^Breakpoint' out)" = "$(grep -c '^break ' "$follow/$1")" ] || die "docs/follow/$1: $(cat out)"
}
has_functions client.gdb client
has_functions dom0.gdb service

# under_gdb SCRIPT PROGRAM ARGUMENT...: its stages are added to the file "stages", its errors to "errors.SCRIPT".
under_gdb() {
    local script=$1
    shift
    timeout -k 2 100 gdb -q -batch -x "$follow/$script" -x "$follow/through.gdb" --args "$debug/$1" "${@:2}" \
        >>stages 2>"errors.$script" </dev/null
}

image disk1.img 4
printf '5\n5\n' >trace
: >stages
cleanup_fn stop_leftover
under_gdb dom0.gdb service start --foreground --no-spin &
dom0=$!
serves() { "$BIN/service" status >/dev/null 2>&1; }
eventually 60 serves || die "Dom0 does not serve under gdb: $(cat errors.dom0.gdb)"
under_gdb client.gdb client 1 2 --pattern trace:trace --no-spin
service stop >/dev/null 2>&1
stopped=$?
wait "$dom0"
for script in client.gdb dom0.gdb; do # a field that has another name
    bad=$(grep -E 'no member named|No symbol|Error in' "errors.$script" | head -n 3)
    [ -z "$bad" ] || die "docs/follow/$script: $bad"
done
[ $stopped = 0 ] || die "Dom0 had gone: $(cat errors.dom0.gdb)"

# The stages that come in one order whatever the timing: how the two sides wake each other (5, 7) and wait (6) depends
# on who is faster. What differs from run to run is masked.
fixed() {
    grep -E '^(client|dom0) +[0-9]' | grep -Ev '^(client +[56]|dom0 +[07]) ' |
        sed -E 's/data [0-9a-f]+/data DATA/; s/(wants an event at) [0-9]+/\1 N/'
}
fixed <stages >seen
sed -n '/^```text$/,/^```$/p' "$TOP/docs/follow-a-read.md" | fixed >page
[ -s page ] || die "docs/follow-a-read.md shows no stages"
diff page seen >difference || die "the stages differ from docs/follow-a-read.md (< page, > seen): $(cat difference stages)"

# agree READ WORD NUMBER: one value follows WORD in NUMBER lines of this read.
agree() {
    local values
    values=$(awk -v read="$1" -v word="$2" '/^client +1 / { n++ }
        n == read { for (i = 1; i < NF; i++) if ($i == word) print $(i + 1) }' stages)
    [ "$(wc -l <<<"$values")" = "$3" ] && [ "$(sort -u <<<"$values" | wc -l)" = 1 ] ||
        die "read $1: $2 is not the same in $3 stages: $(tr '\n' ' ' <<<"$values")"
}
agree 1 id 4
agree 2 id 4
agree 1 sector 7
agree 2 sector 6
agree 1 gref 2
agree 2 gref 2
agree 1 data 2
agree 2 data 2
data=$(od -An -tx1 -j $((5 * 512)) -N 4 disk1.img | tr -d ' ')
[ "$(grep -c " data $data" stages)" = 4 ] || die "sector 5 begins with $data: $(cat stages)"
verify_all 2

# Whoever publishes the index at which Dom0 wants an event rings the doorbell.
awk '/^client +4 / { owed = $5 == $NF "," } /^client +5 / { owed = 0 } /^client +16 / && owed { exit 1 }' stages ||
    die "Dom0 wanted an event and got none: $(cat stages)"
