#!/bin/bash
# SPDX-License-Identifier: MIT
# tools/netplot: what it samples of interfaces and links is what the status has, rates are those of the counters, and it
# ends with the service; a picture of it.
# sanitizers: long: what it tests is no program of ours that a sanitizer is built into
. "$(dirname "$0")/functions.sh"
requires jq python3

netplot() { "$TOP/tools/netplot" --service "$BIN/service" "$@"; }
expect 2 'usage' netplot --nothing
expect 2 'is not from' netplot --seconds 0
expect 1 'netplot: no service' netplot --seconds 1
expect 1 'cannot write' netplot -o nowhere/file

image disk1.img 1
start_service --vif bridge=xenbr0
expect 1 'there was no network interface' netplot --seconds 0.02 --delay 0.01

"$BIN/domu" traffic --echo --domain-name echo --tdf 10 >echo.out 2>&1 &
eventually 10 connected_vif echo || die "no domain: $(cat echo.out)"
service net-link "$(vif_of echo .name)" rate=1Mbit queue=5 way=down || die "no link"

netplot --no-plot --seconds 600 --delay 0.02 >netplot.out 2>&1 &
sampler=$!
rows() { [ -e network.csv ] && [ "$(wc -l <network.csv)" -ge "$1" ]; }
eventually 20 rows 5 || die "no samples: $(cat netplot.out)"
timeout -k 2 $((30 * slack)) "$BIN/domu" traffic --to "$(vif_of echo .mac)" --count 100 --size 1000 --linger 0 >sender.out 2>&1 ||
    die "the sender fails: $(cat sender.out)"
drained() { [ "$(vif_of echo '.link.down | .waiting_frames + .under_way_frames')" = 0 ] && [ "$(vif_of echo .link.down.out_frames)" -gt 0 ]; }
eventually 30 drained || die "frames stay in the link"
lines=$(wc -l <network.csv)
eventually 20 rows $((lines + 20)) || die "no samples: $(cat netplot.out)"
service status --json | jq -r '.domains[] | select(.name == "echo") | .vifs[0] |
    "\(.name) rx \(.rx_frames) \(.rx_bytes) \(.dropped["no-room"] + .dropped.stalled)",
    "\(.name) tx \(.tx_frames) \(.tx_bytes) \([.dropped | to_entries[] | select(.key | test("^(link-.*|no-room|stalled)$") | not) | .value] | add)",
    (.name as $name | .link.down | "\($name) link down \(.out_frames) \(.out_bytes) \(.lost + .queue_full + .early)")' >wanted
service stop >/dev/null || die "no stop"
reap 10000 $sampler
[ "$status" = 0 ] && [ "$(cat netplot.out)" = "sampled network.csv" ] || die "exit $status: $(cat netplot.out)"

python3 - network.csv wanted <<'END' || die "not what was: $(cat wanted; tail network.csv)"
import csv, sys
rows = list(csv.DictReader(open(sys.argv[1])))
curves = {}
for row in rows:
    curves.setdefault((row["name"], row["way"]), []).append(row)
for line in open(sys.argv[2]):
    *name, way, frames, size, dropped = line.split()
    curve = curves[" ".join(name), way]
    assert [curve[-1][column] for column in ("frames", "bytes", "dropped")] == [frames, size, dropped], (line, curve[-1])
    assert curve[-1]["tdf"] == "10" and curve[0]["mbit_per_s"] == ""
    # Rates times the time between samples are what the counters have gone on by.
    for before, now in zip(curve, curve[1:]):
        seconds = float(now["time_s"]) - float(before["time_s"])
        for column, rate, unit in (("frames", "frames_per_s", 1), ("bytes", "mbit_per_s", 125000), ("dropped", "drops_per_s", 1)):
            gone = int(now[column]) - int(before[column])
            assert abs(float(now[rate]) * unit * seconds - gone) <= 1e-3 * gone + 1e-6, (before, now)
link = next(curve for (name, way), curve in curves.items() if way == "down")
assert int(link[-1]["dropped"]) > 0 and max(int(row["queue_frames"]) for row in link) > 0
assert max(int(row["queue_frames"]) for row in link) <= 5 and link[-1]["queue_bytes"] == "0"
END

requires gnuplot
start_service --bridge xenbr0 --bridge xenbr1 --vif bridge=xenbr0
service net-link xenbr0 xenbr1 delay=1ms || die "no link of bridges"
"$BIN/domu" traffic --domain-name echo >echo.out 2>&1 &
eventually 10 connected_vif echo || die "no domain: $(cat echo.out)"
service net-link "$(vif_of echo .name)" delay=1ms || die "no link"
expect 0 'plotted two.svg' netplot -o two --seconds 2 --delay 0.02
python3 - two.svg "$(vif_of echo .name)" <<'END' || die "the picture"
import sys, xml.dom.minidom
def texts(node):
    return "".join(texts(child) for child in node.childNodes) if node.childNodes else getattr(node, "data", "")
found = [texts(node).strip() for node in xml.dom.minidom.parse(sys.argv[1]).getElementsByTagName("text")]
for text in ("Mbit/s", "KiB", "frames/s", "time, s", sys.argv[2] + " tx", sys.argv[2] + " link up",
             "xenbr0 xenbr1 down"):
    assert text in found, (text, found)
END
