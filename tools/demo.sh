#!/bin/bash
# SPDX-License-Identifier: MIT
# The whole story on a fresh machine, each command printed before it runs. It uses a service of its
# own name, beside any other, and leaves nothing behind but disk1.img.
set -u
cd "$(dirname "$0")/.." || exit 1
unset MAKEFLAGS MAKEOVERRIDES MFLAGS MAKELEVEL
export SPLITDOM_NAME=demo-$$
clients=()
started=
second=build/demo-$$.img

step() { printf '\n# %s\n' "$*"; }
run() {
    printf '$ %s\n' "$*"
    "$@"
}
fail() {
    printf '\ndemo: %s\n' "$*" >&2
    exit 1
}
# Not in a child: bash runs these traps in a process that a signal meets between fork and exec.
clean_up() {
    local pid self=$BASHPID
    [ "$self" = "$$" ] || return
    for pid in "${clients[@]}"; do kill "$pid" 2>/dev/null; done
    wait
    [ -n "$started" ] && ./bin/service stop >/dev/null 2>&1
    for pid in "${clients[@]}"; do rm -f "sectors.$pid" "read.$pid"; done
    rm -f build/demo.[0-9]* "$second"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# client THREADS REQUESTS [OPTIONS]: in the background; its result line goes to build/demo.LINE
client() {
    printf '$ ./bin/client %s &\n' "$*"
    ./bin/client "$@" >"build/demo.${#clients[@]}" &
    clients+=($!)
}

step "What building needs, from the distribution (nothing happens if it is there)"
run tools/deps.sh || echo "some optional tools are missing; the build goes on"

step "Build: bin/service is Dom0, bin/client a DomU, bin/tool_for_integrity the judge"
run make --no-print-directory -j"$(nproc)" || fail "the build failed"

if [ -e disk1.img ]; then
    step "The virtual disk: disk1.img is there and is used as it is"
else
    step "The virtual disk: 100 MiB of random bytes"
    run ./disk1.img.sh 100 disk1.img || fail "no image"
fi

step "Dom0 goes to the background, with a second disk that may be written; start returns once it is ready to serve"
mkdir -p build
run truncate -s 64M "$second" || fail "no second image"
run ./bin/service start --image disk1.img --disk "$second,raw,xvdb,w!" || fail "the service did not start"
started=1

step "Three domains at once, 8 to 64 threads each, read random sectors through shared rings"
client 8 20000
client 64 20000
client 16 20000 --pattern zipf:0.99
for i in "${!clients[@]}"; do
    wait "${clients[i]}" || fail "client ${clients[i]} failed"
done
echo "max|average|minimum|std. dev.|requests_per_second   (nanoseconds)"
for i in "${!clients[@]}"; do
    cat "build/demo.$i"
    rm -f "build/demo.$i"
done

step "A domain writes to the second disk, flushes after every 50 writes, and finds again all that it wrote"
run ./bin/client 4 10000 --disk xvdb --write 50 --flush-every 50 --verify --no-record || fail "the second disk is wrong"

step "What Dom0 has done so far"
run ./bin/service status || fail "no status"

step "Integrity: every sector that the clients got against the image"
for pid in "${clients[@]}"; do
    run ./bin/tool_for_integrity disk1.img "sectors.$pid" "read.$pid" || fail "client $pid read wrong bytes"
done

step "Stop: Dom0 says how many reads its cache answered"
started=
run ./bin/service stop || fail "the service did not stop cleanly"

printf '\n# All reads and writes were right. Next: README.md, docs/architecture.md, ./bin/client --help\n'
