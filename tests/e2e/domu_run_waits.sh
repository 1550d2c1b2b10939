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

# In the background, each on its own: they sleep most of the time.
judges=()
judge() { # NAME TDF PROGRAM
    timeout -k 2 140 "$WAITS/waits" --tdf "$2" --quiet --tolerance 20 --slack 25 --tries 5 --wait 20 --jobs 24 --program "$3" \
        --except "$TOP/tests/waits/undilated.txt" -- "$BIN/domu" run --tdf "$2" -- >"found.$1" 2>&1 &
    judges+=("$! $1")
}
judge dynamic 10 "$WAITS/waits"
[ ! -x "$WAITS/waits_static" ] || judge static 10 "$WAITS/waits_static"
[ -z "${TEST_LONG:-}" ] || judge large 100 "$WAITS/waits"
for each in "${judges[@]}"; do
    wait "${each% *}" || die "${each#* }: $(cat "found.${each#* }")"
done
