# SPDX-License-Identifier: MIT
# An exec in a domain: filters do not pile up along a chain of them, argument lists that can't be read are answered
# as the kernel does, the shim's memory can't be written, and what an exec costs, in page faults.
. "$(dirname "$0")/functions.sh"

[ -z "${TEST_SAN:-}" ] || skip "what runs in programs is not sanitized; domu_run.sh has the rest"
[ -x "$BIN/domu-shim" ] || skip "programs run in domains on x86-64 only"
image disk1.img 4
start_service --idle-timeout 0
exec=$TEST_BIN/exec_in_domain
domu() { timeout -k 2 $((60 * slack)) "$BIN/domu" run -- "$@"; }

# One filter for all, one for timers, two for receive time-outs (calls that receive; reads); what surrounds this test may have some, too.
outside=$(awk '/^Seccomp_filters:/ { print $2 }' /proc/self/status)
if [ -n "$outside" ]; then
    filters=$(domu "$exec" chain 2000) || die "a chain of 2,000 programs fails"
    [ "$filters" = $((outside + 4)) ] || die "$filters filters after 2,000 programs, $outside outside"
fi

[ "$(domu "$exec" faults)" = "done" ] || die "odd argument lists"

fd=$(domu sh -c 'ls -l /proc/self/fd' | awk '/splitdom-shim/ { for (i = 1; i < NF; i++) if ($i ~ /^[0-9]+$/ && $(i + 1) == "->") print $i }')
[ -n "$fd" ] || die "no memory with the shim's bytes"
expect 2 'not permitted' domu sh -c "echo x >/proc/self/fd/$fd"

# A copy of the shim at each exec would be 16 pages more, and one of what it is given from its file and writes to 7.
plain=$("$exec" cost 50)
dilated=$(domu "$exec" cost 50)
echo "page faults of an exec: $plain, in a domain $dilated"
[ "$dilated" -le $((plain + 10)) ] || die "an exec in a domain takes $dilated page faults instead of $plain"
