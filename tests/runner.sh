# SPDX-License-Identifier: MIT
# runner: runs one test, several of them beside each other, scripts once more, and says what has come of them.
# Sourced by run.sh, which sets TOP, LOGS and JOBS, and by lint/runner.sh, which tests it.
#
# A test leaves in LOGS/STAGE: NAME.log, NAME.result ("STATUS SECONDS [again]"), and, where it was run once more,
# NAME.first.log.
# shellcheck shell=bash

san_env=()
say() { printf '%s\n' "$*"; }

# ---- who runs beside whom -----------------------------------------------------------------------

# With several lanes of stages (run.sh) the side lanes keep still while tests of the main lane have the machine for
# themselves: these hold "turn", so that nobody new begins, and wait for "machine", which all others share.
side_lane=
with_others() { # COMMAND...
    [ -n "$side_lane" ] || {
        "$@"
        return
    }
    flock "$LOGS/turn" true
    flock -s -o "$LOGS/machine" "$@"
}
by_itself() { # FUNCTION ARGUMENT...: in a shell of its own. A side lane has no such hour.
    (
        [ -z "$side_lane" ] || {
            "$@"
            return
        }
        exec 8>"$LOGS/turn" 9>"$LOGS/machine"
        flock 8 && flock 9
        "$@" 8>&- 9>&-
    )
}

# ---- one test -----------------------------------------------------------------------------------

# Processes that carry this test's mark, the runner's own shells apart.
left_behind() { # MARK
    grep -lzx "TEST_MARK=$1" /proc/[0-9]*/environ 2>/dev/null | sed 's|^/proc/||; s|/environ$||'
}

# run_one STAGE NAME SECONDS COMMAND...: leaves NAME.log and NAME.result. `again`, if set, goes into the result of
# one that passes.
run_one() {
    local stage=$1 name=$2 limit=$3 log=$LOGS/$1/$2.log begin=$SECONDS status mark left tries=20 p
    shift 3
    [ -z "$side_lane" ] || limit=$((limit * 3)) # the main lane goes first
    mark=$$-$stage-$name
    with_others env "${san_env[@]}" TEST_LOG="$TOP/$LOGS/$stage/$name" TEST_MARK="$mark" \
        timeout -k 5 "$limit" "$@" >"$log" 2>&1 </dev/null
    status=$?
    [ $status = 124 ] || [ $status = 137 ] && say "timed out after $limit s (or killed)" >>"$log"
    left=$(left_behind "$mark")
    while [ -n "$left" ] && [ $tries -gt 0 ]; do # one that is just ending may finish
        sleep 0.1
        tries=$((tries - 1))
        left=$(left_behind "$mark")
    done
    if [ -n "$left" ]; then
        for p in $left; do
            say "left behind: process $p $(tr '\0' ' ' <"/proc/$p/cmdline" 2>/dev/null)" >>"$log"
            kill -9 "$p" 2>/dev/null
        done
        [ $status = 0 ] && status=1
    fi
    # Sanitizers write their reports to files, because a daemon has no terminal.
    for p in "$LOGS/$stage/$name".report.*; do
        [ -e "$p" ] || continue
        cat "$p" >>"$log"
        [ $status = 0 ] && status=1
    done
    [ $status = 0 ] || local again=
    say "$status $((SECONDS - begin)) ${again:-}" >"$LOGS/$stage/$name.result"
    report "$stage" "$name"
}

last_lines() { tail -n "$1" "$2" | sed 's/^/        /'; }

report() { # STAGE NAME
    local status secs again log=$LOGS/$1/$2.log first=$LOGS/$1/$2.first.log
    read -r status secs again <"$LOGS/$1/$2.result"
    if [ "$again" = again ]; then
        say "  again $1/$2 (${secs} s), passed alone; first try, end of $first:"
        last_lines 6 "$first"
        return
    fi
    case $status in
    0) say "  ok    $1/$2 (${secs} s)" ;;
    77) say "  skip  $1/$2: $(grep -v '^ *$' "$log" | tail -n 1)" ;;
    *)
        if [ -n "${first_try:-}" ] && may_try_again "$1" "$2"; then
            say "  later $1/$2 (exit $status, ${secs} s): once more, alone"
            return
        fi
        say "  FAIL  $1/$2 (exit $status, ${secs} s), end of $log:"
        # Of a parallel build the lines that matter are somewhere in the middle.
        if [ "$2" = build ]; then
            grep -E 'error|warning|undefined|\*\*\*' "$log" | head -n 25 | sed 's/^/        /'
        else
            last_lines 25 "$log"
        fi
        if [ -e "$first" ]; then
            say "      and the first try, end of $first:"
            last_lines 10 "$first"
        fi
        ;;
    esac
}

