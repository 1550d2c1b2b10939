#!/bin/bash
# SPDX-License-Identifier: MIT
# cost.sh [ROUNDS [ROW]]: what a domain at TDF 1 costs programs: the CPU time of each, and how long it takes, under domu run
# over that without, in pairs, one after the other, either first in turn, ROUNDS times (11). ROW: a word of the only row.
# Prints the least CPU time of either, how much more that is, since neighbours on the machine only ever add; and the median
# of the pairs' ratios, with their quartiles, and of those of the time taken. Exit 1: the first of these is above 1 %. A
# domain's start costs some milliseconds, once, which the first row tells; it is part of the others, too, and not judged by itself.
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
BIN=${BIN:-$TOP/bin}
rounds=${1:-11} row=${2:-}
scratch=$(mktemp -d) || exit 1
export SPLITDOM_RUNDIR=$scratch/run CCACHE_DISABLE=1
trap '"$BIN/service" stop >/dev/null 2>&1; rm -rf "$scratch"' EXIT
cd "$TOP" || exit 1
dd if=/dev/urandom of="$scratch/disk1.img" bs=1M count=4 iflag=fullblock status=none
"$BIN/service" start --image "$scratch/disk1.img" --idle-timeout 0 || exit 1
status=0
TIMEFORMAT='%U %S %R'

cat >"$scratch/build.sh" <<'END'
for file in src/tdf/*.c src/run/*.c; do
    "${CC:-gcc}" -O2 -g -std=gnu11 -Wall -Wextra -D_GNU_SOURCE -Iinclude -Isrc -c -o "$0.o" "$file" || exit 1
done
END
cat >"$scratch/rows.sql" <<'END'
pragma synchronous = off;
create table t(a integer primary key, b text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 1600000) insert into t select i, hex(i) from n;
select count(*), sum(length(b)) from t where b like '%3%';
END

# spent COMMAND...: seconds of CPU time, and seconds.
spent() {
    rm -f "$scratch/t.db"
    { time "$@" >/dev/null 2>&1; } 2>&1 | awk '{ print $1 + $2, $3 }'
}

# cost NAME COMMAND...: a row.
cost() {
    local name=$1 i with without
    shift
    case $name in *"$row"*) ;; *) return ;; esac
    : >"$scratch/seconds"
    for ((i = 0; i < rounds; i++)); do
        [ $((i % 2)) = 0 ] || with=$(spent "$BIN/domu" run -- "$@")
        without=$(spent "$@")
        [ $((i % 2)) = 1 ] || with=$(spent "$BIN/domu" run -- "$@")
        echo "$without $with" >>"$scratch/seconds"
    done
    awk -v name="$name" -v limit="$limit" '
        function sort(v, n,    i, k, t) {
            for (i = 2; i <= n; i++) for (k = i; k > 1 && v[k - 1] > v[k]; k--) { t = v[k]; v[k] = v[k - 1]; v[k - 1] = t }
        }
        function at(v, n, part) { return v[int((n - 1) * part) + 1] }
        NR == 1 || $1 < a { a = $1 } NR == 1 || $3 < b { b = $3 }
        { cpu[NR] = ($3 / $1 - 1) * 100; wall[NR] = ($4 / $2 - 1) * 100 }
        END {
            sort(cpu, NR); sort(wall, NR); more = (b / a - 1) * 100
            printf "| %s | %.3f s | %.3f s | %.1f %% | %.1f %% (%.1f to %.1f) | %.1f %% |\n", name, a, b, more,
                at(cpu, NR, 0.5), at(cpu, NR, 0.25), at(cpu, NR, 0.75), at(wall, NR, 0.5)
            exit more > limit
        }' "$scratch/seconds" || status=1
}

limit=1
echo '| CPU time | without | at TDF 1 | more | pairs | time taken |'
echo '|---|---|---|---|---|---|'
limit=1e9 cost 'a start, and true 20 times' sh -c 'i=0; while [ $i -lt 20 ]; do /bin/true; i=$((i + 1)); done'
cost 'a build of 20 files' sh "$scratch/build.sh"
command -v openssl >/dev/null && cost 'openssl, 16 MiB hashed 160 times' sh -c 'head -c 16777216 /dev/zero >"$0"; for i in 1 2 3 4 5 6 7 8 9 10; do
    openssl dgst -sha256 "$0" "$0" "$0" "$0" "$0" "$0" "$0" "$0" "$0" "$0" "$0" "$0" "$0" "$0" "$0" "$0"; done' "$scratch/zeroes"
command -v sqlite3 >/dev/null && cost 'sqlite3, 1,600,000 rows' sh -c 'sqlite3 "$0/t.db" <"$0/rows.sql"' "$scratch"
exit $status
