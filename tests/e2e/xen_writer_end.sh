# SPDX-License-Identifier: MIT
# A front end written with Xen's own headers changes its disk by requests of all kinds, and the image is
# what it must be; also when the pages change while they are written.
. "$(dirname "$0")/functions.sh"

writer=$(dirname "$(dirname "$TEST_BIN")")/tests/abi/xen_writer
[ -x "$writer" ] || skip "needs xen_writer, which needs libxen-dev"
"$BIN/service" --help | grep -q -e '--disk ' || skip "needs a service that offers disks to be written"

image disk1.img 32
for engine in auto threads; do
    start_service --engine $engine --disk "$PWD/disk1.img,,xvda,w"
    for seed in 1 2 '3 flip'; do
        # shellcheck disable=SC2086 # several arguments
        timeout -k 2 $((60 * slack)) "$writer" "$SPLITDOM_RUNDIR/default/dom0.sock" disk1.img 500 $seed \
            >out 2>err || die "xen_writer, seed $seed, engine $engine: $(cat err)"
        grep -q '^500 requests match' out || die "xen_writer: $(cat out)"
        eventually 5 domains_are 0 || die "domains are left"
    done
    [ "$(status_number wr_req)" -gt 150 ] || die "few writes: $(service status --json)"
    [ "$(status_number f_req)" -gt 150 ] || die "few flushes: $(service status --json)"
    [ "$(status_number ds_req)" -gt 60 ] || die "few discards: $(service status --json)"
    service stop >/dev/null || die "stop"
done
