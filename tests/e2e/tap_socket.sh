#!/bin/bash
# SPDX-License-Identifier: MIT
# domu tap --fd: a program's socketpairs as the interfaces of two domains: frames of all sizes get from one to the other
# unchanged, in order, each once; what is no such descriptor; the end of the program is that of the domain.
. "$(dirname "$0")/functions.sh"
requires jq python3
image disk1.img 1
start_service --vif bridge=xenbr0
domu() { timeout -k 2 $((30 * slack)) "$BIN/domu" "$@"; }

expect 2 'goes with no interface' domu tap eth0 --fd 3
expect 2 '\-\-fd' domu tap --fd 2
expect 2 '\-\-fd' domu tap --fd x
expect 1 'descriptor 99 cannot carry frames' domu tap --fd 99
expect 1 'descriptor 7 cannot carry frames' domu tap --fd 7 7<"$PWD/disk1.img"

cat >program.py <<'END'
import json, os, random, socket, subprocess, sys, time

binary, slack = sys.argv[1], float(sys.argv[2])


def status():
    return json.loads(subprocess.run([binary + "/service", "status", "--json"], check=True, capture_output=True).stdout)


def vif(name):
    for domain in status()["domains"]:
        for found in domain["vifs"]:
            if domain["name"] == name and found["state"] == "Connected":
                return found
    return None


def begin(name, kind):
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    child = subprocess.Popen([binary + "/domu", "tap", "--fd", str(theirs.fileno()), "--domain-name", name],
                             pass_fds=[theirs.fileno()], stderr=subprocess.PIPE, text=True)
    theirs.close()
    ours.settimeout(20 * slack)
    end = time.monotonic() + 20 * slack
    while vif(name) is None:
        assert child.poll() is None and time.monotonic() < end, child.stderr.read()
    return ours, child, bytes.fromhex(vif(name)["mac"].replace(":", ""))


random.seed(1)
one, first, mac_one = begin("one", socket.SOCK_SEQPACKET)
two, second, mac_two = begin("two", socket.SOCK_DGRAM)
for i in range(300):
    source, sink, to, of = (one, two, mac_two, mac_one) if i % 2 else (two, one, mac_one, mac_two)
    frame = to + of + b"\x88\xb5" + random.randbytes(random.randrange(46, 1501))
    source.send(frame)
    assert sink.recv(70000) == frame, i
for other in (mac_one, b"\xff" * 6):  # not our own address, and to all
    one.send(other + b"\x02\0\0\0\0\1" + b"\x88\xb5" + bytes(50))
one.send(mac_two + mac_one + b"\x88\xb5" + b"last" * 20)
assert two.recv(70000)[14:] == b"last" * 20
assert vif("one")["dropped"]["spoofed"] == 2
one.close()  # the other end of a seqpacket knows
assert first.wait(20 * slack) == 1, "the end of the socket"
assert "the socket is gone" in first.stderr.read()
second.terminate()
assert second.wait(20 * slack) == 0 and second.stderr.read() == ""
END
python3 program.py "$BIN" "$slack" 2>err || die "$(cat err)"
