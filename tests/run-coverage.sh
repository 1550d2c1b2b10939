#!/bin/bash
# SPDX-License-Identifier: MIT
# Which lines of src/ and include/ the tests execute (unit, abi, end to end, faults, simulation, hostile
# peers): a table per file and a total. A header's inline functions count as executed if any program executed them. A process that is
# killed writes no counts.
set -u
cd "$(dirname "$0")/.." || exit 1
unset MAKEFLAGS MAKEOVERRIDES MFLAGS MAKELEVEL SAN VARIANT OUT BIN V CC
out=build/coverage
logs=build/logs-coverage
rm -rf "$logs"
mkdir -p "$logs"
find "$out" -name '*.gcda' -delete 2>/dev/null
build=(make --no-print-directory -k VARIANT=coverage "OPT=-O0 -g")

"${build[@]}" -j"$(nproc)" all unit-programs abi-programs e2e-programs \
    fault-programs sim-programs hostile-programs >"$logs/build.log" 2>&1 ||
    echo "coverage: something does not build, see $logs/build.log" >&2

run() { # NAME COMMAND...
    local name=$1
    shift
    timeout -k 5 400 "$@" >"$logs/$name.log" 2>&1 </dev/null
    case $? in
    0 | 77) ;;
    *) echo "coverage: $name fails, see $logs/$name.log" >&2 ;;
    esac
}
for program in "$out"/tests/test_* $("${build[@]}" -s list-abi) $("${build[@]}" -s list-faults); do
    [ -f "$program" ] && [ -x "$program" ] && run "$(basename "$program")" "$program"
done
run sim "$out/tests/sim/sim" --seeds 1:300
export TOP=$PWD BIN=$PWD/$out/bin TEST_BIN=$PWD/$out/tests/e2e IMAGE_DIR=$PWD/build/images TEST_SAN=coverage TEST_LOG=$PWD/$logs/e2e
mkdir -p "$IMAGE_DIR"
for script in tests/e2e/*.sh; do
    case $script in */functions.sh | *'*'*) continue ;; esac
    [ -x "$BIN/service" ] && run "$(basename "$script" .sh)" bash "$script"
done

CASE_MS=50 RATIO_MIN=0.01 FLOOD_RATIO_MIN=0.01 FLOOD_P99_MAX=1000 TEST_BIN=$PWD/$out/tests run hostile bash tests/hostile/run.sh

# Files that no program was even linked with have notes (.gcno) but no counts: gcov shows them as 0 %.
find "$out" -name '*.gcno' -print0 | sort -z | while IFS= read -r -d '' notes; do
    gcov -t -r "$notes" 2>/dev/null
done | awk -F: '
    $1 ~ /^ *-$/ && $2 ~ /^ *0$/ && $3 == "Source" { file = $4; next }
    file !~ /^(src|include)\// || $1 ~ /^ *-$/ || NF < 3 { next }
    {
        line = $2 + 0
        if (!((file, line) in seen)) { seen[file, line] = 1; lines[file]++ }
        if ($1 !~ /[#=]/ && !((file, line) in hit)) { hit[file, line] = 1; run[file]++ }
    }
    END {
        sorter = "sort"
        for (f in lines) {
            printf "%-44s %6d of %6d lines %6.1f %%\n", f, run[f], lines[f], 100 * run[f] / lines[f] | sorter
            all += lines[f]; ran += run[f]
        }
        close(sorter)
        if (!all) { print "coverage: nothing was counted"; exit 1 }
        printf "%-44s %6d of %6d lines %6.1f %%\n", "total", ran, all, 100 * ran / all
    }'
