# SPDX-License-Identifier: MIT
# timeout: 300
# sanitizers: long: the viewer is no part of us
# A viewer of Chrome traces in a headless Chromium sees in a trace of ours as many slices, arrows and counters as the
# file has, by the same names (trace_viewer.py). CATAPULT is a copy of github.com/catapult-project/catapult, whose
# tracing/bin/trace2html puts a trace into its viewer; PICTURE, if set, the file for a picture of it.
. "$(dirname "$0")/functions.sh"
[ -n "${TEST_LONG:-}" ] || skip "a long test: TEST_LONG=1"
[ -n "${CATAPULT:-}" ] || skip "no viewer: CATAPULT=DIRECTORY of github.com/catapult-project/catapult"
requires python3 chromium chromedriver

image disk1.img 4
start_service --shared-cache off
for i in 1 2; do
    "$BIN/client" $i $((i * 200)) --no-record --seed $i --trace $i.json --sample 1 >$i.out 2>$i.err || die "client: $(cat $i.err)"
    python3 "$CATAPULT/tracing/bin/trace2html" $i.json --output $i.html >html.out 2>&1 || die "no viewer: $(cat html.out)"
done
for i in 1 2; do
    python3 "$TOP/tests/e2e/trace_viewer.py" $i.json $i.html ${PICTURE:+"$PICTURE"} || die "the viewer differs"
done
