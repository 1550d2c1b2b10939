# SPDX-License-Identifier: MIT
"""The statistics of network_dilation.sh: intervals between the frames of captures a0.pcap, b0.pcap, ... (pcapng)."""
import math
import struct
import sys

TDF = {"a": 1, "b": 10, "c": 100, "d": 10}


def arrivals(path):
    """Times of the frames, in ns: their time stamps are CLOCK_REALTIME."""
    data = open(path, "rb").read()
    at, times = 0, []
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        if kind == 6:
            high, low = struct.unpack_from("<II", data, at + 12)
            times.append(high << 32 | low)
        at += length
    return times


def intervals(arm, repeat, frames):
    times = arrivals("%s%d.pcap" % (arm, repeat))
    assert len(times) == frames, (arm, repeat, len(times))
    return sorted((b - a) / TDF[arm] for a, b in zip(times, times[1:]))


def ks_distance(x, y):
    """Of two sorted samples."""
    i = j = 0
    most = 0.0
    while i < len(x) and j < len(y):
        value = min(x[i], y[j])
        while i < len(x) and x[i] == value:
            i += 1
        while j < len(y) and y[j] == value:
            j += 1
        most = max(most, abs(i / len(x) - j / len(y)))
    return most


def ks_p(x, y):
    """The asymptotic p-value, with Stephens' correction."""
    n = len(x) * len(y) / (len(x) + len(y))
    t = (math.sqrt(n) + 0.12 + 0.11 / math.sqrt(n)) * ks_distance(x, y)
    if t < 0.2:
        return 1.0
    return max(0.0, min(1.0, 2 * sum((-1) ** (k - 1) * math.exp(-2 * (k * t) ** 2) for k in range(1, 101))))


def w1(x, y):
    """Of two samples of one size, sorted."""
    return sum(abs(a - b) for a, b in zip(x, y)) / len(x)


def main():
    repeats, frames = int(sys.argv[1]), int(sys.argv[2])
    of = {arm: [intervals(arm, i, frames) for i in range(repeats)] for arm in TDF}
    pooled = {arm: sorted(v for sample in samples for v in sample) for arm, samples in of.items()}
    mean = sum(pooled["a"]) / len(pooled["a"])
    print("%d intervals in each arm, mean %.3f ms at TDF 1" % (len(pooled["a"]), mean / 1e6))
    p = {}
    for arm in "abc":
        p[arm] = sorted(ks_p(of["a"][i], of[arm][(i + 1) % repeats]) for i in range(repeats))
        print("KS, TDF 1 against %d, other seeds: p from %.3f to %.3f, mean %.3f"
              % (TDF[arm], p[arm][0], p[arm][-1], sum(p[arm]) / repeats))
    good = True
    for arm in "bc":
        as_aa = ks_p(p["a"], p[arm])
        good &= as_aa > 0.01
        print("p-values of TDF %d as those of TDF 1 against itself: p %.3f" % (TDF[arm], as_aa))
    for arm in "bcd":
        distance = w1(pooled["a"], pooled[arm]) / mean
        good &= distance > 0.01 if arm == "d" else distance <= 0.01
        print("W1, TDF 1 against %d%s, same seeds: %.3f %% of the mean"
              % (TDF[arm], " at 392 kbit/s" if arm == "d" else "", 100 * distance))
    print("W1, TDF 10 against 100, same seeds: %.3f %% of the mean" % (100 * w1(pooled["b"], pooled["c"]) / mean))
    return 0 if good else 1


sys.exit(main())
