# SPDX-License-Identifier: MIT
# Every kind of reading, wait and timer under domu run (tests/waits), dynamic and static: with bounds that a busy
# machine keeps. What docs/time.md says is real time is left out. tests/waits/run.sh has the strict bounds.
# timeout: 300
# alone: what it measures depends on who else runs
. "$(dirname "$0")/functions.sh"

[ -z "${TEST_SAN:-}" ] || skip "what runs in programs is not sanitized; domu_run.sh has the rest"
[ -x "$BIN/domu-shim" ] || skip "programs run in domains on x86-64 only"
WAITS=${TEST_BIN%/e2e}/waits
[ -x "$WAITS/waits" ] || die "$WAITS/waits is not built"
image disk1.img 4
start_service --idle-timeout 0

judge() { # TDF PROGRAM OPTION...
    local tdf=$1 program=$2
    shift 2
    timeout -k 2 140 "$WAITS/waits" --tdf "$tdf" --quiet --tolerance 20 --slack 25 --tries 5 --wait 20 --jobs 24 --program "$program" "$@" \
        -- "$BIN/domu" run --tdf "$tdf" -- >found 2>&1 || die "TDF $tdf, $program: $(cat found)"
}
judge 10 "$WAITS/waits" --except "$TOP/tests/waits/undilated.txt"
if [ -x "$WAITS/waits_static" ]; then
    judge 10 "$WAITS/waits_static" --except "$TOP/tests/waits/undilated.txt"
fi
[ -z "${TEST_LONG:-}" ] || judge 100 "$WAITS/waits" --except "$TOP/tests/waits/undilated.txt"
