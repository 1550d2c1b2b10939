# SPDX-License-Identifier: MIT
# How exact the clock is that programs in a domain read: two of them, at one instant, and against CLOCK_MONOTONIC over
# a time. Judged by the TSC, which all three read. With TEST_LONG=1 a minute at each factor, else a look.
# timeout: 400
. "$(dirname "$0")/functions.sh"

[ -z "${TEST_SAN:-}" ] || skip "what runs in programs is not sanitized; domu_run.sh has the rest"
[ -x "$BIN/domu-shim" ] || skip "programs run in domains on x86-64 only"
image disk1.img 4
start_service --idle-timeout 0

# The readings that took the shortest are compared, so that neighbours on the machine do no harm.
judge() { # TDF SECONDS PPM
    "$TEST_BIN/domu_accuracy" "$1" "$2" -- "$BIN/domu" run --tdf "$1" -- >found && rc=0 || rc=$?
    [ $rc != 77 ] || skip "the kernel does not keep its time by the TSC"
    [ $rc = 0 ] || die "no measurement: $rc"
    echo "TDF $1, $2 s: $(cat found)"
    awk -v ppm="$3" '{ exit !($2 <= 200 && $5 <= ppm && $5 >= -ppm) }' found || die "more than 200 ns, or $3 ppm"
}
if [ -n "${TEST_LONG:-}" ]; then
    for tdf in 1 10 1/2; do
        judge $tdf 60 0.1
    done
else
    judge 10 1 10
fi
