# SPDX-License-Identifier: MIT
# A whole Linux as the program: in User-mode Linux at TDF 10 a second of its clock takes ten real ones,
# SECONDS_IN_GUEST times (20).
# timeout: 400
. "$(dirname "$0")/functions.sh"
. "$TOP/tests/waits/guest.sh"

[ -x "$BIN/domu-shim" ] || skip "programs run in domains on x86-64 only"
[ -n "${TEST_LONG:-}" ] || skip "a long test: TEST_LONG=1"
requires linux.uml
image disk1.img 4
start_service --idle-timeout 0
seconds=${SECONDS_IN_GUEST:-20}

guest_init init "$seconds"
exec 3< <(TMPDIR=$PWD timeout -k 2 $((350 * slack)) "$BIN/domu" run --tdf 10 -- linux.uml mem=96M uml_dir="$PWD/uml" root=none \
    rootfstype=hostfs rootflags=/ rw init="$PWD/init" con=null con0=fd:0,fd:1 quiet </dev/null 2>&1)
judge_guest 10 "$seconds" <&3
