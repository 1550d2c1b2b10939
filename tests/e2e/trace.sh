# SPDX-License-Identifier: MIT
# timeout: 240
# Traces: each request of the clients is in them, with both halves; the JSON holds what Chrome's format promises
# (trace_check.py); the stages sum up to what the clients measure, in the domains' time, too; a domain that writes
# nonsense into its trace memory harms nobody.
. "$(dirname "$0")/functions.sh"
requires python3
check() { python3 "$TOP/tests/e2e/trace_check.py" "$@" || die "trace: $*"; }

# What a client measures beside the library is less than 1 % where it has a CPU: only the long run asks for that.
requests=1500
export TRACE_SLACK=0.1
[ -z "${TEST_LONG:-}" ] || requests=25000 TRACE_SLACK=0.01
[ -z "${TEST_SAN:-}" ] || TRACE_SLACK=0.3
image disk1.img 4
expect 3 'no service' service trace --seconds 0.01
# A disk that takes its time: then what is measured beside the library is less than 1 %.
start_service --engine model --model mean=300us,channels=4 --shared-cache off --idle-timeout 0
expect 2 'seconds' service trace --seconds 0
expect 2 'belongs to trace' service status --sample 2
expect 1 'no such domain' service trace --domain 77 --seconds 0.01
expect 1 "cannot create 'nosuch/t.json'" service trace --seconds 600 nosuch/t.json # at once
service trace --seconds 0.05 - >all.json 2>all.table || die "a trace on stdout: $(cat all.table)"
python3 -c 'import json; json.load(open("all.json"))' || die "stdout is no JSON"

# Each client its own trace, side by side, and `service trace` of all of them, at TDF 1 and 10.
"$BIN/service" trace --seconds 600 --sample 1 all.json >all.table 2>all.err &
all=$!
eventually 10 grep -q 'tracing for' all.err || die "no trace: $(cat all.err)"
for i in 1 2 3 4; do
    tdf=$((i % 2 == 1 ? 1 : 10))
    options=''
    [ $i != 3 ] || options='--depth 8'
    # shellcheck disable=SC2086 # options are words
    "$BIN/client" $((i == 3 ? 1 : i)) $requests --no-record --json --tdf $tdf --seed $i $options \
        --pattern hotset:1:50 --trace $i.json --sample 1 >$i.out 2>$i.err &
    eval "client_$i=$!"
done
for i in 1 2 3 4; do
    eval "reap $((100000 * slack)) \$client_$i"
    [ "$status" = 0 ] || die "client $i: $(tail -n 3 $i.err)"
done
kill -TERM $all # before the judge's work: a Dom0 without requests ends some time
reap $((60000 * slack)) $all
[ "$status" = 0 ] || die "service trace: $(cat all.err)"
for i in 1 2 3 4; do
    check $i.json $i.out
    grep -q '^misses: ' $i.err || die "client $i has no table: $(cat $i.err)"
done
check all.json 1.out 2.out 3.out 4.out
grep -q '^hits: [1-9]' all.table && grep -q '^  completed .* Dom0 ' all.table || die "no stages: $(cat all.table)"

