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

# ---- stages -------------------------------------------------------------------------------------

stage_unit() {
    build unit all unit-programs
    mapfile -t list < <(unit_programs build/plain)
    run_programs unit 180 "" "${list[@]}"
}

# tests/tests.mk names the programs of abi and stress in variables; list-abi and list-stress print them.
stage_abi() {
    build abi abi-programs
    mapfile -t list < <(programs list-abi)
    run_programs abi 180 "" "${list[@]}"
}

# The ring's stress programs take the number of requests and the size of the ring.
stress_programs() { # STAGE MAKE-VARIABLES REQUESTS RUNNER...
    local stage=$1 vars=$2 requests=$3 program order list
    shift 3
    # shellcheck disable=SC2086 # vars is a list
    {
        build "$stage" $vars stress-programs
        mapfile -t list < <(programs $vars list-stress)
    }
    for program in "${list[@]}"; do # one at a time: each uses all cores
        is_built "$stage" "$vars" "$program" || continue
        for order in 0 2; do
            "$1" "$stage" "$(basename "$program")-order-$order" $((requests / 5000 + 60)) \
                "${@:2}" "$program" --requests "$requests" --page-order $order
        done
    done
}

stage_stress() {
    local wrapper
    stress_programs stress "" "${STRESS_REQUESTS:-150000}" run_one
    by_itself run_one stress barriers 300 bash tests/stress/barriers.sh
    begin_stage stress-tsan
    wrapper=$(tsan_wrapper) || {
        note stress-tsan all 77 "the thread sanitizer does not run on this system"
        return
    }
    # shellcheck disable=SC2086
    stress_programs stress-tsan SAN=thread $((${STRESS_REQUESTS:-150000} / 3)) run_sanitized $wrapper
}

stage_workloads() {
    build workloads all workload-programs
    # Without fio's source its test is skipped.
    timeout 120 make --no-print-directory fio-engine >"$LOGS/workloads/fio-engine.log" 2>&1
    TEST_SAN='' e2e_scripts workloads "$TOP/bin" 1 run_one tests/workloads
}

# A fixed set of seeds under the address sanitizer, and fresh ones for SIM_SECONDS (0: none): what is new is looked
# for by make check-long, not while somebody waits for a verdict on a change. Then a million lives of a domain's clock.
stage_sim() {
    local seeds=${SIM_SEEDS:-800} part sim=tests/sim/sim lives=build/plain/tests/sim/time/lives vars=SAN=address,undefined
    local frames=build/plain/tests/sim/net/frames vifs=build/plain/tests/sim/net/vifs
    build sim sim-programs
    build sim $vars sim-programs
    is_built sim "" "build/plain/$sim" && beside run_one sim queue_twins 600 tests/sim/twins.sh
    is_built sim "" "$lives" && beside run_one sim time_lives 300 "$lives"
    # In parts: what wants the machine for itself waits for one of them.
    is_built sim "$vars" "build/san-address-undefined/$sim" && for part in 1 2 3 4; do
        beside run_sanitized sim "fixed_seeds_$part" 300 "build/san-address-undefined/$sim" \
            --seeds "$((seeds * (part - 1) / 4 + 1)):$((seeds / 4))"
    done
    [ "${SIM_SECONDS:-0}" = 0 ] || { is_built sim "" "build/plain/$sim" &&
        beside run_one sim fresh_seeds $((SIM_SECONDS + 120)) "build/plain/$sim" --seconds "$SIM_SECONDS"; }
    is_built sim "" "$frames" &&
        beside run_one sim net_frames 300 "$frames" --seeds "1:$((seeds / 10))"
    is_built sim "" "$vifs" && {
        beside run_one sim net_vifs 300 "$vifs" --seeds "1:$((seeds / 5))"
        [ -z "${TEST_LONG:-}" ] || beside run_one sim net_twins 1200 tests/sim/net/twins.sh
    }
    is_built sim "" "$lives" && {
        beside run_one sim time_lives_unsaved 300 "$lives" --unsaved --lives 200000
        beside run_one sim time_twins 300 tests/sim/time/twins.sh
    }
    wait
}

