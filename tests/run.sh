#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs the tests in stages: tests/run.sh [all] [STAGE...]; no argument means all.
#   all = the table at the end of this file; valgrind only when named: it runs one thread at a time
# Each program or script is one test: exit 0 = passed, 77 = skipped (its last line says why), all
# else = failed. Logs: build/logs/STAGE/NAME.log. The last line is "N passed, N failed, N skipped".
#
# A test gets in its environment:
#   BIN            directory of the programs to test (absolute)
#   TOP            this tree (absolute)
#   IMAGE_DIR      a directory on disk where images may be kept between tests (absolute)
#   TEST_BIN       directory of the helpers built from tests/e2e/*.c (absolute)
#   TEST_SAN       empty, or the sanitizers that BIN is built with: time limits must then be lax
#   TEST_LONG      not empty: take the long variants (make check-long)
#   TEST_LOG       base name for files that should outlive the test
# and runs in TOP. A script may raise its time limit of 120 seconds with a line "# timeout: N"; twice that
# passes before it is ended, five times that under a sanitizer. Whatever process it leaves behind makes it
# fail, and is ended.
set -u
cd "$(dirname "$0")/.." || exit 1
unset MAKEFLAGS MAKEOVERRIDES MFLAGS MAKELEVEL SAN VARIANT OUT BIN V CC
TOP=$PWD
JOBS=${JOBS:-$(nproc)}
[ "$JOBS" -gt 4 ] && JOBS=4
FUZZ_SECONDS=${FUZZ_SECONDS:-6}
export TOP IMAGE_DIR=$TOP/build/images
LOGS=build/logs
mkdir -p "$IMAGE_DIR"
. tests/runner.sh

# ---- building -----------------------------------------------------------------------------------

# build STAGE TARGETS AND VARIABLES...: keeps going, so that one broken program costs only itself.
# One make at a time in a variant's directory. Where nothing is broken no program needs to be looked at.
broken= # something of this stage does not build
build() {
    local stage=$1 word variant=plain
    shift
    for word in "$@"; do
        case $word in SAN=* | VARIANT=*) variant=${word#*=} ;; esac
    done
    with_others flock -o "build/lock-$variant" make --no-print-directory -k -j"$JOBS" "$@" \
        >"$LOGS/$stage/build.log" 2>&1 && return 0
    broken=yes
    note "$stage" build 1 "does not build: make $*"
    return 1
}
programs() { make --no-print-directory -s "$@"; }
up_to_date() { make --no-print-directory -q "$@" >/dev/null 2>&1; }

# is_built STAGE VARS PROGRAM: one that was not built is a test that failed.
is_built() {
    # shellcheck disable=SC2086 # vars is a list
    [ -x "$3" ] && { [ -z "$broken" ] || up_to_date $2 "$3"; } && return 0
    note "$1" "$(basename "$3")" 1 "not built, see $LOGS/$1/build.log"
    return 1
}

# run_programs STAGE SECONDS VARS PROGRAM...
run_programs() {
    local stage=$1 limit=$2 vars=$3
    shift 3
    # shellcheck disable=SC2317 # in_parallel calls it
    one_program() { is_built "$stage" "$vars" "$1" && run_one "$stage" "$(basename "$1")" "$limit" "$1"; }
    in_parallel one_program "$stage" "$@"
}

unit_programs() { # DIRECTORY OF THE BUILD
    local t
    find tests/unit -name 'test_*.c' | sort | while read -r t; do
        say "$1/tests/$(basename "$t" .c)"
    done
}

# ---- sanitizers ---------------------------------------------------------------------------------

# sanitizers VARIANT STAGE: their options; reports go to STAGE/NAME.report.PID
run_sanitized() { # STAGE NAME...: run_one with report files
    local report=$TOP/$LOGS/$1/$2.report
    local san_env=(
        "ASAN_OPTIONS=log_path=$report:detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1"
        "UBSAN_OPTIONS=log_path=$report:print_stacktrace=1"
        "TSAN_OPTIONS=log_path=$report:second_deadlock_stack=1$([ -e tests/tsan.supp ] && echo ":suppressions=$TOP/tests/tsan.supp")"
    )
    run_one "$@"
}

# Thread sanitizer needs a memory map that some kernels' randomisation breaks; setarch -R mends it.
tsan_wrapper() {
    local probe=build/tsan-probe.$BASHPID
    echo 'int main(void) { return 0; }' | gcc -fsanitize=thread -x c -o "$probe" - 2>/dev/null || return 1
    if "$probe" 2>/dev/null; then
        echo env
    elif setarch -R "$probe" 2>/dev/null; then
        echo setarch -R
    else
        rm -f "$probe"
        return 1
    fi
    rm -f "$probe"
}

