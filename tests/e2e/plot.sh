# SPDX-License-Identifier: MIT
# tools/plot draws runs of clients: names, units, both clocks. The histograms that it adds are those of all latencies.
# sanitizers: long: what it tests is no program of ours that a sanitizer is built into
. "$(dirname "$0")/functions.sh"
requires python3

plot=$TOP/tools/plot
image disk1.img 4
start_service --engine model --model mean=100us,channels=4
client 2 500 --json --no-record --dump-latencies one.dump >one.json || die "client"
client 2 500 --json --no-record --dump-latencies two.dump --tdf 10 >two.json || die "client under TDF 10"
client 1 300 --json --no-record --dump-latencies more.dump --depth 8 >more.json || die "client with --depth"

# Each latency of both dumps is in a bucket of the sum, and as many in each as are counted.
python3 - one two <<'END' || die "the histograms do not add up"
import json, sys
merged, values = {}, []
for name in sys.argv[1:]:
    for first, last, count in json.load(open(name + ".json"))["latency_ns"]["histogram"]:
        merged[first, last] = merged.get((first, last), 0) + count
    values += [int(line) for line in open(name + ".dump")]
for (first, last), count in merged.items():
    found = sum(first <= value <= last for value in values)
    assert found == count, (first, last, count, found)
assert sum(merged.values()) == len(values) == 1000
END

expect 2 'usage' "$plot"
expect 1 'cannot read .*missing' "$plot" missing
expect 1 'holds no latencies' "$plot" "$TOP/README.md"
echo '{}' >empty.json
expect 1 'empty.json is not what client --json prints' "$plot" empty.json
expect 1 'different factors: 1 and 10' "$plot" same=one.json same=two.json
mkdir nothing
expect 1 'gnuplot is not installed' env PATH="$PWD/nothing" "$(python3 -c 'import sys; print(sys.executable)')" "$plot" one.json

requires gnuplot
drawn() { # FILE TEXT...: well-formed, and each text is in it
    python3 -c '
import sys, xml.dom.minidom
def texts(node):
    return "".join(texts(child) for child in node.childNodes) if node.childNodes else getattr(node, "data", "")
found = [texts(node).strip() for node in xml.dom.minidom.parse(sys.argv[1]).getElementsByTagName("text")]
for text in sys.argv[2:]:
    assert text in found, (text, found)
' "$@" || die "$1"
}
expect 0 'plotted latency-time.svg' "$plot" "it's one=one.json" "it's one=one.dump" two.json two.dump
drawn latency-cdf.svg "it's one" 'two, TDF 10' 'latency, us' 'Latency of requests, as the domain sees it' \
    'Latency of requests, in real time'
drawn latency-time.svg "it's one p50" 'two, TDF 10 p99' 'time, s' 'Latency along the run, in real time'
rm latency-*
# One clock needs no second panel, and without dumps there is no time.
expect 0 'plotted sum-cdf.svg' "$plot" -o sum both=one.json both=more.json
drawn sum-cdf.svg both 'Latency of requests'
grep -q 'real time' sum-cdf.svg && die "a second panel for one clock"
[ ! -e sum-time.svg ] || die "time without dumps"
expect 0 'plotted latency-time.svg' "$plot" more.dump
drawn latency-time.svg 'more p50' 'answers, in their order'

# A trace: a run for each domain, a curve for hits and one for misses; both clocks.
client 2 500 --json --no-record --tdf 10 --pattern hotset:1:50 --trace life.json >life.out 2>life.err || die "client"
expect 0 'plotted latency-time.svg' "$plot" life.json
drawn latency-cdf.svg 'life misses, TDF 10' 'Latency of requests, in real time'
echo '{"displayTimeUnit":"ns","traceEvents":[]}' >none.json
expect 1 'has no requests' "$plot" none.json

client 2 500 --json --no-record >reads.json || die "client"
service stop >/dev/null
start_service --engine model --model mean=100us,channels=4 --disk "$PWD/disk1.img,raw,xvda,w"
client 2 200 --json --no-record --write 50 >mixed.json || die "client that writes"
expect 0 plotted "$plot" reads.json mixed.json
drawn latency-cdf.svg reads 'mixed reads' 'mixed writes'
