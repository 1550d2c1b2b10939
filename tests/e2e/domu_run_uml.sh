# SPDX-License-Identifier: MIT
# A whole Linux as the program: in User-mode Linux at TDF 10 a second takes ten real ones, and its uptime rises by one.
# timeout: 300
. "$(dirname "$0")/functions.sh"

[ -x "$BIN/domu-shim" ] || skip "programs run in domains on x86-64 only"
[ -n "${TEST_LONG:-}" ] || skip "a long test: TEST_LONG=1"
requires linux.uml
image disk1.img 4
start_service --idle-timeout 0

cat >init <<'END'
#!/bin/sh
mount -t proc proc /proc
for i in 0 1 2 3; do
    [ $i = 0 ] || sleep 1
    read -r uptime rest </proc/uptime
    echo "UPTIME $uptime"
done
/sbin/poweroff -f
END
chmod +x init
exec 3< <(TMPDIR=$PWD timeout -k 2 $((200 * slack)) "$BIN/domu" run --tdf 10 -- linux.uml mem=96M uml_dir="$PWD/uml" root=none \
    rootfstype=hostfs rootflags=/ rw init="$PWD/init" con=null con0=fd:0,fd:1 quiet </dev/null 2>&1)
while read -r word uptime <&3; do
    [ "$word" = UPTIME ] && echo "$(now_ms) ${uptime%$'\r'}" >>seconds
    echo "$word $uptime" >>console
done
[ "$(wc -l <seconds)" = 4 ] || die "the guest does not come to its end: $(tail -n 5 console)"
# Each second but what a loaded machine is late; the best of them within 1 %.
awk 'NR > 1 { real = ($1 - at) / 10000; own = $2 - up
              if (real < 0.99 || own < 0.99) bad = 1
              if (real < 1.01 && own < 1.01) good = 1 }
     { at = $1; up = $2 } END { exit bad || !good }' seconds || die "real milliseconds and uptime: $(cat seconds)"
