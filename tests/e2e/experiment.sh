# SPDX-License-Identifier: MIT
# tools/experiment end to end: all runs in turn, one value a line, medians and what differs; it goes on where it was
# interrupted, and a run that fails is told.
# timeout: 300
# sanitizers: long: what it tests is a script that starts programs which the other scripts start, too
. "$(dirname "$0")/functions.sh"
requires python3

experiment=$TOP/tools/experiment
# Clients that stand still while the file "hold" is there.
mkdir programs
cat >programs/service <<END
#!/bin/bash
echo "\$*" >>"$PWD/calls"
exec "$BIN/service" "\$@"
END
cat >programs/client <<END
#!/bin/bash
[ ! -e "$PWD/hold" ] || { echo \$\$ >>"$PWD/held"; exec sleep 1000; }
exec "$BIN/client" "\$@"
END
chmod +x programs/*
export BIN=$PWD/programs

runs_are() { [ "$(find "$1/runs" -mindepth 1 -maxdepth 1 | wc -l)" = "$2" ]; }

cat >tiny.json <<'END'
{
  "question": "Is 20 ms more than 0.1 ms?",
  "image_mib": 1,
  "service": "--engine model --cache-bytes 0",
  "clients": {"one": "1 5", "two": "1 5"},
  "factors": {
    "disk": {
      "slow": {"service": "--model mean=20ms,law=fixed,channels=4"},
      "quick": {"service": "--model mean=100us,law=fixed,channels=4"}
    }
  },
  "tdf": [1, "10"],
  "seeds": [3, 8],
  "repetitions": 1,
  "latencies": true,
  "metrics": ["latency_ns.min", "share", "service.total.reads", "seed", "tdf.num"]
}
END

# Interrupted in its first run: nothing is kept, nothing is left behind, and a second one is refused meanwhile.
touch hold
"$experiment" tiny.json --out out >first.out 2>first.err &
pid=$!
eventually 20 test -e held || die "no client runs: $(cat first.err)"
expect 1 'another experiment is at work' "$experiment" tiny.json --out out
kill -TERM $pid
reap 20000 $pid
[ $status = 130 ] || die "exit $status when interrupted: $(cat first.err)"
grep -q 'the same command goes on' first.err || die "says: $(cat first.err)"
runs_are out 0 || die "half a run is kept"

# Killed in its first run: what it has left behind is ended by the next one, which goes on. A note that names no place
# of a run is of nobody's.
mkdir -p out/part
of_a_run=$(mktemp -d /tmp/splitdom-experiment.XXXXXXXX)
printf %s "$of_a_run/../..$PWD/elses" >out/part/rundir
mkdir elses
rm held
"$experiment" tiny.json --out out >first.out 2>first.err &
pid=$!
eventually 20 test -s held || die "no client runs: $(cat first.err)"
rmdir "$of_a_run"
[ -d elses ] || die "a directory was removed that is no run's"
kill -KILL $pid
reap 20000 $pid
rundir=$(cat out/part/rundir)
"$BIN/service" status --rundir "$rundir" --name experiment >/dev/null || die "no service is left behind in '$rundir'"
rm hold
# shellcheck disable=SC2046 # several
kill $(cat held)

# A run that takes too long has failed.
sed 's/"repetitions": 1/"limit_s": 1, &/' tiny.json >limit.json
touch hold
expect 1 'client one has not ended after limit_s' "$experiment" limit.json --out limit
rm hold

expect 0 '^# Is 20 ms' "$experiment" tiny.json --out out
[ ! -e "$rundir" ] || die "what was left behind is still there: $(ls "$rundir")"
[ -z "$(find out -name rundir)" ] || die "the place of the service is kept"
runs_are out 10 || die "not 10 runs: $(ls out/runs)"
grep -q 'run 10 of 10, about [0-9]* s left' stderr || die "no progress: $(cat stderr)"
[ "$(head -n 1 out/results.csv)" = round,seed,disk,tdf,again,client,metric,value ] || die "$(head -n 1 out/results.csv)"
[ "$(wc -l <out/results.csv)" = $((1 + 10 * 9)) ] || die "not a line for each value: $(cat out/results.csv)"
grep -qx '2,8,quick,10,0,two,seed,9' out/results.csv || die "no seed: $(cat out/results.csv)"
grep -qx '1,3,slow,10,0,one,tdf.num,10' out/results.csv || die "no TDF: $(cat out/results.csv)"
[ "$(grep -c 'service.total.reads,10$' out/results.csv)" = 10 ] || die "not all reads: $(cat out/results.csv)"
cmp -s out/summary.md <(head -n "$(wc -l <out/summary.md)" stdout) || die "the summary is not what was printed"
# Who reads does not want all of it: nothing is left undone for that.
touch out/disk.img
PYTHONUNBUFFERED=1 "$experiment" tiny.json --out out 2>stderr | true
[ "${PIPESTATUS[0]}" = 0 ] && ! grep -q Traceback stderr || die "a reader that is gone: $(cat stderr)"
[ ! -e out/disk.img ] || die "the image is left when nobody reads on"
# 200 times less is no noise, the seed is the same in each cell.
awk -F'|' '/^## /{ metric = $0 } metric ~ /latency_ns.min of one/ && $2 ~ /disk quick, tdf 1 /' out/summary.md |
    grep -q 'differs' || die "no difference: $(cat out/summary.md)"
awk -F'|' '/^## /{ metric = $0 } metric ~ /seed of one/ && $2 ~ /disk quick/' out/summary.md |
    grep -c 'within A/A' | grep -qx 2 || die "seeds differ: $(cat out/summary.md)"
if command -v gnuplot >/dev/null; then
    for plot in latency-cdf latency-time latency_ns.min share; do
        grep -q '</svg>' out/$plot.svg || die "no plot $plot: $(ls out)"
    done
fi

# Goes on: what is there is not run again, what is missing is.
rm -r out/runs/round002-0[123]*
find out/runs -mindepth 1 -maxdepth 1 -printf '%p %i\n' | sort >before
cp out/results.csv results.before
expect 0 '^All is in' "$experiment" tiny.json --out out
grep -q '7 of 10 runs are there' stderr || die "says: $(cat stderr)"
runs_are out 10 || die "not 10 runs: $(ls out/runs)"
[ -z "$(find out/runs -mindepth 1 -maxdepth 1 -printf '%p %i\n' | sort | comm -23 before -)" ] || die "runs were repeated"
cmp -s <(grep '^1,' out/results.csv) <(grep '^1,' results.before) || die "the first round's values have changed"
sed 's/"seeds": \[3, 8\]/"seeds": [3, 9]/' tiny.json >other.json
expect 1 'runs of another file' "$experiment" other.json --out out

# A run that fails ends the experiment: which, why, and the runs before it are kept.
cat >failing.json <<'END'
{
  "question": "What if a disk fails?",
  "image_mib": 1,
  "clients": {"reader": "1 20"},
  "factors": {"disk": {"good": {"service": "--engine null"}, "bad": {"service": "--engine model --model error=1"}}},
  "metrics": ["latency_ns.p50"]
}
END
expect 1 'round[0-9]*-01-disk-bad failed: client reader: .*--seed 1 .*exit 1: .*' "$experiment" failing.json --out failing
grep -qE 'the [012] runs before it are kept' stderr || die "says: $(cat stderr)"
sed 's/"--engine model.*error=1"/"--engine nonsense"/' failing.json >refused.json
expect 1 '01-disk-bad failed: .*/service start .*exit 2: .*nonsense' "$experiment" refused.json --out refused
sed 's/error=1/seed=1/; s/latency_ns.p50/latency_ns.p51/' failing.json >metric.json
expect 1 "no number 'latency_ns.p51'" "$experiment" metric.json --out metric

