# SPDX-License-Identifier: MIT
# timeout: 180
# A guard against slow growth of the data path: instructions per request of a fixed workload, from
# the front end's ring through Dom0 and back, or of the library's view of a shared cache, against the
# committed figure (guard.figures), 5 % up or down; 15 % for misses, whose hash tables have a new secret
# key in each run and chains of another length with it. Counting instructions, not time, gives the same
# result on a busy machine.
# alone: what it measures depends on who else runs
. "$(dirname "$0")/functions.sh"

[ -z "${TEST_SAN-}" ] || skip "instrumented builds have other figures"
requires valgrind readelf
program=${TEST_BIN:-$TOP/build/plain/tests/e2e}/request_path
figures=$TOP/tests/e2e/guard.figures
[ -x "$program" ] || die "$program is not built: make e2e-programs"

# "gcc-12 x86_64": what the figures depend on.
compiler=$(readelf -p .comment "$program" | sed -nE 's/.*GCC: .* ([0-9]+)\.[0-9.]+$/gcc-\1/p; s/.*clang version ([0-9]+)\..*/clang-\1/p' | tail -n 1)
build="$compiler $(uname -m)"

instructions() { # MODE REQUESTS
    "$program" "$1" "$2" >path.out || die "request_path $1 $2: $(cat path.out)"
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$1" "$2" 2>valgrind.out >/dev/null ||
        die "valgrind: $(tail -n 3 valgrind.out)"
    sed -n 's/.*Collected : *\([0-9]*\).*/\1/p' valgrind.out
}

grep -q "^$build " "$figures" || skip "no figures for $build in tests/e2e/guard.figures"
wrong=''
for mode in hit miss passed traced shared; do
    # Two lengths: their difference has no start and end in it.
    less=$(instructions $mode 16000) && more=$(instructions $mode 32000) || exit 1
    now=$(((more - less) / 16000))
    want=$(sed -n "s/^$build $mode //p" "$figures")
    echo "$build $mode $now (committed: ${want:-none})"
    [ -n "$want" ] || die "no figure for $build $mode in tests/e2e/guard.figures"
    slack_percent=5
    [ $mode != miss ] || slack_percent=15
    if [ $((now * 100)) -gt $((want * (100 + slack_percent))) ] ||
        [ $((now * 100)) -lt $((want * (100 - slack_percent))) ]; then
        wrong="$wrong $mode: $now instructions per request instead of $want;"
    fi
done
[ -z "$wrong" ] || die "$wrong find out why; if it is meant, commit the new figures in tests/e2e/guard.figures"
