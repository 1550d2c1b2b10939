# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The stages of tests/run.sh, a function stage_NAME each; what builds and runs the programs of a stage is there.

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
