#!/bin/bash
# SPDX-License-Identifier: MIT
# domu tap with several queues: the kernel's device has as many as the interface, and what two namespaces say to each
# other by them arrives: pings, and flows of TCP that keep their order.
. "$(dirname "$0")/functions.sh"
requires ip nsenter ping jq python3
service --help | grep -q -- '--vif SPEC' || skip "this service has no networks"
image disk1.img 1
start_service --vif bridge=xenbr0
namespace a
namespace b

most=$(nproc)
[ "$most" -le 8 ] || most=8
tap a ea --address 10.9.0.1/24 --queues "$most" --domain-name a
tap b eb --address 10.9.0.2/24 --domain-name b
if [ "$most" -gt 1 ]; then
    in_ns a ip -d link show ea | grep -q multi_queue || die "one queue: $(in_ns a ip -d link show ea)"
fi
in_ns a ip -d link show eb 2>/dev/null && die "eb is in a"
in_ns b ip -d link show eb | grep -q multi_queue && die "several queues without --queues"
in_ns a ping -c 3 -i 0.05 -W 10 10.9.0.2 >ping.log 2>&1 || die "ping: $(cat ping.log)"

# Eight connections at once, each of 200 kB that must come as they are.
in_ns_exec b python3 - >server.log 2>&1 <<'END' &
import hashlib, socket
listener = socket.create_server(("10.9.0.2", 5000))
print("listens", flush=True)
for _ in range(8):
    connection, _ = listener.accept()
    data = b""
    while True:
        piece = connection.recv(65536)
        if not piece:
            break
        data += piece
    print(len(data), hashlib.sha256(data).hexdigest(), flush=True)
END
server=$!
listens() { grep -q listens server.log; }
eventually 10 listens || die "no server: $(cat server.log)"
in_ns a timeout $((60 * slack)) python3 - >client.log 2>&1 <<'END' || die "the client: $(cat client.log)"
import hashlib, socket
connections = [socket.create_connection(("10.9.0.2", 5000)) for _ in range(8)]
for number, connection in enumerate(connections):
    data = hashlib.shake_128(bytes([number])).digest(200000)
    connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)
    print(len(data), hashlib.sha256(data).hexdigest())
END
wait $server || die "the server: $(cat server.log)"
diff <(grep -v listens server.log) client.log || die "the data differ"
expect 2 'queues' "$BIN/domu" tap ec --queues 9
expect 2 'no interface of the kernel' "$BIN/domu" tap --fd 3 --queues 2
