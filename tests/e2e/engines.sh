# SPDX-License-Identifier: MIT
# Each engine serves the image's bytes, alone and with several clients at once; null and the plain
# model have sectors that carry their number.
# sanitizers: long
. "$(dirname "$0")/functions.sh"

# Sectors of null and model: the number, little-endian, then zeros.
check_pattern() {
    local sector place=0
    while read -r sector; do
        printf '%016x' "$sector"
        place=$((place + 1))
        [ $place -lt 50 ] || break
    done <"$(echo sectors.*)" | sed -E 's/(..)(..)(..)(..)(..)(..)(..)(..)/\8\7\6\5\4\3\2\1\n/g' >wanted
    for ((place = 0; place < 50; place++)); do
        dd if="$(echo read.*)" bs=512 skip=$place count=1 status=none | od -An -v -tx1 -w512 |
            tr -d ' ' | sed -E 's/^(.{16})0{1008}$/\1/'
    done >got
    cmp -s wanted got || die "the pattern is wrong: $(head -n 3 wanted got)"
    rm sectors.* read.*
}

image disk1.img 10
for engine in uring threads 'model --model mean=30us,channels=16,data=image'; do
    # shellcheck disable=SC2086 # engine with its options
    service start --engine $engine 2>err || {
        grep -q 'io_uring is not available' err && continue
        die "engine $engine does not start: $(cat err)"
    }
    cleanup_fn stop_leftover
    service status --json | grep -q "\"engine\":\"${engine%% *}\"" || die "status shows another engine"
    client 8 3000 >/dev/null || die "engine $engine"
    client 8 500 --sectors-per-request 88 >/dev/null || die "engine $engine"
    client 1 3000 --depth 32 >/dev/null || die "engine $engine"
    verify_all 50000
    service stop >/dev/null || die "engine $engine does not stop"
done
for engine in null 'model --model mean=30us,channels=16'; do
    # shellcheck disable=SC2086
    start_service --engine $engine
    client 8 2000 >/dev/null || die "engine $engine"
    [ "$(wc -l <"$(echo sectors.*)")" = 2000 ] || die "engine $engine: records are missing"
    check_pattern
    service stop >/dev/null || die "engine $engine does not stop"
done

# Errors of the disk reach the client as errors, and are counted.
start_service --engine model --model mean=10us,error=0.2,data=image --cache-percent 0
client 4 500 >out 2>err && die "a failing disk, and no error"
grep -qE '^client: [0-9]+ of 500 reads failed' err || die "no word of the failed reads: $(cat err)"
failed=$(sed -n 's/^client: \([0-9]*\) of 500 reads failed.*/\1/p' err)
[ "$failed" -gt 30 ] && [ "$failed" -lt 200 ] || die "$failed of 500 reads failed at 20 %"
verify_all $((500 - failed))
service stop >stdout
grep -q "$failed failed" stdout || die "stop counts otherwise: $(cat stdout)"
