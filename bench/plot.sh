#!/bin/bash
# SPDX-License-Identifier: MIT
# Plots what bench/run.sh measured: for each section that has results, PLOT.svg.
#   bench/plot.sh RESULTS        e.g. bench/results/MACHINE
set -u
cd "${1:?plot.sh RESULTS: a directory that bench/run.sh has filled}" || exit 1
command -v gnuplot >/dev/null || {
    echo "gnuplot is not installed" >&2
    exit 1
}
data=$(mktemp) || exit 1
trap 'rm -f "$data"' EXIT

# Rows that are not ours: the machine's limits, and what a user could take instead.
RIVALS='psync|io_uring|relay|ping-pong|page cache|nbd|vhost-user-blk|null'

# medians SECTION METRIC ROW-PATTERN: lines "row" median smallest largest rival, in the order of the rows.
medians() {
    awk -F, -v metric="$2" -v pattern="$3" -v rivals="$RIVALS" '
        NR > 1 && $4 == metric && $3 ~ pattern {
            if (!($3 in n)) order[++rows] = $3
            v[$3, ++n[$3]] = $5
        }
        END {
            for (r = 1; r <= rows; r++) {
                row = order[r]
                count = n[row]
                for (i = 2; i <= count; i++) { # insertion sort
                    x = v[row, i] + 0
                    for (j = i - 1; j >= 1 && v[row, j] + 0 > x; j--) v[row, j + 1] = v[row, j]
                    v[row, j + 1] = x
                }
                h = int((count + 1) / 2)
                m = count % 2 ? v[row, h] : (v[row, h] + v[row, h + 1]) / 2
                printf "\"%s\" %.6g %.6g %.6g %d\n", row, m, v[row, 1], v[row, count], row ~ rivals
            }
        }' "$1.csv" >"$data"
    [ -s "$data" ]
}

draw() { # NAME, commands on stdin
    local commands
    commands=$(cat)
    gnuplot <<END && echo "plotted $1.svg"
set terminal svg noenhanced size 900,500 font "sans,12" background "white"
set output "$1.svg"
$commands
END
}

# bars NAME SECTION METRIC ROW-PATTERN TITLE UNIT SCALE [linear|log]
bars() {
    [ -e "$2.csv" ] && medians "$2" "$3" "$4" || return 0
    draw "$1" <<END
set title "$5 (medians; lines from the smallest to the largest round; grey: not ours)"
set ylabel "$6"
set style fill solid 0.6 border -1
set boxwidth 0.7
set xtics rotate by -30
set grid ytics
set key off
$([ "${8:-linear}" = log ] && echo 'set logscale y' || echo 'set yrange [0:*]')
plot "$data" using 0:(\$2*$7):(0.7):(\$5 != 0 ? 0xbbbbbb : 0x4477aa):xtic(1) with boxes linecolor rgb variable, \
     "" using 0:(\$2*$7):(\$3*$7):(\$4*$7) with yerrorbars linecolor "black" pointtype 0
END
}

# lines NAME SECTION METRIC PREFIX TITLE XLABEL UNIT SCALE: rows "PREFIX<number>..."
lines() {
    [ -e "$2.csv" ] && medians "$2" "$3" "^$4[0-9]+" || return 0
    sed -i -E "s/^\"$4([0-9]+)[^\"]*\"/\\1/" "$data"
    draw "$1" <<END
set title "$5"
set xlabel "$6"
set ylabel "$7"
set logscale x 2
set yrange [0:*]
set grid
set key off
plot "$data" using 1:(\$2*$8):(\$3*$8):(\$4*$8) with yerrorlines linewidth 2 pointtype 7 linecolor "#4477aa"
END
}

