# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The ring alone: two threads, no disk, no domains.
begin_section ring 'The ring alone: requests per second, and what the notification hold-off saves'

ring_round() {
    local batch mode line
    for batch in 1 8 32; do
        for mode in spin holdoff always; do
            line=$("$PROGRAMS/ring" --batch $batch --mode $mode --cpus "$ring_cpus" --seconds "$(calculate "$CELL_S / 2")") ||
                die "ring $mode"
            record "batch $batch $mode" rps "$(field per_second <<<"$line")"
            record "batch $batch $mode" ns_per_request "$(field ns_per_request <<<"$line")"
            record "batch $batch $mode" notifications_per_request "$(field notifications_per_request <<<"$line")"
            record "batch $batch $mode" sleeps_per_request "$(field sleeps_per_request <<<"$line")"
        done
    done
}

ring_cpus=0,1
[ "$(nproc)" -ge 2 ] || ring_cpus=none
rounds "$ROUNDS" ring_round
goal_value 'ring, batch 1 with hold-off: notifications per request' notifications_per_request 'batch 1 holdoff' '<=' 0.05 0.01
goal_ratio 'ring, batch 32: rate with hold-off over never sleeping' rps 'batch 32 holdoff' 'batch 32 spin' '>=' 0.9 -
finish_section rps ns_per_request notifications_per_request sleeps_per_request