run_sanitized_programs() { # STAGE SECONDS VARS WRAPPER PROGRAM...
    local stage=$1 limit=$2 vars=$3 wrapper=$4
    shift 4
    # shellcheck disable=SC2086,SC2317 # wrapper is a list; in_parallel calls it
    one_sanitized() {
        is_built "$stage" "$vars" "$1" &&
            TEST_SAN=${vars#SAN=} run_sanitized "$stage" "$(basename "$1")" "$limit" $wrapper "$1"
    }
    in_parallel one_sanitized "$stage" "$@"
}

. tests/stages.sh

# ---- the whole ----------------------------------------------------------------------------------

# In the order of make check: name, what it does.
stages_and_words='
unit          each source file alone
abi           our layouts and rings against libxen'"'"'s headers
stress        both ring halves at full speed, across the wrap
e2e           the programs, from outside
hostile       front and back ends that lie, flood and die
faults        every call that can fail does, one after the other
sim           both halves, store, disk and clocks on a seeded scheduler
model         the protocols of sleep and cache proven, their broken twins refuted
workloads     software that knows nothing of it works on its disks
install       an installed tree and a program that knows nothing else
asan          unit tests, memory and undefined behaviour
asan-e2e      end to end, memory and undefined behaviour
asan-hostile  hostile peers, memory and undefined behaviour
tsan          unit tests, races
tsan-e2e      end to end, races
tsan-hostile  hostile peers, races
clang         the second compiler, without a warning
aarch64       another architecture: it compiles, its lower layers run
fuzz          libFuzzer on all that a peer can write
lint          layers, limits, layout, words'
all=$(awk '{ print $1 }' <<<"$stages_and_words")

# These measure no time: they run beside the others, where there is more than one processor. A lane a line: how much
# nicer it is, and its stages. What only computes is the nicest, and takes what nobody else wants.
side_lanes='
5   faults abi asan tsan
10  model sim clang aarch64 fuzz lint valgrind'
lane_of() { awk -v s="$1" '{ for (i = 2; i <= NF; i++) if ($i == s) print $1 }' <<<"$side_lanes"; }

# run_stage NAME: by the table of sanitizers, or by a function of its own
run_stage() {
    local row
    row=$(awk -v s="$1" '$1 == s' <<<"$sanitized_stages")
    # shellcheck disable=SC2086 # row is a list
    if [ -n "$row" ]; then stage_sanitized $row; else "stage_$1"; fi
}

stages=()
for s in "${@:-all}"; do
    # shellcheck disable=SC2206
    if [ "$s" = all ]; then stages+=($all); else stages+=("$s"); fi
done
for s in "${stages[@]}"; do
    declare -F "stage_$s" >/dev/null || grep -q "^$s " <<<"$sanitized_stages" || {
        say "tests/run.sh: no stage $s (there are: $(xargs <<<"$all") valgrind)" >&2
        exit 2
    }
done

rm -rf "$LOGS"
mkdir -p "$LOGS"

# Sets cpu_now: seconds of processor time that the children of this shell have taken, daemons apart.
cpu_now=0
count_cpu() {
    local file=$LOGS/times.$BASHPID
    times >"$file"
    cpu_now=$(awk 'NR == 2 { split($1, u, "[ms]"); split($2, s, "[ms]")
                             printf "%d", u[1] * 60 + u[2] + s[1] * 60 + s[2] }' "$file")
    rm -f "$file"
}

# run_stages STAGE...: one after the other; leaves their seconds.
run_stages() {
    local s begin cpu
    for s in "$@"; do
        begin=$SECONDS cpu=$cpu_now
        begin_stage "$s" "$(awk -v s="$s" '$1 == s { $1 = ""; print substr($0, 2) }' <<<"$stages_and_words")"
        broken=
        run_stage "$s"
        count_cpu
        say "$((SECONDS - begin)) $((cpu_now - cpu))" >"$LOGS/$s/took"
        say "   $s took $((SECONDS - begin)) s, $((cpu_now - cpu)) s of processor time; $SECONDS s in all"
    done
}

# A side lane says what it has to say of a stage when that has ended, and leaves the processors to the main lane.
run_side_lane() { # NICER STAGE...
    local s nicer=$1
    shift
    side_lane=yes
    renice -n $(($(nice) + nicer)) -p "$BASHPID" >/dev/null 2>&1
    for s in "$@"; do
        run_stages "$s" >"$LOGS/side-$nicer.out" 2>&1
        say "$(<"$LOGS/side-$nicer.out")"
    done
}

main_lane=() sides=()
for s in "${stages[@]}"; do
    [ -n "$(lane_of "$s")" ] || main_lane+=("$s")
done
lanes=$(for s in "${stages[@]}"; do say "lane $(lane_of "$s")"; done | sort -u | wc -l)
if [ "$JOBS" = 1 ] || [ "$lanes" = 1 ]; then
    run_stages "${stages[@]}"
else
    while read -r nicer in_lane; do
        side=()
        for s in $in_lane; do
            case " ${stages[*]} " in *" $s "*) side+=("$s") ;; esac
        done
        [ ${#side[@]} != 0 ] || continue
        say "== beside the others: ${side[*]}"
        run_side_lane "$nicer" "${side[@]}" </dev/null &
        sides+=($!)
    done <<<"$side_lanes"
    (run_stages ${main_lane[@]+"${main_lane[@]}"}) # a shell of its own has no job but its tests
    wait ${sides[@]+"${sides[@]}"}
fi

# On one page: per stage how many and how long, then what went wrong and what was left out.
say ""
printf '%-14s %8s %8s %8s %8s %8s\n' stage passed failed skipped seconds CPU
for dir in "$LOGS"/*/; do
    pass=0 fail=0 skip=0
    for r in "$dir"*.result; do
        [ -e "$r" ] || continue
        read -r status _ <"$r"
        case $status in
        0) pass=$((pass + 1)) ;;
        77) skip=$((skip + 1)) ;;
        *) fail=$((fail + 1)) ;;
        esac
    done
    seconds=- cpu=-
    [ ! -e "$dir/took" ] || read -r seconds cpu <"$dir/took"
    printf '%-14s %8d %8d %8d %8s %8s\n' "$(basename "$dir")" $pass $fail $skip "$seconds" "$cpu"
done
say "total: $SECONDS s"
summary
