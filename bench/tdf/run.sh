#!/bin/bash
# SPDX-License-Identifier: MIT
# The time dilation experiment: bench/tdf/run.sh, or `make bench-tdf`. About 15 minutes; with QUICK=1
# about two, with samples too small for the bounds of the pooled sample. Results and plots go where
# those of bench/run.sh go: tdf_experiment.md, tdf_experiment.csv, tdf_cdf and tdf_p as SVG and PNG.
#
#   1 clocks      cost, drift, skew: bench/tdf_clock.c            (rows 1 and 2 of NSDI'06's Table 1)
#   2 timers      HZ, reaction to a change: bench/tdf_timer.c     (row 3)
#   3 stepped     the same trace, bit for bit: bench/tdf_stepped.c
#   4 the model   latency L k under TDF k against L undilated: bench/tdf_experiment.c
# The real disk under TDF 1, 2, 5 and 10 is a section of bench/run.sh: tdf.
. "$(dirname "$0")/../lib.sh"
[ -x "$PROGRAMS/tdf_experiment" ] || die "the programs are not built: make all bench-programs"
refuse_dirty
mkdir -p "$RESULTS" "$(dirname "$IMAGE")"
[ -e "$IMAGE" ] || dd if=/dev/urandom of="$IMAGE" bs=1M count=$IMAGE_MIB iflag=fullblock status=none || die "no room for $IMAGE"

out=$RESULTS/tdf_experiment.md
mean_us=50 # undilated; under TDF 100 a read takes 5 ms then, and the whole experiment ten minutes
failed=0

part() { # TITLE COMMAND...
    local title=$1 status
    shift
    printf '\n## %s\n\n```\n' "$title" | tee -a "$out"
    "$@" | tee -a "$out"
    status=${PIPESTATUS[0]}
    printf '```\n' | tee -a "$out"
    [ "$status" = 0 ] || failed=$((failed + 1))
}

steal() { awk '$1 == "cpu" { for (i = 2; i <= 9; i++) all += $i; print $9, all }' /proc/stat; }

model() { # NAME MEAN_US SEED
    service_start "$1" --engine model --cache-bytes 0 --model "mean=$2us,cv=0.25,channels=64,seed=$3"
}

read -r steal_before all_before < <(steal)
{
    echo '# The time dilation experiment'
    echo
    echo 'Each figure stands beside its bound. docs/time.md explains the method.'
} | tee "$out"
part 'Clocks (rows 1 and 2 of Table 1, NSDI 2006)' "$PROGRAMS/tdf_clock" ${QUICK:+--quick}
part 'Timers (row 3 of Table 1)' "$PROGRAMS/tdf_timer" ${QUICK:+--quick}
part 'Stepped' "$PROGRAMS/tdf_stepped" ${QUICK:+--quick}

model one $mean_us 11
model other $mean_us 12
model k2 $((mean_us * 2)) 13
model k10 $((mean_us * 10)) 14
model k100 $((mean_us * 100)) 15
model wrong $((mean_us * 102 / 10)) 16
model unstamped $((mean_us * 10)) 17
part "The model disk: ${mean_us} us under TDF 1 against ${mean_us} k us under TDF k" "$PROGRAMS/tdf_experiment" \
    --csv "$RESULTS/tdf_experiment.csv" ${QUICK:+--repetitions 3 --samples 1000}
for name in one other k2 k10 k100 wrong unstamped; do service_stop $name; done

read -r steal_after all_after < <(steal)
{
    echo
    echo "Steal meanwhile: $(calculate "100 * ($steal_after - $steal_before) / ($all_after - $all_before)") %."
    cd "$TOP" && bench/env.sh "$IMAGE" | sed 's/^/- /'
} | tee -a "$out"
have gnuplot && "$TOP/bench/plot.sh" "$RESULTS"
echo "results: $out ($((SECONDS / 60)) min $((SECONDS % 60)) s)"
[ $failed = 0 ] || die "$failed part(s) with figures out of bounds"
