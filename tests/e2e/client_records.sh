# SPDX-License-Identifier: MIT
# What a client says and writes down: one line, that agrees with --json and the dump; whole files also
# when the disk is full or the service ends; little memory.
. "$(dirname "$0")/functions.sh"

client=$BIN/client
image disk1.img 4
start_service

# Numbers of requests and threads in all proportions.
for counts in '1 1' '3 1000' '64 7' '8 8'; do
    # shellcheck disable=SC2086 # two arguments
    "$client" $counts --dump-latencies latencies >stdout 2>stderr || die "client $counts: $(cat stderr)"
    [ ! -s stderr ] || die "not silent: $(cat stderr)"
    [ "$(wc -l <stdout)" = 1 ] || die "not one line: $(cat stdout)"
    grep -qE '^[0-9]+\|[0-9]+\|[0-9]+\|[0-9]+\.[0-9]\|[0-9]+\.[0-9]$' stdout || die "form: $(cat stdout)"
    pid=$(echo sectors.*) && pid=${pid#sectors.}
    verify "$pid"
    [ "$(wc -l <"sectors.$pid")" = "${counts#* }" ] || die "not ${counts#* } records"
    # Maximum, average, minimum and deviation again, from the dump.
    awk '{ v[NR] = $1; sum += $1; if ($1 > max) max = $1; if (NR == 1 || $1 < min) min = $1 }
        END { mean = sum / NR; for (i in v) square += (v[i] - mean) ^ 2
              printf "%d|%.0f|%d|%.1f\n", max, mean, min, sqrt(square / NR) }' latencies >again
    awk -F'|' 'NR == FNR { for (i = 1; i <= 4; i++) a[i] = $i; next }
        { for (i = 1; i <= 4; i++) if (a[i] - $i > 1 || $i - a[i] > 1) exit 1 }' again stdout ||
        die "the dump gives $(cat again), the client says $(cat stdout)"
    rm -f "sectors.$pid" "read.$pid"
done

"$client" 2 100 --json --no-record --dump-latencies latencies --seed 7 >stdout || die "--json"
[ "$(echo sectors.*)" = 'sectors.*' ] || die "recorded in spite of --no-record"
awk '{ if ($1 > max) max = $1 } END { print max }' latencies >max
grep -q "\"max\": $(cat max)," stdout || die "--json has another maximum than the dump"
grep -q "\"line\": \"$(cat max)|" stdout || die "--json has another maximum than its line"
grep -q '"seed": 7' stdout || die "--json has another seed"

# The same seed reads the same sectors.
for i in 1 2; do
    "$client" 1 500 --seed 42 >/dev/null || die "--seed"
    cat sectors.* >"seeded$i" && rm -f sectors.* read.*
done
cmp seeded1 seeded2 || die "a seed does not fix the sectors"

# Several sectors a request are as many records.
"$client" 1 100 --depth 8 --sectors-per-request 11 >/dev/null || die "asynchronous"
pid=$(echo sectors.*) && pid=${pid#sectors.}
[ "$(wc -l <"sectors.$pid")" = 1100 ] || die "not 1100 records"
verify "$pid"
rm -f sectors.* read.*

# A full disk: a message, exit 1, no result, and what is there is right.
full_disk() { (ulimit -f 1024 && "$client" 4 100000); }
expect 1 'cannot write ./read.*File too large' full_disk
pid=$(echo sectors.*) && pid=${pid#sectors.}
verify "$pid"
[ "$(stat -c %s "read.$pid")" -gt 500000 ] || die "much less than there was room for"
rm -f sectors.* read.*
expect 1 'cannot write /dev/full: No space' "$client" 1 10 --no-record --dump-latencies /dev/full

# A million records in less than 64 MiB. (The sanitizers need more; there, fewer will do.)
if [ -z "${TEST_SAN:-}" ] && [ -x /usr/bin/python3 ]; then
    python3 - "$client" <<'PY' >/dev/null || die "a million records: more than 64 MiB, or failed"
import resource, subprocess, sys
subprocess.run([sys.argv[1], "1", "1000000", "--depth", "32", "--pattern", "hotset:0.1"], check=True)
sys.exit(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >= 64 * 1024)
PY
    pid=$(echo sectors.*) && pid=${pid#sectors.}
    verify "$pid"
    rm -f sectors.* read.*
fi

# The service ends: the client says so at once, without a result, and its files match.
"$client" 8 1000000000 >stdout 2>stderr &
pid=$!
eventually 10 test -s "sectors.$pid" || die "the client records nothing"
"$BIN/service" stop >/dev/null || die "stop with a client attached"
status=0
wait $pid || status=$?
[ $status = 1 ] || die "exit $status after the service's end"
grep -q 'Dom0 is gone' stderr || die "no message: $(cat stderr)"
[ ! -s stdout ] || die "a result although the run was not whole"
verify $pid
