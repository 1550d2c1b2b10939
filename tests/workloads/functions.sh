# SPDX-License-Identifier: MIT
# functions: what the scripts of this stage share, beside those of the end-to-end scripts: software that knows
# nothing of splitdom works on its disks. Each has foreign judges, and is skipped where they are not installed.
# shellcheck shell=bash
. "$(dirname "${BASH_SOURCE[0]}")/../e2e/functions.sh"

# A socket's path is short, this directory's may not be.
SOCKET=${SPLITDOM_RUNDIR%/run}/s
# shellcheck disable=SC2034 # for the scripts
URI="nbd+unix:///?socket=$SOCKET"

# start_nbd ARGUMENT...: domu nbd in the background, until it answers; its end with the script.
start_nbd() {
    requires nbdkit nbdinfo
    [ -e "$BIN/nbdkit-splitdom-plugin.so" ] || skip "needs nbdkit-plugin-dev when the programs are built"
    "$BIN/domu" nbd "$SOCKET" "$@" 2>nbd.log &
    NBD=$!
    cleanup_fn end_nbd
    eventually 10 serves_or_ended || die "domu nbd does not serve: $(cat nbd.log)"
    kill -0 $NBD 2>/dev/null || die "domu nbd ended: $(cat nbd.log)"
}
serves_or_ended() { nbdinfo --size "$URI" >/dev/null 2>&1 || ! kill -0 $NBD 2>/dev/null; }

# end_nbd: in order; sets status
end_nbd() {
    [ -n "${NBD:-}" ] || return 0
    kill $NBD 2>/dev/null
    reap 10000 $NBD
    NBD=
    [ ! -e "$SOCKET" ] || die "domu nbd has left its socket"
}

# is_writable: does this service take writes at all, and does the plugin offer them?
is_writable() { [ "$(nbdinfo --json "$URI" | jq -r '.exports[0].is_read_only')" = false ]; }
