# SPDX-License-Identifier: MIT
# The one line, --json and --progress tell the same as a recomputation from every single latency.
. "$(dirname "$0")/functions.sh"

# max|average|minimum|deviation (of the sample) from the dump, as the line prints them
recompute() { # FILE
    awk '{ n++; sum += $1; x[n] = $1
           if (n == 1 || $1 > max) max = $1
           if (n == 1 || $1 < min) min = $1 }
         END { mean = sum / n
               for (i = 1; i <= n; i++) squares += (x[i] - mean) ^ 2
               printf "%d|%.0f|%d|%.1f|%.1f\n", max, mean, min, sqrt(squares / n),
                   (n > 1 ? sqrt(squares / (n - 1)) : 0) }' "$1"
}

agree() { # LINE DUMP: within rounding
    printf '%s|%s\n' "$1" "$(recompute "$2")" | awk -F'|' '
        function near(a, b, by) { return a - b <= by && b - a <= by }
        { exit !($1 == $6 && near($2, $7, 1) && $3 == $8 &&
                 (near($4, $9, 0.11) || near($4, $10, 0.11))) }' ||
        die "the line $1 is not what the latencies give: $(recompute "$2")"
}

image disk1.img 4
start_service
for run in '1 1' '1 1000' '16 3000' '1 3000 --depth 32' '2 500 --sectors-per-request 20'; do
    # shellcheck disable=SC2086 # several arguments
    client $run --dump-latencies lat >out 2>err || die "client $run: $(cat err)"
    count=${run#* } && count=${count%% *}
    [ "$(wc -l <lat)" = "$count" ] || die "not $count latencies in the dump"
    agree "$(cat out)" lat
done

client 8 2000 --json --no-record --dump-latencies lat >out 2>err || die "--json: $(cat err)"
line=$(sed -n 's/^ *"line": "\(.*\)",$/\1/p' out)
agree "$line" lat
grep -q '"recorded": false' out || die "recorded, it says"
[ "$(wc -l <lat)" = 2000 ] || die "not 2000 latencies"
for file in sectors.* read.*; do
    [ -s "$file" ] && [ "$file" -nt lat ] && die "--no-record recorded"
done
value() { sed -n "s/.*\"$1\": \([0-9.]*\).*/\1/p" out | tail -n 1; }
max=$(value max) min=$(value min) mean=$(value mean) deviation=$(value stddev)
agree "$max|$mean|$min|$deviation|0" lat
# Percentiles, by the latency of that rank; the histogram may be off by a part.
sort -n lat >sorted
for p in 50 90 99; do
    exact=$(sed -n "$((2000 * p / 100))p" sorted)
    awk -v a="$exact" -v b="$(value p$p)" 'BEGIN { exit !(b > a * 0.95 && b < a * 1.05) }' ||
        die "p$p is $(value p$p), not $exact"
done

client 4 2000 --progress >out 2>err || die "--progress: $(cat err)"
[ "$(wc -l <out)" = 1 ] || die "progress on stdout: $(cat out)"
