# SPDX-License-Identifier: MIT
# docs/tour.md: each of its commands works as it stands there, and shows what the page says.
. "$(dirname "$0")/functions.sh"
requires xenstore-ls gnuplot python3
[ -x "$BIN/domu-shim" ] || skip "programs run in domains on x86-64 only"
[ -z "${TEST_SAN:-}" ] || skip "the page is about plain programs"

ln -s "$BIN" bin
ln -s "$TOP/tools" tools
ln -s "$TOP/disk1.img.sh" disk1.img.sh
sed -n '/^```sh$/,/^```$/p' "$TOP/docs/tour.md" | grep -v '^```' >commands
[ "$(wc -l <commands)" = 22 ] || die "other commands than the test knows: $(cat commands)"
cleanup_fn stop_leftover

front_connected() { [ "$(xenstore-read /local/domain/1/device/vbd/51712/state)" = 4 ]; }
shows() { grep -qE -- "$1" shown || die "$line shows no '$1': $(cat shown)"; }
while IFS= read -r -u 3 line; do
    eval "$line" >shown 2>&1 || die "failed: $line: $(cat shown)"
    case $line in
    *'&') eventually 10 connected 1 || die "the client does not connect" ;;
    *'grep /vbd/')
        shows '^/local/domain/1/device/vbd/51712/ring-ref = '
        eventually 10 front_connected || die "the front end does not connect"
        ;;
    *state) shows '^4$' ;;
    *status) shows '^domains: 1 now' ;;
    *'top -b'*) shows '^ +NAME +STATE ' && shows '^VBD BlkBack 51712 ' ;;
    *trace.json)
        case $line in
        tools/*) grep -q 'trace misses' trace-cdf.svg trace-time.svg || die "not drawn" ;;
        *) shows '^misses: [1-9]' && python3 "$TOP/tests/e2e/trace_check.py" trace.json || die "no trace" ;;
        esac
        ;;
    *'set 1 tdf 10') eventually 10 eval 'service list | grep -qE "^ +1 +256 +10 "' || die "no TDF: $(service list)" ;;
    *date) shows '[0-9]:[0-9][0-9]' ;;
    time*) shows '^real' ;;
    tools/plot*) grep -q 'ten, TDF 10' latency-cdf.svg latency-time.svg || die "not drawn" ;;
    *stop) shows '^requests: [0-9]+ read' ;;
    esac
done 3<commands
expect 3 '' "$BIN/service" status
