#!/bin/bash
# SPDX-License-Identifier: MIT
# Broken twins of the clock's sources: `lives` must find each of them. Else it proves nothing.
#     twins.sh BUILD        BUILD: where `lives` has been built (default build/plain)
# Exit status: 0 so it is, 1 it is not.
set -u
cd "$(dirname "$0")/../../.." || exit 1
. tests/sim/twin.sh
program=tests/sim/time/lives arguments=(--lives 100000)
build_twin() { # FILE
    local objects=() part
    for part in tdf/clock tdf/pvclock tdf/source domu/domain_clock; do
        [ $part = "$1" ] || objects+=("$build/tests/sim/time/product/$part.o")
    done
    "${compile[@]}" -include tests/sim/time/steps.h -o "$work/sim" "$work/twin.c" "${objects[@]}" \
        "$build"/tests/sim/time/{lives,fiber}.o "$build"/lib{tdf,base}.a -lm
}

twin "page and offset are not looked at together" domu/domain_clock \
    'if (load_full_u32(&clock->changes) != changes)' 'if (0)'
twin "no second look after raising the ceiling" domu/domain_clock \
    'raise_ceiling(clock, now_ns, &look.line);' \
    'raise_ceiling(clock, now_ns, &look.line); *out_ns = now_ns; return 0;' --unsaved
twin "no floor where time stood still" domu/domain_clock \
    'raise_to(&clock->floor_ns, now_ns);
    return now_ns;' 'return now_ns;'
twin "readings below the floor" domu/domain_clock 'if (now_ns < floor_ns)' 'if (0)'
twin "the next life starts at its own time" domu/domain_clock \
    'store_release_u64(&clock->offset_ns, stand_still(clock) - page_ns);' ''
twin "an update that does not end is waited for" domu/domain_clock 'LOOKS_MAX = 256' 'LOOKS_MAX = 1 << 14'
twin "without Dom0 the page is read on" domu/domain_clock 'change_end(clock, &clock->copy);' \
    'change_end(clock, &shared->vcpu_info[0].time);'
twin "a torn line is taken" tdf/pvclock 'copy_line(second, line);' ''
twin "the last vCPU is ended first" tdf/pvclock \
    'for (uint32_t i = 0; i < nr_vcpus; i++)
        pvclock_publish_end' 'for (uint32_t i = nr_vcpus; i-- > 0;)
        pvclock_publish_end'
twin "Dom0 reads the counter before the version is odd" tdf/clock \
    'publish_begin(clock);
    publish_slower(clock, slower);
    now.counter = tdf_source_counter_ordered(clock->source);' \
    'now.counter = tdf_source_counter_ordered(clock->source);
    publish_begin(clock);
    publish_slower(clock, slower);'
twin "the version is even before the fields" tdf/pvclock \
    'store_release_u64(&ti->system_time, value->system_time);' \
    'store_release_u32(&ti->version, value->version);
    store_release_u64(&ti->system_time, value->system_time);'
exit $failures
