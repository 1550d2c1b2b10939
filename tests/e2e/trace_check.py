# SPDX-License-Identifier: MIT
"""Judges a Chrome trace of requests strictly: trace_check.py TRACE [CLIENT.json...]

Every begin has its end, ids are unique, time never goes back, work on a track does not overlap, each
arrow goes from the call to Dom0 and back and lies in the slices of that work, counters end at 0, the
stages of a request follow each other. The clients' JSON: as many requests as they have done, and their
times sum up to the clients' latencies within TRACE_SLACK (0.01: 1 %). Shares no code with what writes traces.
"""
import collections
import json
import os
import sys

STAGES = ["submitted", "on the ring", "doorbell", "taken", "judged", "queued", "picked", "sent", "completed",
          "answered", "published", "woken", "taken off", "returned"]
WORK = {"s": "submit", "f": "take off"}
slack = float(os.environ.get("TRACE_SLACK", "0.01"))
faults = []


def fault(text):
    faults.append(text)


def unique_members(pairs):
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        fault(f"a member comes twice: {names}")
    return dict(pairs)


def no_constant(text):
    raise ValueError(f"{text} is no JSON")


def nanoseconds(event, name="ts"):
    """Times are written with three digits: exact in nanoseconds."""
    ns = round(event[name] * 1000)
    if abs(event[name] * 1000 - ns) > 0.01 or ns < 0:
        fault(f"{event[name]} is no time")
    return ns


def check_heads(events):
    named = {(e["name"], e["pid"], e["tid"]) for e in events if e["ph"] == "M"}
    last = collections.defaultdict(int)
    for event in events:
        if event["ph"] not in "MXbestfC" or not isinstance(event["pid"], int) or not isinstance(event["tid"], int):
            fault(f"no event: {event}")
        if event["ph"] == "M":
            continue
        track, ts = (event["pid"], event["tid"]), nanoseconds(event)
        if ts < last[track]:
            fault(f"time goes back on {track}: {event}")
        last[track] = ts
        if event["ph"] == "X" and ("thread_name", *track) not in named:
            fault(f"a track without a name: {track}")


def check_pairs(events):
    """Asynchronous slices: returns the begin of each request by id."""
    begun, lives = {}, {}
    for event in events:
        key = (event.get("cat"), event.get("id"))
        if event["ph"] == "b":
            if key in begun or (key[0] == "request" and key[1] in lives):
                fault(f"begins twice: {event}")
            begun[key] = event
            if key[0] == "request":
                lives[key[1]] = event
        elif event["ph"] == "e":
            begin = begun.pop(key, None)
            if begin is None or any(begin[m] != event[m] for m in ("pid", "tid", "name")):
                fault(f"an end without its begin: {event}")
            elif key[0] == "request":
                begin["end"] = nanoseconds(event)
    for event in begun.values():
        fault(f"never ends: {event}")
    return lives


def check_slices(events):
    """Work: returns by track the slices by their begin."""
    tracks = collections.defaultdict(dict)
    ends = collections.defaultdict(int)
    for event in events:
        if event["ph"] != "X":
            continue
        track, begin = (event["pid"], event["tid"]), nanoseconds(event)
        if begin < ends[track]:
            fault(f"work overlaps on {track}: {event}")
        ends[track] = begin + nanoseconds(event, "dur")
        tracks[track].setdefault(begin, {})[event["name"]] = event["args"]["requests"]
    return tracks


def check_arrows(events, lives, tracks):
    arrows = collections.defaultdict(list)
    joined = collections.Counter()
    for event in events:
        if event["ph"] in "stf":
            arrows[event["id"]].append(event)
    for number, way in arrows.items():
        if "".join(e["ph"] for e in way) != "sttf" or number not in lives:
            fault(f"no way there and back: {way}")
            continue
        life, places = lives[number], ["submit", "take", "publish", "take off"]
        for event, name in zip(way, places):
            track, ts = (event["pid"], event["tid"]), nanoseconds(event)
            if name not in tracks[track].get(ts, {}):
                fault(f"{event} begins in no slice '{name}'")
            if not nanoseconds(life) <= ts <= life["end"]:
                fault(f"{event} lies outside of its request")
            if (event["pid"] == 0) != (name in ("take", "publish")) or event["pid"] not in (0, life["pid"]):
                fault(f"{event} is of another process")
            joined[(track, ts, name)] += 1
    for track, begins in tracks.items():
        for ts, names in begins.items():
            for name, requests in names.items():
                if joined[(track, ts, name)] not in (requests, 0):
                    fault(f"'{name}' of {requests} requests has {joined[(track, ts, name)]} arrows")
    return len(arrows)


def check_counters(events):
    last = {}
    for event in events:
        if event["ph"] == "C":
            (value,) = event["args"].values()
            if not isinstance(value, int) or value < 0:
                fault(f"counts no requests: {event}")
            last[(event["pid"], event["name"])] = value
    for counter, value in last.items():
        if value != 0:
            fault(f"{counter} ends at {value}")
    return len(last)


def check_stages(lives):
    for life in lives.values():
        args = life["args"]
        stages = args["stages_ns"]
        times = [stages[s] for s in STAGES if s in stages]
        if set(stages) - set(STAGES) or times != sorted(times) or times[0] != 0:
            fault(f"stages out of order: {life}")
        if times[-1] != args["real_ns"] or args["real_ns"] != life["end"] - nanoseconds(life):
            fault(f"the stages are another time than the request: {life}")
        if args["class"] == "miss" and not {"queued", "picked", "sent", "completed"} <= set(stages):
            fault(f"a miss that was at no disk: {life}")
        if args["class"] == "hit" and "sent" in stages:
            fault(f"a hit that was at the disk: {life}")


def check_clients(trace, lives, clients):
    """Of hits in the shared cache a sample is looked at: all others are there."""
    others = trace["otherData"]
    looked_at = sum(life["args"]["class"] == "found" for life in lives.values())
    requests = len(lives) - looked_at + others["found"]
    wanted = sum(client["latency_ns"]["count"] for client in clients)
    if requests != wanted or others["halves"] + others["cut"] + others["wrong"] + others["lost"] != 0:
        fault(f"{requests} requests instead of {wanted}: {others}")
    if others["found"] == 0:
        mine = sum(life["args"]["domain_ns"] for life in lives.values())
        theirs = sum(client["latency_ns"]["mean"] * client["latency_ns"]["count"] for client in clients)
        if abs(mine - theirs) > theirs * slack:
            fault(f"the stages take {mine} ns, the clients' latencies are {theirs:.0f} ns")
        print(f"sum of stages / latencies: {mine / theirs:.5f}")


def main():
    text = open(sys.argv[1], encoding="utf-8").read()
    trace = json.loads(text, object_pairs_hook=unique_members, parse_constant=no_constant)
    clients = [json.load(open(path, encoding="utf-8")) for path in sys.argv[2:]]
    if set(trace) != {"displayTimeUnit", "traceEvents", "otherData"}:
        fault(f"no trace: {set(trace)}")
    events = trace["traceEvents"]
    check_heads(events)
    lives = check_pairs(events)
    arrows = check_arrows(events, lives, check_slices(events))
    counters = check_counters(events)
    check_stages(lives)
    if clients:
        check_clients(trace, lives, clients)
    print(f"{len(events)} events, {len(lives)} requests, {arrows} arrows, {counters} counters")
    for text in faults[:10]:
        print(f"trace_check: {text}", file=sys.stderr)
    return 1 if faults or not lives else 0


if __name__ == "__main__":
    sys.exit(main())