# note STAGE NAME STATUS TEXT: a result without a program, e.g. a build that fails or a missing tool
note() {
    say "$4" >>"$LOGS/$1/$2.log"
    say "$3 0" >"$LOGS/$1/$2.result"
    report "$1" "$2"
}

begin_stage() {
    rm -rf "${LOGS:?}/$1"
    mkdir -p "$LOGS/$1"
    say "== $1${2:+ ($2)}"
}

# ---- a second try ---------------------------------------------------------------------------------

# What no second try may hide: a sanitizer's report, a program's death by a signal, wrong or lost data.
findings='Sanitizer|runtime error:|Segmentation|Aborted|[Aa]ssert|smashing|Bus error|exit 13[4-9]'
findings=$findings'|\<([Ww]rong|[Ll]ost|[Tt]orn|[Cc]orrupt[a-z]*|[Mm]ismatch[a-z]*)\>|does not hold|not what was written'
TRIES_AGAIN_MAX=4 # of a stage: more failures than that are no accident

may_try_again() { # STAGE NAME
    local report
    for report in "$LOGS/$1/$2".report.*; do
        [ -e "$report" ] && return 1
    done
    # A script's own name, in what bash says, is no word of it.
    ! sed "s/$2//g" "$LOGS/$1/$2.log" | grep -qE "$findings"
}

failed() { # STAGE NAME
    local status=0
    [ -e "$LOGS/$1/$2.result" ] && read -r status _ <"$LOGS/$1/$2.result"
    [ "$status" != 0 ] && [ "$status" != 77 ]
}

# to_try_again STAGE TEST...: those of them that failed, and not by a finding, a line each
to_try_again() {
    local stage=$1 test name
    shift
    for test in "$@"; do
        name=$(basename "$test" .sh)
        failed "$stage" "$name" && may_try_again "$stage" "$name" && say "$test"
    done
}