# What nobody reads is nobody's: Dom0 has no memory of its own any more, and a domain that goes on has given back its pages.
"$BIN/client" 1 1000000 --rate 2000 --no-record >rest.out 2>rest.err &
rest=$!
eventually 10 domains_are 1 || die "no domain"
service trace --seconds 0.5 >rest.table 2>rest.err2 || die "$(cat rest.err2)"
trace_pages() { # of the memories whose name matches, in pages
    local fd sum=0
    for fd in /proc/"$(dom0_pid)"/fd/*; do
        case $(readlink "$fd") in
        /memfd:$1*) sum=$((sum + $(stat -L -c %b "$fd") / 8)) ;;
        esac
    done
    echo $sum
}
eventually 10 eval '[ "$(trace_pages "splitdom-trace ")" -le 8 ]' || die "the domain keeps $(trace_pages 'splitdom-trace ') pages"
eventually 10 eval '! ls -l /proc/'"$(dom0_pid)"'/fd /proc/'"$(dom0_pid)"'/map_files 2>/dev/null | grep -q splitdom-trace-dom0' || die "Dom0 keeps its memory"
kill -TERM $rest
reap $((60000 * slack)) $rest

# A sample of one domain: every tenth or so. The others are not in it. Without an end, so that both are there, however
# late the trace begins.
"$BIN/client" 2 1000000000 --no-record --seed 5 >5.out 2>5.err &
busy=$!
"$BIN/client" 2 1000000000 --no-record --seed 6 >6.out 2>6.err &
other=$!
eventually 10 domains_are 2 || die "not two domains"
domid=$(service list | awk '$1 ~ /^[1-9]/ { print $1; exit }')
[ -n "$domid" ] || die "no domain: $(service list)"
service trace --seconds 0.3 --sample 10 --domain "$domid" part.json >part.table 2>part.err || die "$(cat part.err)"
kill -TERM $busy $other
reap $((60000 * slack)) $busy && reap $((60000 * slack)) $other
python3 - "$domid" <<'END' || die "not a sample of one domain"
import json, sys
events = json.load(open("part.json"))["traceEvents"]
pids = {e["pid"] for e in events if e.get("cat") == "request"}
assert pids <= {int(sys.argv[1])}, pids
END

# Without --sample no more are looked at than disturb little. Those stand for all: but for the last few.
"$BIN/client" 1 60000 --depth 16 --no-record --json --seed 8 --pattern hotset:0.1:100 --trace some.json >8.out 2>8.err ||
    die "client: $(cat 8.err)"
check some.json
"$BIN/client" 1 $requests --no-record --json --pattern hotset:0.1:100 --trace tenth.json --sample 10 >9.out 2>9.err ||
    die "client: $(cat 9.err)"
check tenth.json
python3 - <<'END' || die "what was looked at does not stand for all requests"
import json
for trace, client, most in ("some.json", "8.out", None), ("tenth.json", "9.out", 10):
    trace = json.load(open(trace))
    weights = [e["args"]["weight"] for e in trace["traceEvents"] if e["ph"] == "b" and e["cat"] == "request"]
    wanted, others = json.load(open(client))["latency_ns"]["count"], trace["otherData"]
    assert others["asked"] == sum(weights) and others["lost"] == 0, others
    assert wanted - (most or 2 * max(weights)) < others["asked"] <= wanted, (wanted, others, max(weights))
    assert most is None or max(weights[1:]) == most, weights
END
expect 2 'must be auto, or from 1' service trace --sample few
expect 2 'needs --trace' client 1 1 --sample 4

# Dom0 dies while somebody traces: what was written down is told, and that it is not all.
service trace --seconds 600 dead.json >dead.table 2>dead.err &
tracer=$!
eventually 10 grep -q 'tracing for' dead.err || die "no trace: $(cat dead.err)"
"$BIN/client" 1 20 --no-record >7.out 2>7.err || die "client: $(cat 7.err)"
kill -KILL "$(dom0_pid)"
reap $((60000 * slack)) $tracer
[ "$status" = 1 ] && grep -q 'Dom0 ended meanwhile' dead.err || die "exit $status: $(cat dead.err)"
grep -q '^misses: ' dead.table || grep -q '^hits: ' dead.table || die "nothing told: $(cat dead.table)"
python3 -c 'import json; json.load(open("dead.json"))' || die "what was left is no JSON"

# Dom0 dies under a client that outlives it: its trace says that it is not all.
start_service --shared-cache off
"$BIN/client" 1 300 --rate 100 --reconnect --no-record --json --trace part.json >13.out 2>13.err &
client=$!
eventually 10 eval 'service status --json | grep -q "\"requests\":[1-9]"' || die "no requests: $(cat 13.err)"
kill -KILL "$(dom0_pid)"
start_service --shared-cache off
reap $((60000 * slack)) $client
[ "$status" = 0 ] && grep -q '^client: Dom0 has ended: what follows was written down until then$' 13.err ||
    die "exit $status: $(cat 13.err)"
check part.json
service stop >/dev/null || die "no stop"

# Hits that a domain finds by itself in the shared cache: all of them, and a sample that stands for all.
start_service
"$BIN/client" 1 2000 --no-record --pattern hotset:0.1:100 >10.out 2>10.err || die "client: $(cat 10.err)"
"$BIN/client" 2 3000 --no-record --json --pattern hotset:0.1:100 --trace found.json --sample 1 >11.out 2>11.err ||
    die "client: $(cat 11.err)"
check found.json 11.out
"$BIN/client" 1 90000 --depth 16 --no-record --json --pattern hotset:0.1:100 --trace some.json >12.out 2>12.err ||
    die "client: $(cat 12.err)"
check some.json
python3 - <<'END' || die "the hits that were looked at do not stand for all"
import json
trace, wanted = json.load(open("some.json")), json.load(open("12.out"))["latency_ns"]["count"]
weights = [e["args"]["weight"] for e in trace["traceEvents"]
           if e["ph"] == "b" and e["cat"] == "request" and e["args"]["class"] == "found"]
others = trace["otherData"]
assert others["found"] == sum(weights) > wanted * 0.9 - 2 * max(weights) and others["lost"] == 0, others
assert wanted - 4 * max(weights) < others["found"] + others["asked"] <= wanted, (wanted, others, max(weights))
END
