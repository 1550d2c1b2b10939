#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 240
# A real Linux (User Mode Linux) on a bridge of Dom0 by an inherited socketpair (domu tap --fd): it pings a namespace on a
# tap, and gets a file by TCP from there, whose checksums and segments Dom0 must finish. Only with TEST_LONG.
. "$(dirname "$0")/functions.sh"
[ -n "${TEST_LONG:-}" ] || skip "takes long: only in make check-long (TEST_LONG=1)"
requires linux.uml busybox jq python3 ip nsenter ping
[ "$(id -u)" = 0 ] || skip "needs root: the guest's root is this system's"

image disk1.img 1
start_service --vif bridge=xenbr0
namespace a
tap a ea --address 10.9.0.1/24
image sent 8
in_ns_exec a python3 -m http.server 8000 --bind 10.9.0.1 >http.log 2>&1 &
serves() { in_ns a ss -ltn | grep -q ':8000 '; }
eventually 20 serves || die "nobody serves: $(cat http.log)"

cat >guest.init <<'END'
#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
{
    mount -t proc proc /proc && mount -t tmpfs tmp /mnt &&
    busybox ifconfig vec0 10.9.0.2 netmask 255.255.255.0 up &&
    busybox ping -c 5 -w 20 10.9.0.1 && busybox wget -O /mnt/came http://10.9.0.1:8000/sent &&
    echo SUM $(sha256sum </mnt/came) && echo GUEST-OK
} >/dev/console 2>&1
echo o >/proc/sysrq-trigger
sleep 60
END
chmod +x guest.init
cat >begin.py <<'END'
import json, socket, subprocess, sys, time
binary, uml = sys.argv[1], sys.argv[2:]
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
tap = subprocess.Popen([binary + "/domu", "tap", "--fd", str(theirs.fileno()), "--domain-name", "uml"], pass_fds=[theirs.fileno()])
theirs.close()
mac, end = None, time.monotonic() + 20
while mac is None and time.monotonic() < end and tap.poll() is None:
    status = json.loads(subprocess.run([binary + "/service", "status", "--json"], check=True, capture_output=True).stdout)
    for domain in status["domains"]:
        for vif in domain["vifs"]:
            if domain["name"] == "uml" and vif["state"] == "Connected":
                mac = vif["mac"]
guest = subprocess.run([*uml, "vec0:transport=fd,fd=%d,mac=%s" % (ours.fileno(), mac)], pass_fds=[ours.fileno()], check=False,
                       stdin=subprocess.DEVNULL)
ours.close()
sys.exit(tap.wait(20) != 1)  # the socket is gone
END
timeout 150 python3 begin.py "$BIN" linux.uml mem=128M umid="sd$$" uml_dir="$PWD" root=none rootfstype=hostfs rootflags=/ ro \
    init="$PWD/guest.init" con=null con0=fd:0,fd:1 quiet >guest.log 2>tap.log || die "$(cat guest.log tap.log)"
grep -q GUEST-OK guest.log || die "$(tail -n 30 guest.log) $(cat tap.log)"
grep -q "5 packets received" guest.log || die "lost: $(cat guest.log)"
[ "$(sed -n 's/^SUM \([0-9a-f]*\).*/\1/p' guest.log | tr -d '\r')" = "$(sha256sum <sent | cut -d' ' -f1)" ] || die "another file: $(cat guest.log)"