# A domain gets its weight; one that is not there long enough for that is told.
cat >weights.json <<'END'
{
  "question": "What does a weight do?",
  "image_mib": 1,
  "service": "--engine model --model mean=1ms",
  "clients": {"light": "1 1", "heavy": "2 10000000 --duration 2"},
  "factors": {"weights": {"1:3": {"weights": {"heavy": 768}}}},
  "repetitions": 1,
  "metrics": ["share"]
}
END
expect 0 '^All is in' "$experiment" weights.json --out weights
[ "$(grep -c 'set [0-9]* weight 768' calls)" = 2 ] || die "no weights: $(cat calls)"
sed 's/2 10000000 --duration 2/nonsense/' weights.json >short.json
expect 1 'client nonsense.* was not there long enough to get its weight' "$experiment" short.json --out short

# The examples are experiments; the long test runs them.
for example in "$TOP"/tools/experiments/*.json; do
    expect 0 '^round001-00-.*-again$' "$experiment" "$example" --list
    [ -z "${TEST_LONG:-}" ] || expect 0 '^All is in' "$experiment" "$example" --out "example-$(basename "$example" .json)"
done

# What is no experiment is refused before anything runs.
sed 's/"metrics"/"metrix"/' failing.json >wrong.json
expect 2 "there is no member 'metrix'" "$experiment" wrong.json --out wrong
sed 's/"service": "--engine null"/"weights": {"nobody": 1}/' failing.json >wrong.json
expect 2 "there is no client 'nobody'" "$experiment" wrong.json --out wrong
expect 2 'cannot read missing.json' "$experiment" missing.json --out wrong
echo '{"clients": 3' >wrong.json
expect 2 'wrong.json is no JSON' "$experiment" wrong.json --out wrong
expect 2 'usage' "$experiment"
[ ! -e wrong ] || die "a directory for a wrong file"