# Each walks through all calls that can fail; one at a time, because what one has left is counted.
# Under the address sanitizer: what a failure leaves half-built is where memory is used wrongly.
stage_faults() {
    local program test source tests vars=SAN=address,undefined out=$TOP/build/san-address-undefined
    build faults $vars all fault-programs
    mapfile -t list < <(programs $vars list-faults)
    for program in "${list[@]}"; do
        is_built faults "$vars" "$program" || continue
        # In parts: what wants the machine for itself waits for one of them. Each takes the test's name.
        source=tests/faults/$(basename "$program").c
        mapfile -t tests < <(sed -n 's/^static void \([a-z0-9_]*\)(void \*\*state)$/\1/p' "$source")
        [ ${#tests[@]} = "$(grep -c '^ *cmocka_unit_test' "$source")" ] ||
            note faults "$(basename "$program")" 1 "the names of the tests in $source are not found"
        for test in "${tests[@]}"; do
            TEST_SAN=${vars#SAN=} run_sanitized faults "$(basename "$program")-$test" 900 "$program" "$test"
        done
    done
    BIN=$out/bin TEST_BIN=$out/tests/faults TEST_SAN=${vars#SAN=} \
        run_sanitized faults programs 1500 bash tests/faults/programs.sh
}

stage_e2e() {
    build e2e all e2e-programs
    TEST_SAN='' e2e_scripts e2e "$TOP/bin" 2 run_one
}

# The neighbour's rate is measured for so short a time, and on so busy a machine, that only a collapse
# can be told, and under a sanitizer nothing; make check-hostile measures longer.
hostile_peers() { # STAGE BIN RATIO-MIN P99-MAX RUNNER
    local stage=$1 bin=$2 ratio_min=$3 p99_max=$4 runner=$5
    build "$stage" hostile-programs
    # shellcheck disable=SC2317 # called below
    one_hostile() {
        local script=tests/hostile/run.sh
        [ "$1" = hostile ] || script=tests/hostile/net/run.sh
        CASE_MS=${CASE_MS:-100} RATIO_MIN=${RATIO_MIN:-$ratio_min} FLOOD_RATIO_MIN=${FLOOD_RATIO_MIN:-$ratio_min} \
            FLOOD_P99_MAX=${FLOOD_P99_MAX:-$p99_max} BIN=$bin TEST_BIN=$TOP/build/plain/tests \
            "$runner" "$stage" "$1" 1200 bash $script
    }
    first_try=yes one_hostile hostile
    first_try=yes one_hostile hostile_net
    try_again "$stage" one_hostile hostile hostile_net
}

stage_hostile() {
    build hostile all
    TEST_SAN='' hostile_peers hostile "$TOP/bin" 0.10 100 run_one
}

stage_model() {
    run_one model protocols 300 bash tests/model/run.sh
}

stage_install() {
    build install all lib
    run_one install install 300 bash tests/run-install.sh
}

# The stages with sanitizers: name, sanitizers, what runs under them.
sanitized_stages='
asan          address,undefined  unit
asan-e2e      address,undefined  e2e
asan-hostile  address,undefined  hostile
tsan          thread             unit
tsan-e2e      thread             e2e
tsan-hostile  thread             hostile'

# Of stage_sanitized, with its list: a program that cannot start a thread has no races. Nor has one that says so
# in its source, "tsan: long: WHY", which is left to make check-long.
leave_those_that_race() {
    local program symbols racing=() says_so
    build "$stage" unit-programs
    says_so=$(grep -rl '^ \* tsan: long: ' tests/unit)
    for program in "${list[@]}"; do
        [[ -z "${TEST_LONG:-}" && "$says_so" = *"/$(basename "$program").c"* ]] && continue
        symbols=$(nm -D --undefined-only "build/plain/tests/$(basename "$program")" 2>/dev/null) ||
            symbols=pthread_create # not known: it may
        [[ $symbols != *pthread_create* ]] || racing+=("$program")
    done
    list=("${racing[@]}")
}

stage_sanitized() { # STAGE SANITIZERS unit|e2e|hostile
    local stage=$1 san=$2 vars=SAN=$2 out=build/san-${2//,/-} wrapper=env
    if [ "$san" = thread ] && ! wrapper=$(tsan_wrapper); then
        note "$stage" all 77 "the thread sanitizer does not run on this system"
        return
    fi
    # shellcheck disable=SC2086,SC2317 # wrapper is a list
    run_wrapped() { run_sanitized "$1" "$2" "$3" $wrapper "${@:4}"; }
    case $3 in
    unit)
        mapfile -t list < <(unit_programs "$out")
        [ "$san" != thread ] || leave_those_that_race
        build "$stage" "$vars" "${list[@]}"
        run_sanitized_programs "$stage" 400 "$vars" "$wrapper" "${list[@]}"
        ;;
    e2e)
        build "$stage" "$vars" all e2e-programs
        TEST_SAN=$san e2e_scripts "$stage" "$TOP/$out/bin" 5 run_wrapped
        ;;
    hostile)
        build "$stage" "$vars" all
        TEST_SAN=$san hostile_peers "$stage" "$TOP/$out/bin" 0 1000000 run_wrapped
        ;;
    esac
}

stage_clang() {
    if ! command -v clang >/dev/null; then
        note clang build 77 "clang is not installed"
        return
    fi
    build clang VARIANT=clang CC=clang all unit-programs abi-programs stress-programs e2e-programs bench-programs lib &&
        note clang build 0 "clang builds everything without a warning"
}

# The lower layers on another architecture: everything cross-compiles without a warning, and their unit
# tests run under QEMU. Its memory order is the host's, so the barriers are shown by the instructions.
stage_aarch64() {
    local vars=VARIANT=aarch64 out=build/aarch64/tests t programs check=is_built
    if ! echo '#include <stdio.h>' | aarch64-linux-gnu-gcc -fsyntax-only -x c - 2>/dev/null; then
        note aarch64 build 77 "needs aarch64-linux-gnu-gcc (Debian: gcc-aarch64-linux-gnu, libc6-dev-arm64-cross)"
        return
    fi
    programs=("$out/aarch64/test_cmocka")
    while read -r t; do
        programs+=("$out/$(basename "$t" .c)")
    done < <(find tests/unit/{ring,tdf,xenstore} -name 'test_*.c' | sort)
    for t in cache_view hit_queue blkfront_view vbd_claims; do # both sides of the shared cache
        programs+=("$out/test_$t")
    done
    build aarch64 $vars all lib stress-programs bench-programs sim-programs "${programs[@]}" && {
        note aarch64 build 0 "everything cross-compiles for aarch64 without a warning"
        check=true
    }
    run_one aarch64 barriers 180 bash tests/aarch64/barriers.sh
    if ! command -v qemu-aarch64 >/dev/null; then
        note aarch64 unit 77 "needs qemu-aarch64 (Debian: qemu-user)"
        return
    fi
    for t in "${programs[@]}"; do
        $check aarch64 $vars "$t" || continue
        TEST_SAN=qemu beside run_one aarch64 "$(basename "$t")" 180 qemu-aarch64 -L /usr/aarch64-linux-gnu "$t"
    done
    wait
}

fuzz_one() { # NAME PROGRAM
    local name=$1 program=$2 short=${1#fuzz_} extra=() seeds
    local work=build/fuzz/$name
    mkdir -p "$work"
    for seeds in tests/fuzz/corpus/"$short" tests/fuzz/corpus/"$name"; do
        [ -d "$seeds" ] && extra+=("$seeds")
    done
    [ -e "tests/fuzz/$short.dict" ] && extra+=("-dict=tests/fuzz/$short.dict")
    # The short run takes the same way each time.
    [ -n "${TEST_LONG:-}" ] || extra+=(-seed=1)
    run_one fuzz "$name" $((FUZZ_SECONDS * 3 + 120)) "$program" "$work" "${extra[@]}" -error_exitcode=1 \
        -max_total_time="$FUZZ_SECONDS" -timeout=20 -rss_limit_mb=1024 -print_final_stats=1 \
        -artifact_prefix="$TOP/$LOGS/fuzz/$name."
}

stage_fuzz() {
    local vars=(VARIANT=fuzz CC=clang "SAN=address,undefined") harness
    local san_env=("UBSAN_OPTIONS=print_stacktrace=1")
    if ! command -v clang >/dev/null; then
        note fuzz all 77 "clang is not installed"
        return
    fi
    build fuzz "${vars[@]}" fuzz-programs
    for harness in tests/fuzz/fuzz_*.c; do
        [ -e "$harness" ] || continue
        harness=build/fuzz/fuzz/$(basename "$harness" .c)
        is_built fuzz "${vars[*]}" "$harness" || continue
        beside fuzz_one "$(basename "$harness")" "$harness"
    done
    wait
}

stage_valgrind() {
    if ! command -v valgrind >/dev/null; then
        note valgrind all 77 "valgrind is not installed"
        return
    fi
    build valgrind unit-programs
    # A handler of SIGBUS lets an access go on (fault_guard): registers must be exact at each one.
    local TEST_SAN=valgrind
    export TEST_SAN
    for program in $(unit_programs build/plain); do
        is_built valgrind "" "$program" || continue
        beside run_one valgrind "$(basename "$program")" 600 valgrind -q --error-exitcode=9 --fair-sched=try \
            --vex-iropt-register-updates=allregs-at-mem-access --suppressions=tests/valgrind.supp \
            --leak-check=full --errors-for-leak-kinds=definite "$program"
    done
    wait
}

stage_lint() {
    local rule begun=(tests/lint/files.sh)
    # globals.sh looks at objects; what does not build, it compiles and reports itself.
    flock -o build/lock-plain make --no-print-directory -k -j"$JOBS" all >"$LOGS/lint/build.log" 2>&1
    # The longest first, beside each other.
    for rule in tests/lint/{headers,selftest,shell,docs}.sh tests/lint/*.sh; do
        case " ${begun[*]} " in *" $rule "*) continue ;; esac
        begun+=("$rule")
        beside run_one lint "$(basename "$rule" .sh)" 300 bash "$rule"
    done
    wait
}

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
        say "tests/run.sh: no stage $s (there are: ${all//$'\n'/ } valgrind)" >&2
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
