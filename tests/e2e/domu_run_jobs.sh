# SPDX-License-Identifier: MIT
# On a terminal a program in a domain is a job like any other: ^C, ^Z, bg, fg, and its size.
. "$(dirname "$0")/functions.sh"

[ -z "${TEST_SAN:-}" ] || skip "what runs in programs is not sanitized; domu_run.sh has the rest"
[ -x "$BIN/domu-shim" ] || skip "programs run in domains on x86-64 only"
requires python3 perl
image disk1.img 4
start_service --idle-timeout 0
timeout -k 2 $((100 * slack)) python3 "$TOP/tests/e2e/domu_run_jobs.py" "$BIN/domu" || die "see above"
