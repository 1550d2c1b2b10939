# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Arithmetic on figures, and how to read them.
# calculate EXPRESSION: in awk's syntax.
calculate() { awk "BEGIN { printf \"%.10g\", ($1) }"; }

# Reads numbers, one a line; prints their median, smallest and largest. Nothing for nothing.
spread() {
    sort -g | awk '{ v[NR] = $1 }
        END { if (NR) printf "%.6g %.6g %.6g\n", NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2, v[1], v[NR] }'
}

# jain NUMBER...: (sum x)^2 / (n * sum x^2), 1 when all are equal (Jain, Chiu, Hawe 1984).
jain() {
    printf '%s\n' "$@" | awk '{ s += $1; q += $1 * $1 } END { printf "%.6f", q ? s * s / (NR * q) : 0 }'
}

# deviation NUMBER...: (largest - smallest) / mean.
deviation() {
    printf '%s\n' "$@" | awk 'NR == 1 { min = max = $1 } { s += $1; if ($1 < min) min = $1; if ($1 > max) max = $1 }
        END { printf "%.6f", s ? (max - min) / (s / NR) : 0 }'
}

# json_number FILE KEY: the first number with that key.
json_number() { grep -oE "\"$2\" *: *-?[0-9.]+" "$1" | head -n 1 | sed 's/.*: *//'; }

# field NAME: of a line "name=value ..." on stdin.
field() { tr ' ' '\n' | sed -n "s/^$1=//p"; }
