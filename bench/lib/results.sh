# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Rows of a section, their ratios, goals and tables.
# begin_section NAME TITLE: empties what an earlier run left.
begin_section() {
    SECTION=$1 TITLE=$2 ROUND=0 ROUNDS_DONE=0
    CSV=$RESULTS/$SECTION.csv GOALS=$TMP/$SECTION.goals NOTES=$TMP/$SECTION.notes
    echo 'section,round,row,metric,value' >"$CSV"
    : >"$GOALS"
    : >"$NOTES"
    echo
    echo "== $SECTION: $TITLE"
}

# record ROW METRIC VALUE: an empty value is a measurement that failed.
record() {
    case $1 in *,*) die "$SECTION: a comma in the name of row $1" ;; esac
    [ -n "$3" ] || die "$SECTION: row $1 gave no $2"
    printf '%s,%s,%s,%s,%s\n' "$SECTION" "$ROUND" "$1" "$2" "$3" >>"$CSV"
}

note() {
    echo "note: $*"
    echo "- $*" >>"$NOTES"
}

# values ROW METRIC: over all rounds.
values() { awk -F, -v row="$1" -v metric="$2" '$3 == row && $4 == metric { print $5 }' "$CSV"; }

# ratios METRIC ROW_A ROW_B [METRIC_B]: A over B, round by round. Where the host changed between both, there is none
# (host.sh).
ratios() {
    awk -F, -v m="$1" -v a="$2" -v b="$3" -v n="${4:-$1}" -v shift="$HOST_SHIFT" '
        $3 == a && $4 == m { va[$2] = $5 }
        $3 == b && $4 == n { vb[$2] = $5 }
        ($3 == a || $3 == b) && $4 == "host_near_ns" { if (!($2 in near) || $5 < near[$2]) near[$2] = $5 }
        ($3 == a || $3 == b) && $4 == "host_far_ns" { if ($5 > far[$2]) far[$2] = $5 }
        END { for (r in va) if (r in vb && vb[r] != 0 && !(r in near && far[r] > shift * near[r])) print va[r] / vb[r] }' "$CSV"
}

# judge TITLE OPERATOR GOAL STRETCH: of the numbers on stdin; OPERATOR is >= or <=; STRETCH may be "-".
judge() {
    local numbers median smallest largest verdict=missed
    numbers=$(cat)
    read -r median smallest largest < <(spread <<<"$numbers")
    [ -n "${numbers//[[:space:]]/}" ] && [ -n "$3" ] || { # a goal may be measured, too
        note "$1: not measured"
        return
    }
    [ "$(calculate "$median $2 $3")" = 1 ] && verdict=reached
    [ "$4" != - ] && [ "$(calculate "$median $2 $4")" = 1 ] && verdict='stretch reached'
    read -r median smallest largest < <(short "$median" "$smallest" "$largest")
    printf '%s|%s|%s|%s|%s|%s|%s\n' "$1" "$2 $3" "$4" "$(wc -l <<<"$numbers")" "$median" "$smallest..$largest" "$verdict" >>"$GOALS"
}

goal_ratio() { # TITLE METRIC ROW_A ROW_B OPERATOR GOAL STRETCH [METRIC_B]
    ratios "$2" "$3" "$4" "${8:-$2}" | judge "$1" "$5" "$6" "$7"
}
goal_value() { # TITLE METRIC ROW OPERATOR GOAL STRETCH
    values "$3" "$2" | judge "$1" "$4" "$5" "$6"
}

# short NUMBER...: whole numbers from 1000 on, five digits below.
short() { awk 'BEGIN { for (i = 1; i < ARGC; i++) printf((ARGV[i] + 0 >= 1000 ? "%.0f " : "%.5g "), ARGV[i]) }' "$@"; }

# rows_table METRIC...: medians of all rows, in the order in which they came, as a markdown table.
rows_table() {
    local row metric numbers cell median smallest largest
    printf '| row |'
    printf ' %s |' "$@"
    printf '\n| --- |'
    printf ' ---: |%.0s' "$@"
    echo
    awk -F, 'NR > 1 && !seen[$3]++ { print $3 }' "$CSV" | while read -r row; do
        printf '| %s |' "$row"
        for metric in "$@"; do
            numbers=$(values "$row" "$metric" | spread)
            cell=
            if read -r median smallest largest <<<"$numbers" && [ -n "$median" ]; then
                read -r median smallest largest < <(short "$median" "$smallest" "$largest")
                cell="$median ($smallest..$largest)"
            fi
            printf ' %s |' "${cell:--}"
        done
        echo
    done
}

goals_table() {
    echo '| what | goal | stretch | rounds | median | spread | verdict |'
    echo '| --- | ---: | ---: | ---: | ---: | ---: | --- |'
    sed 's/^/| /; s/|\([^ ]\)/| \1/g; s/\([^ ]\)|/\1 |/g; s/$/ |/' "$GOALS"
}

# A markdown table for the eye.
on_terminal() { grep -v '^| ---' | sed 's/^| //; s/ |$//; s/ | /|/g' | column -t -s '|' -o '  '; }

# finish_section METRIC...: writes results/SECTION.md, and shows it.
finish_section() {
    host_note
    {
        echo "# $TITLE"
        echo
        echo "$ROUNDS_DONE round(s) of $CELL_S s per row; medians, in brackets the smallest and largest round."
        if [ -s "$GOALS" ]; then
            echo
            goals_table
        fi
        echo
        rows_table "$@"
        if [ -s "$NOTES" ]; then
            echo
            cat "$NOTES"
        fi
    } >"$RESULTS/$SECTION.md"
    if [ -s "$GOALS" ]; then
        goals_table | on_terminal
        echo
    fi
    rows_table "$@" | on_terminal
    cat "$GOALS" >>"$TMP/all.goals"
}

# rounds COUNT FUNCTION: the rows of a section, over and over.
rounds() {
    ROUNDS_DONE=$1
    for ((ROUND = 1; ROUND <= $1; ROUND++)); do
        [ ! -t 2 ] || printf '  round %d of %d\r' "$ROUND" "$1" >&2
        "$2"
    done
    [ ! -t 2 ] || printf '%40s\r' '' >&2
}
