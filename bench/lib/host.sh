# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Where the host has the virtual CPUs. It may put two of them near to each other or far, and change that at any time: a
# spinning ping-pong then takes three or four times as long, and with it each hand-over between processes. So each cell
# looks before it begins and after its end, and a pair of cells that met different hosts gives no ratio.

HOST_SHIFT=1.5 # from near to far is 3 to 4; what a look itself varies by is less than 1.2

HOST_TRIPS_MIN=4000 # in 4 ms; far CPUs make 8000, and sides that wait for a CPU beside others one or two thousand

# Nanoseconds of the best thousand of spinning round trips with 512 bytes between CPUs 0 and 1; nothing where there are no
# two. Beside other work a look may only tell of that, and is repeated.
host_look() {
    local line best='' tries
    for tries in 1 2 3 4 5; do
        line=$("$PROGRAMS/pingpong" spin512 --cpus 0,1 --seconds 0.004 2>/dev/null) || return 0
        best=$(printf '%s %s\n' "$(field best_ns <<<"$line")" "$best" | awk '{ print (NF > 1 && $2 < $1 ? $2 : $1) }')
        [ "$(field round_trips <<<"$line")" -lt $HOST_TRIPS_MIN ] || break
    done
    echo "$best"
}

# cell_begin, cell_end ROW: around what a row runs in a round.
cell_begin() { CELL_HOST_NS=$(host_look); }
cell_end() {
    local after near far
    after=$(host_look)
    [ -n "$CELL_HOST_NS" ] && [ -n "$after" ] || return 0
    read -r near far < <(printf '%s\n' "$CELL_HOST_NS" "$after" | sort -g | tr '\n' ' ')
    record "$1" host_near_ns "$near"
    record "$1" host_far_ns "$far"
}

# host_note: what the cells of this section met.
host_note() {
    local line
    line=$(awk -F, -v shift=$HOST_SHIFT '
        $4 == "host_near_ns" { near = $5; if (!least || near < least) least = near }
        $4 == "host_far_ns" { cells++; if ($5 > most) most = $5; if ($5 > shift * near) moved++ }
        END { if (cells) printf "%d cells, a spinning round trip between CPUs 0 and 1 took %.0f to %.0f ns; in %d it changed by more than %g times", cells, least, most, moved, shift }' "$CSV")
    [ -z "$line" ] || note "the host: $line. Pairs of cells that differ in it by so much give no ratio: the column rounds has what remains"
}
