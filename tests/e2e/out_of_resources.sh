# SPDX-License-Identifier: MIT
# Dom0 without descriptors, and without memory for another domain: whoever comes then waits or is
# told, those who are there go on, and once there is room again the next one is served.
# alone: what it measures depends on who else runs
. "$(dirname "$0")/functions.sh"

# By SIGKILL: a child of bash that has not come to its exec yet would lose SIGTERM.
end_clients() {
    for pid in "${clients[@]}"; do kill -9 "$pid" 2>/dev/null; done
    for pid in "${clients[@]}"; do wait "$pid" 2>/dev/null; done
    clients=()
}

# reads_go_on PID: the first client is there, and Dom0 takes more requests
reads_go_on() {
    local before
    gone "$1" && die "the first client has ended: $(cat err1)"
    before=$(status_number 'total":{"requests')
    eventually 5 requests_exceed "$before" || die "the first client does not read any more"
}

begin_client() { # NUMBER
    "$BIN/client" 2 100000000 --no-record >"out$1" 2>"err$1" &
    clients+=($!)
}

# ---- descriptors: two a domain, about a dozen of its own ------------------------------------------
image disk1.img 4
clients=()
(ulimit -n 30 && "$BIN/service" start) || die "the service does not start with 30 descriptors"
cleanup_fn stop_leftover
begin_client 1
eventually 5 connected 1 || die "the first client does not connect"
for i in $(seq 2 12); do begin_client "$i"; done
log_tells() { grep -qiE 'too many open files|descriptors' "$SPLITDOM_RUNDIR/default/dom0.log" err*; }
eventually 10 log_tells || die "nobody tells that descriptors have run out"
first=${clients[0]}
gone "$first" && die "the first client has ended: $(cat err1)"
for pid in "${clients[@]:1}"; do kill -9 "$pid" 2>/dev/null; done
for pid in "${clients[@]:1}"; do wait "$pid" 2>/dev/null; done
clients=("$first")
eventually 10 domains_are 1 || die "ended clients' domains are left"
reads_go_on "$first"
client 2 1000 >/dev/null 2>err || die "no new client although there are descriptors again: $(cat err)"
end_clients
rm -f sectors.* read.*
service stop >/dev/null || die "stop"

# A service that has started serves, however few descriptors there are.
for n in $(seq 8 26); do
    if (ulimit -n "$n" && "$BIN/service" start) 2>err; then
        client 1 5 --no-record >/dev/null 2>err || die "a service with $n descriptors has started: $(cat err)"
        service stop >/dev/null || die "stop of a service with $n descriptors"
    else
        [ -s err ] || die "a service with $n descriptors does not say why it does not start"
    fi
done

# ---- descriptors that come back without an event ---------------------------------------------------
if command -v prlimit >/dev/null; then
    start_service
    dom0=$(dom0_pid)
    prlimit --pid "$dom0" --nofile="$(fds "$dom0"):" || die "cannot limit Dom0's descriptors"
    service status >stdout 2>stderr &
    asks=$!
    told() { grep -q 'accept: Too many open files' "$SPLITDOM_RUNDIR/default/dom0.log"; }
    eventually 10 told || die "nobody tells that descriptors have run out"
    eval "$(service env)"
    if command -v xenstore-read >/dev/null; then
        xenstore-read /local/domain/0/name >name 2>&1 &
        reads=$!
    fi
    prlimit --pid "$dom0" --nofile=1024: || die "cannot give Dom0 its descriptors back"
    reap 10000 $asks
    [ $status = 0 ] || die "a status that waited for a descriptor: exit $status: $(cat stderr)"
    [ -z "${reads:-}" ] || reap 10000 "$reads"
    service stop >/dev/null || die "stop"
fi

# ---- memory: Dom0 may have only a little more than it has ------------------------------------------
[ -z "${TEST_SAN:-}" ] || skip "descriptors ran out as they should; sanitizers map terabytes"
command -v prlimit >/dev/null || skip "descriptors ran out as they should; memory needs prlimit"
start_service
begin_client 1
eventually 5 connected 1 || die "the first client does not connect"
address_space=$(awk '/^VmSize/ { printf "%.0f", $2 * 1024 }' "/proc/$(dom0_pid)/status")
prlimit --pid "$(dom0_pid)" --as=$((address_space + (16 << 20))): || die "cannot limit Dom0's memory"
large() { client 1 1000 --no-record --depth 512 --sectors-per-request 88; }
expect 1 'the service refused a domain of .*its memory: Cannot allocate memory' large
grep -q 'refused: .*Cannot allocate memory' "$SPLITDOM_RUNDIR/default/dom0.log" || die "no word in the log"
reads_go_on "${clients[0]}"
client 2 1000 >/dev/null 2>err || die "no small client beside: $(cat err)"
prlimit --pid "$(dom0_pid)" --as=unlimited: || die "cannot give Dom0 its memory back"
large >/dev/null 2>err || die "no large client although there is room again: $(cat err)"
end_clients
eventually 5 domains_are 0 || die "domains are left"
