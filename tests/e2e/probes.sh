# SPDX-License-Identifier: MIT
# Probes for perf and bpftrace: one at each stage of a request, with three arguments; where the kernel lets bpftrace
# attach, each is met as often as there are requests.
. "$(dirname "$0")/functions.sh"
requires readelf

listed() { # PROGRAM
    readelf -n "$1" 2>/dev/null | awk '/Provider: / { provider = $2 } /Name: / && provider == "splitdom" { name = $2 }
        /Arguments:/ && name != "" { print name, NF - 1; name = "" }' | sort -u
}
listed "$BIN/service" >service.probes
listed "$BIN/client" >client.probes
[ -s service.probes ] || skip "built without systemtap-sdt-dev's header: the programs have no probes"
for probe in taken judged queued picked sent completed answered published; do
    grep -q "^$probe 3$" service.probes || die "service has no probe $probe of three arguments: $(cat service.probes)"
done
for probe in submitted on_ring doorbell woken taken_off returned; do
    grep -q "^$probe 3$" client.probes || die "client has no probe $probe of three arguments: $(cat client.probes)"
done

requires bpftrace
bpftrace -l "usdt:$BIN/service:splitdom:*" >bpf.list 2>bpf.err || skip "bpftrace lists no probes here: $(tail -n 1 bpf.err)"
grep -q ':splitdom:taken$' bpf.list || die "bpftrace lists no probe taken: $(cat bpf.list)"
[ -z "${TEST_SAN:-}" ] || skip "attached to plain programs only"
image disk1.img 4
start_service --engine null --cache-bytes 0 --shared-cache off
cat >count.bt <<END
usdt:$BIN/service:splitdom:taken { @taken[arg0] = count(); }
usdt:$BIN/service:splitdom:sent { @sent[arg0] = count(); }
usdt:$BIN/service:splitdom:answered { @answered[arg0] = count(); }
BEGIN { printf("attached\n"); }
END
bpftrace -p "$(dom0_pid)" count.bt >bpf.out 2>bpf.err &
tracer=$!
attached_or_gone() { grep -q attached bpf.out || ! kill -0 $tracer 2>/dev/null; }
eventually 30 attached_or_gone || skip "bpftrace does not get to attach in time here"
grep -q attached bpf.out || skip "the kernel does not let bpftrace attach: $(grep -v '^$' bpf.err | tail -n 1)"
client 1 1000 --no-record >/dev/null || die "client"
kill -INT $tracer
reap $((30000 * slack)) $tracer
for probe in taken sent answered; do
    grep -q "^@$probe\[1\]: 1000$" bpf.out || die "$probe is not met 1000 times: $(cat bpf.out)"
done
