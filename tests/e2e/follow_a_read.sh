#!/bin/bash
# SPDX-License-Identifier: MIT
# docs/follow-a-read.md: the breakpoints in docs/follow/ show one cold read and one hit, each side in the order that
# the page shows, and both sides name the same request.
# timeout: 600
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

# under_gdb SIDE PROGRAM ARGUMENT...: its stages are in the file stages.SIDE, its errors in errors.SIDE. Each side has a
# file of its own: gdb writes a line in pieces, so the lines of two would mix. For the order across the sides there are
# the ring's indexes.
under_gdb() {
    local side=$1
    shift
    timeout -k 2 250 gdb -q -batch -x "$follow/$side.gdb" -x "$follow/through.gdb" --args "$debug/$1" "${@:2}" \
        >"stages.$side" 2>"errors.$side" </dev/null
}

image disk1.img 4
printf '5\n5\n' >trace
cleanup_fn stop_leftover
under_gdb dom0 service start --foreground --no-spin --shared-cache off &
dom0=$!
serves() { "$BIN/service" status >/dev/null 2>&1; }
eventually 200 serves || die "Dom0 does not serve under gdb: $(cat errors.dom0)"
under_gdb client client 1 2 --pattern trace:trace --no-spin
service stop >/dev/null 2>&1
stopped=$?
wait "$dom0"
for side in client dom0; do # a field that has another name
    bad=$(grep -E 'no member named|No symbol|Error in' "errors.$side" | head -n 3)
    [ -z "$bad" ] || die "docs/follow/$side.gdb: $bad"
done
[ $stopped = 0 ] || die "Dom0 had gone: $(cat errors.dom0)"

# fixed SIDE: the stages that come in one order whatever the timing. How the two sides wake each other (5, 7) and wait
# (6) depends on who is faster. What differs from run to run is masked.
fixed() {
    grep -E "^$1 +[0-9]" | grep -Ev '^(client +[56]|dom0 +[07]) ' |
        sed -E 's/data [0-9a-f]+/data DATA/; s/(wants an event at) [0-9]+/\1 N/'
}
for side in client dom0; do
    fixed $side <stages.$side >seen
    sed -n '/^```text$/,/^```$/p' "$TOP/docs/follow-a-read.md" | fixed $side >page
    [ -s page ] || die "docs/follow-a-read.md shows no stages of $side"
    diff page seen >difference ||
        die "$(cat stages.$side) the stages of $side differ from docs/follow-a-read.md (< page, > seen): $(cat difference)"
done

# follows WORD SIDE STAGE READ: what follows WORD in each line of this stage, in the side's given read.
follows() {
    awk -v word="$1" -v side="$2" -v stage="$3" -v read="$4" '$1 != side { next }
        $2 == 1 || $2 == 8 { n++ }
        n == read && $2 == stage { for (i = 3; i < NF; i++) if ($i == word) { sub(",", "", $(i + 1)); print $(i + 1) } }
        ' "stages.$2"
}

# agree READ WORD SIDE:STAGE...: one value follows WORD in all these stages of this read.
agree() {
    local read=$1 word=$2 at values
    shift 2
    values=$(for at in "$@"; do follows "$word" "${at%:*}" "${at#*:}" "$read"; done)
    [ "$(wc -l <<<"$values")" = $# ] && [ "$(sort -u <<<"$values" | wc -l)" = 1 ] ||
        die "read $read: $word is not the same in $*: $(tr '\n' ' ' <<<"$values")"
}
for read in 1 2; do
    agree $read id client:3 dom0:9 dom0:14 client:15
    agree $read sector client:1 client:3 dom0:9 dom0:11 dom0:14 client:16
    agree $read gref client:3 dom0:10
    agree $read slot client:3 dom0:8
    agree $read req_prod client:4 dom0:8
    agree $read data dom0:14 client:16
    [ "$(follows rsp_prod dom0 14 $read)" = "$(follows rsp_cons client 15 $read)" ] ||
        die "read $read: the client sees a response that Dom0 has not published: $(cat stages.*)"
done
agree 1 sector client:1 dom0:12
data=$(od -An -tx1 -j $((5 * 512)) -N 4 disk1.img | tr -d ' ')
[ "$(cat stages.* | grep -c " data $data")" = 4 ] || die "sector 5 begins with $data: $(cat stages.*)"
verify_all 2

# Whoever publishes the index at which Dom0 wants an event rings the doorbell.
awk '/^client +4 / { owed = $5 == $NF "," } /^client +5 / { owed = 0 } /^client +16 / && owed { exit 1 }' stages.client ||
    die "Dom0 wanted an event and got none: $(cat stages.client)"