# try_again STAGE FUNCTION TEST...: who is to be tried again is run once more, alone, by FUNCTION TEST. Shared
# machines stand still now and then, also for a test that has them for itself.
try_again() {
    local stage=$1 function=$2 test name list
    shift 2
    mapfile -t list < <(to_try_again "$stage" "$@")
    if [ ${#list[@]} -gt $TRIES_AGAIN_MAX ]; then
        for test in "${list[@]}"; do report "$stage" "$(basename "$test" .sh)"; done
        return
    fi
    for test in ${list[@]+"${list[@]}"}; do
        name=$(basename "$test" .sh)
        mv "$LOGS/$stage/$name.log" "$LOGS/$stage/$name.first.log"
        again=again "$function" "$test"
    done
}

# ---- programs, JOBS beside each other ----------------------------------------------------------

beside() { # FUNCTION ARGUMENT...: begins it when fewer than JOBS others run
    while [ "$(jobs -rp | wc -l)" -ge "$JOBS" ]; do wait -n; done
    "$@" &
}

# in_parallel FUNCTION STAGE PROGRAM...: FUNCTION PROGRAM for each, and once more for those that try_again takes
in_parallel() {
    local function=$1 stage=$2 program
    shift 2
    for program in "$@"; do
        first_try=yes beside "$function" "$program"
    done
    wait
    # The machine is asked for only by who needs it: that waits for what the side lane is at.
    [ -z "$(to_try_again "$stage" "$@")" ] || by_itself try_again "$stage" "$function" "$@"
}

# ---- scripts, a few beside each other ------------------------------------------------------------

# e2e_scripts STAGE BIN FACTOR RUNNER [DIRECTORY]: the factor is of time
e2e_scripts() {
    local stage=$1 factor=$3 runner=$4 dir=${5:-tests/e2e} script left_out limit # in seconds
    local beside=3 # plain ones wait most of the time, sanitized ones compute
    [ -z "${TEST_SAN:-}" ] || beside=2
    export BIN=$2 TEST_BIN=$TOP/build/plain/tests/e2e
    case $2 in */build/*) TEST_BIN=${2%/bin}/tests/e2e ;; esac
    if [ ! -x "$BIN/service" ] || [ ! -x "$BIN/client" ]; then
        note "$stage" programs 1 "no $BIN/service or client: nothing to test end to end"
        return
    fi
    left_out=()
    # The longest first; then those that want to be alone.
    for script in $(longest_first "$dir"); do
        is_due "$script" || continue
        grep -q '^# alone' "$script" && continue
        while [ "$(jobs -rp | wc -l)" -ge $beside ]; do wait -n; done
        first_try=yes e2e_script "$script" &
    done
    wait
    ! wants_machine || by_itself run_alone
    [ ${#left_out[@]} = 0 ] || say "   left to make check-long: ${left_out[*]}"
}

longest_first() { # DIRECTORY: by their limits of time
    local script
    for script in "$1"/*.sh; do
        say "$(sed -n 's/^# timeout: *\([0-9][0-9]*\).*/\1/p' "$script" | head -n 1) $script"
    done | sort -s -k1,1 -rn | sed 's/^[^ ]* //'
}

# Of e2e_scripts, with its variables. "# sanitizers: long": the short run has it plain alone.
is_due() { # SCRIPT
    case $1 in */functions.sh | *'*'*) return 1 ;; esac
    [ -n "${TEST_SAN:-}" ] && [ -z "${TEST_LONG:-}" ] && grep -q '^# sanitizers: long' "$1" || return 0
    case " ${left_out[*]} " in
    *" $(basename "$1" .sh) "*) ;;
    *) left_out+=("$(basename "$1" .sh)") ;;
    esac
    return 1
}

# Of e2e_scripts, with its variables.
e2e_script() { # SCRIPT
    limit=$(sed -n 's/^# timeout: *\([0-9][0-9]*\).*/\1/p' "$1" | head -n 1)
    # shellcheck disable=SC2154 # they are e2e_scripts'
    "$runner" "$stage" "$(basename "$1" .sh)" $((${limit:-120} * factor)) bash "$1"
}

# Of e2e_scripts, with its variables: is anything left for run_alone?
wants_machine() {
    for script in "$dir"/*.sh; do
        is_due "$script" && grep -q '^# alone' "$script" && return
    done
    [ -n "$(to_try_again "$stage" "$dir"/*.sh)" ]
}

# Of e2e_scripts, with its variables.
run_alone() {
    for script in "$dir"/*.sh; do
        is_due "$script" && grep -q '^# alone' "$script" && first_try=yes e2e_script "$script"
    done
    try_again "$stage" e2e_script "$dir"/*.sh
}

# ---- the end ------------------------------------------------------------------------------------

# summary: what went wrong, what was left out, what needed two tries. Returns 0 if nothing failed.
summary() {
    local r log status again pass=0 fail=0 skip=0 twice=() failures=()
    for r in "$LOGS"/*/*.result; do
        [ -e "$r" ] || continue
        read -r status _ again <"$r"
        log=${r%.result}.log
        case $status in
        0) pass=$((pass + 1)) ;;
        77)
            skip=$((skip + 1))
            say "skipped: ${log#"$LOGS"/}: $(grep -v '^ *$' "$log" | tail -n 1)"
            ;;
        *)
            fail=$((fail + 1))
            failures+=("$log")
            ;;
        esac
        r=${r#"$LOGS"/}
        [ "$again" != again ] || twice+=("${r%.result}")
    done
    [ ${#twice[@]} = 0 ] || say "passed at the second try: ${#twice[@]}: ${twice[*]}"
    # At the very end, where it is seen.
    for log in ${failures[@]+"${failures[@]}"}; do
        say "FAILED:  $log"
        last_lines 8 "$log"
    done
    say "$pass passed, $fail failed, $skip skipped"
    [ $fail = 0 ]
}
