# SPDX-License-Identifier: MIT
# tools/profile: a table for both processes and a flame graph; without perf it says so.
. "$(dirname "$0")/functions.sh"
requires python3
[ -z "${TEST_SAN:-}" ] || skip "the profile is that of plain programs"
profile=$TOP/tools/profile

mkdir empty
python=$(python3 -c 'import sys; print(sys.executable)')
expect 1 'there is no perf here' env PATH="$PWD/empty" "$python" "$profile" misses
expect 2 "'nonsense' is no workload" "$profile" nonsense
expect 2 "'--seconds' is no workload and no option, or has no value" "$profile" --seconds

requires perf
BIN=$BIN timeout $((100 * slack)) "$profile" misses --seconds 0.5 --output out >table 2>err
status=$?
if [ $status != 0 ]; then
    grep -q 'perf may not be used\|perf: ' err && skip "$(cat err)"
    die "exit $status: $(cat err)"
fi
grep -qE '^workload misses: Dom0 [0-9]+ samples, DomU [0-9]+ samples$' table || die "no samples of both: $(cat table)"
grep -qE '^ +[0-9.]+ %  [a-z_]' table || die "no functions: $(cat table)"
python3 -c '
import sys, xml.dom.minidom
boxes = xml.dom.minidom.parse("out/misses.svg").getElementsByTagName("g")
names = {box.getElementsByTagName("title")[0].firstChild.data.split(":")[0] for box in boxes}
assert {"all", "Dom0", "DomU"} <= names and len(boxes) > 10, names
' || die "no flame graph"
