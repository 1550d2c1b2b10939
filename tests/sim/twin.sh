# SPDX-License-Identifier: MIT
# twin: one place of the sources is broken, a simulation is built with it, and must find that. Sourced by twins.sh
# of each simulation, which sets
#   program        what is simulated by, below the build
#   arguments      of a run
#   build_twin     FILE: $work/sim of $work/twin.c, in the place of src/FILE.c; "${compile[@]}" compiles
# and exits with $failures. Its own argument is the build (default build/plain).
# shellcheck shell=bash
build=${1:-build/plain}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failures=0
compile=("${CC:-gcc}" -std=gnu11 -O2 -w -D_GNU_SOURCE -U_FORTIFY_SOURCE -Iinclude -Isrc)
# shellcheck disable=SC2207 # a list
libraries=("$build"/lib*.a "-Wl,--end-group" $(pkg-config --libs liburing 2>/dev/null) -lpthread -lm -ldl)

not_found() {
    echo "$*"
    failures=1
}

# twin NAME FILE WHAT-IS-REMOVED WHAT-COMES-INSTEAD [ARGUMENT...]: FILE below src/, without .c; the texts are the
# file's own, of one line or more, and occur once.
twin() {
    local name=$1 file=$2 text status=0 seen
    [ -x "$build/$program" ] || {
        echo "not built: make sim-programs"
        exit 1
    }
    text=$(cat "src/$file.c")
    case $text in *"$3"*"$3"*) text= ;; *"$3"*) ;; *) text= ;; esac
    if [ -z "$text" ]; then
        not_found "$name: the sources have changed, and the twin has not: see $0"
        return
    fi
    printf '%s\n' "${text/"$3"/"$4"}" >"$work/twin.c"
    build_twin "$file" || exit 1
    timeout 600 "$work/sim" "${arguments[@]}" "${@:5}" >"$work/out" 2>&1 || status=$?
    seen=$(grep '^seed \|^life ' "$work/out" | tail -n 1)
    case $status:$seen in
    0:*) not_found "$name: NOT FOUND" ;;
    12[467]:* | *:) not_found "$name: BROKEN, exit $status: $(tail -n 1 "$work/out")" ;;
    *) echo "$name: found, as it must be: $seen" ;;
    esac
}
