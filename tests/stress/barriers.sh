#!/bin/bash
# SPDX-License-Identifier: MIT
# Are the ring's barriers needed, and would a test notice that one is missing? Each is weakened in a
# copy of the sources, a twin, and the twin must fail; the ring as it is must hold.
#   sleep     a full barrier in a push or a final check: wake-ups get lost
#   messages  release in a push, acquire in a look or a take: slots are read too early
# Both by ring_litmus; messages under ThreadSanitizer, because x86 keeps that order by itself.
# tests/stress/barriers.sh [FUNCTION...]: only the twins of these functions.
# Exit status: 0 all is as it must be, 1 it is not, 77 this machine can't show it.
set -u
cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
CC=${CC:-gcc}
seconds=${LITMUS_SECONDS:-3}
[ -z "${TEST_LONG-}" ] || seconds=60
functions=" ${*:-all} "

# shape, function, file, what stands there, what the twin has instead
twins='sleep    front_ring_push        front_ring.h store_full   store_release
sleep    back_ring_final_check  back_ring.h  store_full   store_release
sleep    back_ring_push         back_ring.h  store_full   store_release
sleep    front_ring_final_check front_ring.h store_full   store_release
sleep    sleeper_lie_down       sleeper.h    store_full   store_release
messages front_ring_push        front_ring.h store_full   store_relaxed
messages back_ring_look         back_ring.h  load_acquire load_relaxed
messages back_ring_push         back_ring.h  store_full   store_relaxed
messages front_ring_take        front_ring.h load_acquire load_relaxed'

failures=0
tell() { printf '%-9s %-23s %-26s %s\n' "$@"; }
fail() {
    tell "$@"
    failures=$((failures + 1))
}

# build SHAPE TREE: the litmus against the sources of a tree
build() {
    local tsan=()
    [ "$1" = sleep ] || tsan=(-fsanitize=thread)
    $CC -D_GNU_SOURCE -Iinclude -I"$2" -std=gnu11 -pthread -O2 -g -w "${tsan[@]}" \
        -o "$work/litmus" tests/stress/ring_litmus.c || exit 1
}

# code TREE: what the compiler makes of the litmus
code() { $CC -D_GNU_SOURCE -Iinclude -I"$1" -std=gnu11 -O2 -w -S -o - tests/stress/ring_litmus.c; }

# run SHAPE SECONDS: 0 it holds, 1 it fails; tells on standard output what was seen
run() {
    if [ "$1" = sleep ]; then
        "$work/litmus" --seconds "$2"
        return
    fi
    TSAN_OPTIONS=exitcode=66:halt_on_error=1 "${wrapper[@]}" "$work/litmus" --messages 3000 >"$work/out" 2>&1
    case $? in
    0) cat "$work/out" ;;
    66) sed -n 's/^WARNING: ThreadSanitizer: \([a-z ]*\) (.*/\1/p' "$work/out" && return 1 ;;
    *) cat "$work/out" && return 2 ;;
    esac
}

# can_show SHAPE: else $why says why not
can_show() {
    local w
    if [ "$1" = sleep ]; then
        build sleep src
        why=$("$work/litmus" --control --seconds 5)
        case $? in
        1) return 0 ;;
        0) why="two stores and two loads without a barrier never lost anything: $why" ;;
        esac
        return 1
    fi
    why="the thread sanitizer does not run on this system"
    echo 'int main(void) { return 0; }' | $CC -fsanitize=thread -x c -o "$work/probe" - 2>/dev/null || return 1
    for w in env 'setarch -R'; do # some kernels' randomisation breaks its memory map
        read -ra wrapper <<<"$w"
        "${wrapper[@]}" "$work/probe" 2>/dev/null && return 0
    done
    return 1
}

try_twin() { # SHAPE FUNCTION FILE FROM TO
    local seen
    rm -rf "$work/src"
    cp -r src "$work/src" || exit 1
    sed -i "/^static inline .* $2(/,/^}/s/$4_/$5_/" "$work/src/ring/$3"
    if cmp -s "src/ring/$3" "$work/src/ring/$3"; then
        fail "$1" "$2" "is no twin" "it has no $4"
        return
    fi
    if [ "$1" = sleep ] && [ "$(code src)" = "$(code "$work/src")" ]; then
        tell "$1" "$2" "is the same with $5" "this processor has one instruction for both"
        return
    fi
    build "$1" "$work/src"
    seen=$(run "$1" 10)
    case $? in
    1) tell "$1" "$2" "fails with $5" "as it must: $seen" ;;
    0) fail "$1" "$2" "HOLDS with $5" "the test does not see what is missing: $seen" ;;
    *) fail "$1" "$2" "BROKEN with $5" "$seen" ;;
    esac
}

reasons=()
for shape in sleep messages; do
    if ! can_show $shape; then
        reasons+=("$shape: $why")
        continue
    fi
    build $shape src
    if seen=$(run $shape "$seconds"); then
        tell $shape "the ring as it is" "holds" "$seen"
    else
        fail $shape "the ring as it is" "FAILS" "$seen"
    fi
    while read -r of function rest; do
        [ "$of" = $shape ] || continue
        # shellcheck disable=SC2086 # rest is three words
        case $functions in *" all "* | *" $function "*) try_twin $shape "$function" $rest ;; esac
    done <<<"$twins"
done
[ ${#reasons[@]} = 0 ] || printf 'not shown here: %s\n' "${reasons[@]}"
[ $failures = 0 ] || exit 1
[ ${#reasons[@]} = 0 ] || exit 77
