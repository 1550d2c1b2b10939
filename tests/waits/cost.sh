#!/bin/bash
# SPDX-License-Identifier: MIT
# cost.sh [ROUNDS [ROW]]: what a domain at TDF 1 costs programs: the CPU time of each piece of work, and how long it takes, in
# a domain over that without one, which is done before and after, the three in turn, ROUNDS times (100). Each piece takes about
# a quarter of a second, so that whatever disturbs the machine meets all three; the domain is there before.
# ROW: a word of the only rows. Prints the median of the rounds' ratios with their quartiles, and the same of the two without
# (A/A). Exit 1: a program's median is above 1 % in CPU time. A spawn, which costs some tenths of a millisecond, is a row and not
# judged by itself; those of a program are in its row. A domain's start is in none: 6 ms, once.
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
BIN=${BIN:-$TOP/bin}
rounds=${1:-100} row=${2:-}
scratch=$(mktemp -d) || exit 1
export SPLITDOM_RUNDIR=$scratch/run CCACHE_DISABLE=1
trap 'kill $(jobs -p) 2>/dev/null; "$BIN/service" stop >/dev/null 2>&1; rm -rf "$scratch"' EXIT
cd "$TOP" || exit 1
dd if=/dev/urandom of="$scratch/disk1.img" bs=1M count=4 iflag=fullblock status=none
"$BIN/service" start --image "$scratch/disk1.img" --idle-timeout 0 || exit 1
status=0
to=() from=()

cat >"$scratch/build.mk" <<'END'
.RECIPEPREFIX = >
define newline


endef
all:
> $(foreach file,$(FILES),@$(CC) -O2 -g -std=gnu11 -Wall -Wextra -D_GNU_SOURCE -Iinclude -Isrc -c -o $(OUT) $(file)$(newline))
END
cat >"$scratch/rows.sql" <<'END'
create table t(a integer primary key, b text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 400000) insert into t select i, hex(i) from n;
select count(*), sum(length(b)) from t where b like '%3%';
END
head -c 268435456 /dev/zero >"$scratch/zeroes"
# A worker does a line's command and tells its CPU time and the time that it took.
cat >"$scratch/worker.sh" <<'END'
TIMEFORMAT='%U %S %R'
while IFS= read -r command; do
    { time eval "$command" >/dev/null 2>&1; } 2>&4
done
END

for arm in 0 1 2; do
    mkfifo "$scratch/in$arm" "$scratch/out$arm" || exit 1
    domain=()
    [ $arm != 1 ] || domain=("$BIN/domu" run --)
    exec {in}<>"$scratch/in$arm" {out}<>"$scratch/out$arm"
    to+=("$in") from+=("$out")
    "${domain[@]}" bash "$scratch/worker.sh" <"$scratch/in$arm" 4>"$scratch/out$arm" &
done

# cost NAME LIMIT COMMAND...: a row; the commands in turn, a line each.
cost() {
    local name=$1 limit=$2 i arm
    shift 2
    case $name in *"$row"*) ;; *) return ;; esac
    : >"$scratch/seconds"
    for ((i = 0; i < rounds; i++)); do
        local found=('' '' '')
        for arm in $((i % 3)) $(((i + 1) % 3)) $(((i + 2) % 3)); do
            echo "${@:1 + i % $#:1}" >&"${to[arm]}"
            read -r "found[arm]" <&"${from[arm]}"
        done
        echo "${found[*]}" >>"$scratch/seconds"
    done
    awk -v name="$name" -v limit="$limit" '
        function sort(v, n,    i, k, t) {
            for (i = 2; i <= n; i++) for (k = i; k > 1 && v[k - 1] > v[k]; k--) { t = v[k]; v[k] = v[k - 1]; v[k - 1] = t }
        }
        function at(v, n, part) { return v[int((n - 1) * part) + 1] }
        function span(v, n) { return sprintf("%.1f %% (%.1f to %.1f)", at(v, n, 0.5), at(v, n, 0.25), at(v, n, 0.75)) }
        {
            a = $1 + $2; b = $4 + $5; c = $7 + $8; seconds[NR] = a
            cpu[NR] = (b * 2 / (a + c) - 1) * 100; same[NR] = (c / a - 1) * 100; wall[NR] = ($6 * 2 / ($3 + $9) - 1) * 100
        }
        END {
            sort(cpu, NR); sort(same, NR); sort(wall, NR); sort(seconds, NR)
            printf "| %s | %.3f s | %s | %s | %s |\n", name, at(seconds, NR, 0.5), span(cpu, NR), span(same, NR), span(wall, NR)
            exit at(cpu, NR, 0.5) > limit
        }' "$scratch/seconds" || status=1
}

echo '| | CPU time without | more at TDF 1 | A/A | time taken |'
echo '|---|---|---|---|---|'
cost 'true 50 times' 1e9 'i=0; while [ $i -lt 50 ]; do /bin/true; i=$((i + 1)); done'
compilations=()
files=(src/tdf/*.c src/run/*.c src/service/dom0/*.c)
for ((i = 0; i + 4 <= ${#files[@]}; i += 4)); do
    compilations+=("make -s -f $scratch/build.mk OUT=$scratch/\$\$.o FILES='${files[*]:i:4}'")
done
cost 'a build (make and gcc, four files)' 1 "${compilations[@]}"
command -v openssl >/dev/null && cost 'openssl (sha256 of 256 MiB)' 1 "openssl dgst -sha256 $scratch/zeroes"
command -v sqlite3 >/dev/null && cost 'sqlite3 (400,000 rows)' 1 "sqlite3 :memory: <$scratch/rows.sql"
exit $status
