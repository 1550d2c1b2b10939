# SPDX-License-Identifier: MIT
# timeout: 180
# A guard against needless system calls: calls per request of the client and of Dom0 for fixed
# workloads, which must not exceed the committed figures (guard.figures) by more than 10 %. Neither
# side spins, so that the machine's load has the least say in how often they sleep.
# alone: what it measures depends on who else runs
. "$(dirname "$0")/functions.sh"

[ -z "${TEST_SAN-}" ] || skip "instrumented builds make calls of their own"
requires strace
strace -f -c -o probe.out true 2>/dev/null || skip "strace may not trace here"
figures=$TOP/tests/e2e/guard.figures
image disk1.img 4

total_calls() { awk '$NF == "total" { n = $4 } END { print n + 0 }' "$1"; }

serves() { "$BIN/service" status >/dev/null 2>&1; }

# Leaves in client_calls and dom0_calls what a run of so many requests takes, connection included.
count_calls() { # REQUESTS CLIENT-OPTIONS...
    local requests=$1 server
    shift
    strace -f -c -o dom0.calls "$BIN/service" start --foreground --engine null --no-spin >server.out 2>&1 &
    server=$!
    eventually 20 serves || die "the service does not start: $(cat server.out)"
    strace -f -c -o client.calls "$BIN/client" 1 "$requests" --seed 1 --no-record --no-spin "$@" >client.out ||
        die "client failed: $*"
    "$BIN/service" stop >stop.out 2>&1 || die "stop: $(cat stop.out)"
    wait $server
    client_calls=$(total_calls client.calls) dom0_calls=$(total_calls dom0.calls)
    [ "$client_calls" -gt 0 ] && [ "$dom0_calls" -gt 0 ] || die "strace counted nothing"
}
cleanup_fn stop_leftover

# committed NAME: the figure, in thousandths of a call per request
committed() { sed -n "s/^calls $1 //p" "$figures"; }
too_many() { [ $(($2 * 100)) -gt $(($(committed "$1") * 110)) ]; }

wrong=''
compare() { # NAME NOW
    [ -n "$(committed "$1")" ] || die "no figure for '$1' in tests/e2e/guard.figures"
    echo "calls $1 $2 (committed: $(committed "$1"))"
    ! too_many "$1" "$2" || wrong="$wrong $1: $2 thousandths of a call per request instead of $(committed "$1");"
}

# Two lengths, so that connecting is not counted. How often a side sleeps depends on how long strace and
# the scheduler keep the other: the least of a few tries is the code's doing.
workload() { # NAME OPTIONS...
    local name=$1 try client_less dom0_less client_least=1000000 dom0_least=1000000 now
    shift
    for try in 1 2 3 4 5 6 7 8 9 10; do
        count_calls 1000 "$@"
        client_less=$client_calls dom0_less=$dom0_calls
        count_calls 5000 "$@"
        now=$(((client_calls - client_less) * 1000 / 4000))
        [ $now -ge $client_least ] || client_least=$now
        now=$(((dom0_calls - dom0_less) * 1000 / 4000))
        [ $now -ge $dom0_least ] || dom0_least=$now
        too_many "$name client" $client_least || too_many "$name dom0" $dom0_least || break
    done
    echo "$name: $try tries"
    compare "$name client" $client_least
    compare "$name dom0" $dom0_least
}

workload blocking
workload cached --pattern hotset:0.5:100
workload asynchronous --depth 32
[ -z "$wrong" ] || die "$wrong find out why; if it is meant, commit the new figures in tests/e2e/guard.figures"