bars blocking blocking rps . 'Cold blocking reads' 'thousand reads per second' 0.001
bars async async rps . 'Cold asynchronous reads' 'thousand reads per second' 0.001
bars cached_round_trip cached mean_ns '^(T=1|spin|futex|nbdkit memory T=1)' 'Cached: mean round trip' 'ns' 1 log
bars cached_rate cached rps '^(T=64|D=|page|nbdkit memory D)' 'Cached: sectors per second' 'million per second' 0.000001
bars ring ring rps . 'The ring alone' 'million requests per second' 0.000001
bars ring_notifications ring notifications_per_request '(holdoff|always)' 'Notifications per request' 'notifications' 1
bars cpu cpu cpu_us . 'Processor time per read, all processes' 'us' 1
lines scale_clients scale rps clients= 'Cold reads, clients of one thread each' clients 'thousand reads per second, sum' 0.001
lines scale_threads scale rps threads= 'Cold reads, one client' threads 'thousand reads per second' 0.001
lines scale_ring scale rps 'ring pages=' 'Cold reads, 256 threads, by pages of the ring' 'ring pages' 'thousand reads per second' 0.001
bars fairness_p99 fairness p99_ns '^quiet' 'p99 of a quiet client' 'us' 0.001 log
bars cache_hits cache lru '.' 'Hit ratio of LRU by load' 'percent' 1
bars store store rps . 'Requests of the store' 'thousand per second' 0.001
bars nbd nbd rps . 'Against NBD over a Unix socket' 'thousand reads per second' 0.001
bars vhost vhost rps '^(vhost|splitdom)' 'Cold reads, against vhost-user-blk' 'thousand reads per second' 0.001
bars vhost_hits vhost rps '^(null|hits)' 'Hits, against vhost-user-blk on nothing' 'million reads per second' 0.000001 log
bars tdf tdf real_rps '^TDF [0-9]+$' 'Real disk, TDF 1 to 10: rate in real time' 'thousand reads per second' 0.001
bars tdf_perceived tdf rps '^TDF [0-9]+$' 'Real disk, TDF 1 to 10: rate as the domain sees it' 'thousand reads per second' 0.001

# What tdf_experiment wrote: distributions laid over each other, and p-values against the uniform law.
if [ -e tdf_experiment.csv ]; then
    arm() { awk -F, -v what="$1" -v arm="$2" '$1 == what && $2 == arm { print $3, $4 }' tdf_experiment.csv; }
    for one in one k2 k10 k100 wrong unstamped; do arm latency_ns $one >"$data.$one"; done
    draw tdf_cdf <<END
set title "Model disk, 50 us times k under TDF k: distribution of latencies as the domain sees them"
set xlabel "us of the domain"
set ylabel "share of reads"
set xrange [20:120]
set grid
set key bottom right
plot "$data.one" using (\$2/1000):1 with lines linewidth 6 linecolor "#bbccee" title "TDF 1", \
     "$data.k2" using (\$2/1000):1 with lines linewidth 4 linecolor "#44aa99" title "TDF 2", \
     "$data.k10" using (\$2/1000):1 with lines linewidth 2 linecolor "#332288" title "TDF 10", \
     "$data.k100" using (\$2/1000):1 with lines linewidth 1 linecolor "#000000" title "TDF 100", \
     "$data.wrong" using (\$2/1000):1 with lines dashtype 2 linewidth 2 linecolor "#cc3311" title "control: 2 % too slow", \
     "$data.unstamped" using (\$2/1000):1 with lines dashtype 3 linewidth 3 linecolor "#ee7733" title "control: not stamped"
END
    for one in other k2 k10 k100; do arm p $one >"$data.$one"; done
    draw tdf_p <<END
set title "p-values of Kolmogorov-Smirnov tests, sorted: on the diagonal if nothing differs"
set xlabel "uniform law"
set ylabel "p-value"
set xrange [0:1]
set yrange [0:1]
set grid
set key top left
plot x with lines linecolor "#999999" notitle, \
     "$data.other" using 1:2 with points pointtype 7 linecolor "#999999" title "A/A", \
     "$data.k2" using 1:2 with points pointtype 4 linecolor "#44aa99" title "TDF 2", \
     "$data.k10" using 1:2 with points pointtype 6 linecolor "#332288" title "TDF 10", \
     "$data.k100" using 1:2 with points pointtype 8 linecolor "#cc3311" title "TDF 100"
END
    rm -f "$data".*
fi
bars disturb disturb rps . 'Beside a flood of store writes' 'thousand reads per second' 0.001
