# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the cache that domains share costs those who find nothing there: reads all over the image, with and without, a few
# milliseconds of each in turn (misses.c). Without twice: what differs between those two is noise.
begin_section misses 'Reads from the disk, with the shared cache over without'

MISSES_SLICE_MS=20

misses_loads=(1 8 64 d32)
misses_round() {
    local load words lines row i
    for load in "${misses_loads[@]}"; do
        words=("shared:${misses_pid[shared]}" "off:${misses_pid[off]}" "off:${misses_pid[off]}")
        [ "$load" != d32 ] || words+=(depth:32)
        mapfile -t lines < <("$PROGRAMS/misses" "${load/d32/1}" "$CELL_S" $MISSES_SLICE_MS "${words[@]}")
        [ ${#lines[@]} = 3 ] || die "misses failed"
        i=0
        for row in with without again; do
            record "$load $row" rps "$(field rps <<<"${lines[i]}")"
            record "$load $row" cpu_us "$(field cpu_us <<<"${lines[i]}")"
            record "$load $row" found "$(field found <<<"${lines[i]}")"
            i=$((i + 1))
        done
    done
}

declare -A misses_pid
service_start shared
misses_pid[shared]=$SERVICE_PID
service_start off --shared-cache off
misses_pid[off]=$SERVICE_PID
rounds "$ROUNDS" misses_round
service_stop shared
service_stop off
for load in "${misses_loads[@]}"; do
    goal_ratio "$load: rate with over without" rps "$load with" "$load without" '>=' 0.99 1
    goal_ratio "$load: the same of two without" rps "$load again" "$load without" '>=' 0.99 1
    goal_ratio "$load: CPU per read with over without" cpu_us "$load with" "$load without" '<=' 1.01 1
    goal_ratio "$load: the same of two without" cpu_us "$load again" "$load without" '<=' 1.01 1
done
finish_section rps cpu_us found
