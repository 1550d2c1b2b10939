#!/bin/bash
# SPDX-License-Identifier: MIT
# The benchmarks: bench/run.sh [SECTION...]; without one, all of them, in this order:
#   blocking async cached ring cpu scale fairness writes cache store nbd vhost bridges net disturb tdf
# and, only when named, misses: what the shared cache costs them; net-links: what links are late by, and a flood as a neighbour; trace: what tracing costs; effects: what each idea of the code is worth; before: this tree over another one.
# Build first: `make bench` does, or `make all bench-programs`.
#
# Environment:
#   QUICK=1         all in about two minutes (two short rounds) instead of ten
#   ROUNDS, CELL_S  rounds, and seconds that a row runs in each
#   BENCH_IMAGE     the image (default: build/images/bench.img, made if missing)
#   BENCH_IMAGE_MIB its size at least, and how much of it the rivals read (default: 500)
#   BENCH_MACHINE   a name for this machine (default: its CPU and their number)
#   BENCH_RESULTS   where the results go (default: bench/results/MACHINE)
#   BENCH_DIRTY=1   record results of a tree with changes that are not committed
#   BEFORE          of the section before: the other checkout
#
# Results: SECTION.csv (every measurement), SECTION.md (medians, goals), machine.md, plots.
. "$(dirname "$0")/lib.sh"

all_sections='blocking async cached ring cpu scale fairness writes cache store nbd vhost bridges net disturb tdf'
sections=("$@")
[ $# -gt 0 ] || read -ra sections <<<"$all_sections"
for section in "${sections[@]}"; do
    [ -e "$TOP/bench/sections/$section.sh" ] || {
        echo "bench: no section $section (there are: $all_sections misses net-links trace effects before)" >&2
        exit 2
    }
done
for program in "$BIN/service" "$BIN/client" "$PROGRAMS/pingpong"; do
    [ -x "$program" ] || die "$program is not built: make all bench-programs"
done
have fio || die "fio is not installed: make deps"

refuse_dirty
mkdir -p "$RESULTS" "$(dirname "$IMAGE")"
if [ ! -e "$IMAGE" ] || [ "$(stat -Lc %s "$IMAGE")" -lt $((IMAGE_MIB << 20)) ]; then
    echo "making $IMAGE of $IMAGE_MIB MiB"
    dd if=/dev/urandom of="$IMAGE" bs=1M count=$IMAGE_MIB iflag=fullblock status=none || die "no room for $IMAGE"
    sync "$IMAGE"
fi

# Whole before the file is written, which would make the revision dirty.
machine=$(
    echo '# The machine'
    echo
    cd "$TOP" && bench/env.sh "$IMAGE" | sed 's/^/- /'
    echo "- all of it at work: $("$PROGRAMS/standstill" "$IMAGE")"
)
printf '%s\n' "$machine" | tee "$RESULTS/machine.md"
for section in "${sections[@]}"; do
    # shellcheck source=/dev/null
    . "$TOP/bench/sections/$section.sh"
done
load_now=$(cut -d ' ' -f 1-3 /proc/loadavg)
printf -- '- load at the end: %s\n' "$load_now" >>"$RESULTS/machine.md"

if have gnuplot; then
    "$TOP/bench/plot.sh" "$RESULTS" || echo "bench: the plots failed" >&2
else
    echo "gnuplot is not installed: no plots"
fi
echo
echo "== goals"
{
    echo 'what|goal|stretch|rounds|median|spread|verdict'
    cat "$TMP/all.goals" 2>/dev/null
} | column -t -s '|' -o ' | '
echo "results: $RESULTS ($((SECONDS / 60)) min $((SECONDS % 60)) s; load $load_now)"
