# SPDX-License-Identifier: MIT
"""Plays a table of store messages over the socket of a running service: store_wire.py SOCKET TABLE SECONDS.

The table's language is described at its head. Ends with 1 and the table's line at the first difference.
"""
import re
import socket
import struct
import sys

TYPES = (
    "CONTROL DIRECTORY READ GET_PERMS WATCH UNWATCH TRANSACTION_START TRANSACTION_END INTRODUCE RELEASE "
    "GET_DOMAIN_PATH WRITE MKDIR RM SET_PERMS WATCH_EVENT ERROR IS_DOMAIN_INTRODUCED RESUME SET_TARGET 20 "
    "RESET_WATCHES DIRECTORY_PART GET_FEATURE SET_FEATURE GET_QUOTA SET_QUOTA"
).split()
HEADER = struct.Struct("=IIII")


class Difference(Exception):
    pass


class Connection:
    def __init__(self, path, seconds):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(seconds)
        self.socket.connect(path)
        self.events = []
        self.last_id = 0
        self.tx = 0  # of the last TRANSACTION_START

    def receive_bytes(self, count):
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise Difference("the connection has ended")
            data += part
        return data

    def receive(self):
        kind, req_id, tx, length = HEADER.unpack(self.receive_bytes(HEADER.size))
        return kind, req_id, tx, self.receive_bytes(length)

    def send(self, kind, tx, payload):
        self.last_id += 1
        self.socket.sendall(HEADER.pack(kind, self.last_id, tx, len(payload)) + payload)

    def reply(self, kind, tx):
        """The reply to the last request; events that come before it are kept."""
        while True:
            got, req_id, got_tx, payload = self.receive()
            if got == TYPES.index("WATCH_EVENT"):
                if (req_id, got_tx) != (0, 0):
                    raise Difference(f"an event with ids {req_id}, {got_tx}")
                self.events.append(payload)
                continue
            if (req_id, got_tx) != (self.last_id, tx) or got not in (kind, TYPES.index("ERROR")):
                raise Difference(f"a reply of type {got}, ids {req_id}, {got_tx}")
            if kind == TYPES.index("TRANSACTION_START") and got == kind:
                self.tx = int(payload[:-1])
            return got, payload

    def event(self):
        if not self.events:
            self.events.append(self.receive()[3])
        return self.events.pop(0)

    def expect_no_event(self):
        """Replies come behind the events of what was done before."""
        kind = TYPES.index("GET_DOMAIN_PATH")
        self.send(kind, 0, b"0\0")
        self.reply(kind, 0)
        if self.events:
            raise Difference(f"an event: {show(self.events[0])}")

    def expect_end(self):
        try:
            data = self.socket.recv(1)
        except ConnectionResetError:
            return
        if data:
            raise Difference("the connection goes on")


def decode(text):
    """| is a NUL, <x*N> is N times x, "" is no byte at all."""
    text = "" if text == '""' else text
    text = re.sub(r"<(.)\*(\d+)>", lambda m: m.group(1) * int(m.group(2)), text)
    return text.replace("|", "\0").encode("latin-1")


def show(payload):
    text = payload.decode("latin-1").replace("\0", "|")
    return text if len(text) < 200 else f"{text[:200]}... ({len(payload)} bytes)"


def compare(expected, payload):
    """# stands for some digits, a * at the end for any rest."""
    pattern = re.escape(decode(expected).decode("latin-1"))
    pattern = pattern.replace(re.escape("#"), "[0-9]+")
    if pattern.endswith(re.escape("*")):
        pattern = pattern[: -len(re.escape("*"))] + ".*"
    if re.fullmatch(pattern, payload.decode("latin-1"), re.DOTALL) is None:
        raise Difference(f"wanted {expected}, got {show(payload)}")


class Player:
    def __init__(self, path, seconds):
        self.path, self.seconds, self.connections = path, seconds, {}

    def connection(self, name):
        if name not in self.connections:
            self.connections[name] = Connection(self.path, self.seconds)
        return self.connections[name]

    def transaction(self, word):
        return self.connection(word[1:]).tx if word.startswith("$") else int(word)

    def request(self, connection, words):
        kind = TYPES.index(words[0]) if words[0] in TYPES else int(words[0])
        tx = self.transaction(words[1])
        payload, _, expected = words[2].partition(" = ")
        connection.send(kind, tx, decode(payload))
        if not expected:
            return  # the answer is taken by a later `reply`
        self.expect_reply(connection, kind, tx, expected)

    def expect_reply(self, connection, kind, tx, expected):
        got, payload = connection.reply(kind, tx)
        if (got == TYPES.index("ERROR")) != expected.startswith("!"):
            raise Difference(f"wanted {expected}, got {TYPES[got]} {show(payload)}")
        compare(f"{expected[1:]}|" if expected.startswith("!") else expected, payload)

    def play(self, line):
        name, _, rest = line.partition(" ")
        word, _, argument = rest.partition(" ")
        connection = self.connection(name)
        if word == "event":
            compare(argument, connection.event())
        elif word == "quiet":
            connection.expect_no_event()
        elif word == "shut":
            connection.socket.shutdown(socket.SHUT_WR)
        elif word == "close":
            self.connections.pop(name).socket.close()
        elif word == "raw":
            connection.socket.sendall(bytes.fromhex(argument))
        elif word == "ended":
            connection.expect_end()
            self.connections.pop(name).socket.close()
        elif word == "answers":
            for connection.last_id, part in enumerate(argument.split(" = "), 1):
                kind, _, expected = part.partition(" ")
                self.expect_reply(connection, TYPES.index(kind), 0, expected)
        else:
            self.request(connection, rest.split(" ", 2))


def main(path, table, seconds):
    player = Player(path, float(seconds))
    with open(table, encoding="ascii") as lines:
        for number, line in enumerate(lines, 1):
            line = line.rstrip("\n")
            if not line or line.startswith("#"):
                continue
            try:
                player.play(line)
            except (Difference, OSError) as error:
                print(f"{table}:{number}: {line}: {error}", file=sys.stderr)
                return 1
    return 0


sys.exit(main(*sys.argv[1:]))
