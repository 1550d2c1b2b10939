# SPDX-License-Identifier: MIT
# Images that Dom0 refuses, beyond those of service_arguments: without O_DIRECT, not regular, too large
# a cache; and that nothing is left of the attempt.
. "$(dirname "$0")/functions.sh"

tmpfs=$(mktemp -d /dev/shm/e2e.XXXXXX 2>/dev/null) && cleanup_fn rm -rf "$tmpfs"
if [ -n "$tmpfs" ] && [ "$(stat -f -c %T "$tmpfs")" = tmpfs ]; then
    image "$tmpfs/disk1.img" 1
    expect 1 "$tmpfs/disk1.img.*O_DIRECT" service start --image "$tmpfs/disk1.img"
fi
# The same behind an overlay, in a mount namespace of the service's own.
on_overlay() {
    unshare -m bash -c 'set -e; mkdir -p lower memory merged
        mount -t tmpfs none memory; mkdir memory/u memory/w
        mount -t overlay none -o lowerdir=lower,upperdir=memory/u,workdir=memory/w merged
        cp disk1.img merged/; exec "$@"' sh "$@"
}
image disk1.img 1
if on_overlay true 2>/dev/null; then
    expect 1 'merged/disk1.img.*tmpfs' on_overlay "$BIN/service" start --image merged/disk1.img
fi
mkfifo pipe
expect 1 'pipe' service start --image pipe
expect 1 '/dev/null' service start --image /dev/null
ln -s nowhere dangling
expect 1 'dangling.*[Nn]o such file' service start --image dangling
image disk1.img 1
ln -s disk1.img link
start_service --image link
client 2 100 >/dev/null || die "an image behind a link"
verify_all 100
service stop >/dev/null
expect 1 '1 %' service start --cache-bytes 10486
expect 2 'cache-percent' service start --cache-percent 1.01
expect 2 'depth' service start --depth 0
expect 2 'depth' service start --depth 129
expect 2 'engine' service start --engine steam
expect 1 'mean' service start --engine model --model mean=never
expect 3 'no service' service status
rm -f "$SPLITDOM_RUNDIR/default/"dom0.log*
[ -z "$(ls "$SPLITDOM_RUNDIR/default")" ] || die "left: $(ls "$SPLITDOM_RUNDIR/default")"
start_service --cache-bytes 10485
expect 0 'of 20 sectors used' service status
