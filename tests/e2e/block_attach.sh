# SPDX-License-Identifier: MIT
# Disks come and go while domains run: block-attach, block-detach, block-list, list -l, resize of one image,
# --disk, with the refusals of xl.
# timeout: 240
. "$(dirname "$0")/functions.sh"

XVDA=51712 XVDB=51728 XVDC=51744

# session NAME: a domain of its own, as a coprocess; tell NAME COMMAND: the answer.
declare -A to from
session() {
    local name=$1
    mkfifo "$name.in" "$name.out"
    "$TEST_BIN/vbd_session" <"$name.in" >"$name.out" 2>"$name.err" &
    exec {fd}>"$name.in"
    to[$name]=$fd
    exec {fd}<"$name.out"
    from[$name]=$fd
    hear "$name"
}
hear() { read -r -t $((20 * slack)) answer <&"${from[$1]}" || die "no answer of $1: $(cat "$1.err")"; }
tell() {
    echo "$2" >&"${to[$1]}"
    hear "$1"
}
hang_up() { # NAME
    local fd=${to[$1]}
    exec {fd}>&-
}
is() { [ "$answer" = "$1" ] || die "'$answer' instead of '$1'"; }
sector_of() { tail -c +$(($2 * 512 + 1)) "$1" | head -c 8 | od -An -tx1 | tr -d ' \n'; }

# reads NAME DEVID SECTOR IMAGE: it reads what is there.
reads() { tell "$1" "read $2 $3" && [ "$answer" = "$(sector_of "$4" "$3")" ]; }

image a.img 4
image b.img 2
image c.img 2
image d.img 2
ln -s c.img link.img

# What every domain gets. A mistake is told before anything runs.
expect 2 'unknown value for access: near .x. in' "$BIN/service" start --disk b.img,raw,xvdb,x
expect 1 'Disk vdev=xvdb failed to stat: .*/nosuch: No such file or directory' "$BIN/service" start --image a.img \
    --disk nosuch,raw,xvdb,r
expect 2 'qcow2 is not served here' "$BIN/service" start --disk b.img,qcow2,xvdb
expect 1 'two disks are xvda .--image gives xvda.: .*/a.img and .*/b.img' "$BIN/service" start --image a.img \
    --disk b.img,raw,xvda,r
start_service --image a.img --disk b.img,raw,xvdb,r
pid=$(dom0_pid)
session one
is 'domain 1'
session two
is 'domain 2'
for devid in $XVDA $XVDB; do
    tell one "open $devid"
    is ok
done
tell one "read $XVDA 7" && is "$(sector_of a.img 7)"
tell one "read $XVDB 7" && is "$(sector_of b.img 7)"
tell one "write $XVDB 7 aa"
[ "${answer%%:*}" = error ] || die "a read-only disk was written: $answer"
listed() { service block-list 1 | grep -qE "^$XVDB +0 +1 +4 +[0-9]+ +[0-9]+ +/local/domain/0/backend/vbd/1/$XVDB\$"; }
eventually 5 listed || die "block-list: $(service block-list 1)"

# A disk comes, is written, and goes.
expect 0 '' service block-attach 1 c.img,raw,xvdc,w
tell one "open $XVDC" && is ok
tell one "write $XVDC 9 5a" && is ok
tell one "read $XVDC 9" && is 5a5a5a5a5a5a5a5a
tell one "close $XVDC" && is ok
[ "$(sector_of c.img 9)" = 5a5a5a5a5a5a5a5a ] || die "the file does not have what was written"
expect 0 "\"pdev_path\":\"$PWD/c.img\",\"vdev\":\"xvdc\",\"backend\":\"phy\",\"format\":\"raw\",\"removable\":0,\"readwrite\":1" \
    service list -l
service status | grep -q "xvdc   w   $PWD/c.img" || die "status does not show xvdc: $(service status)"
service status --json | grep -q '"vdev":"xvdc","devid":51744' || die "nor does the JSON"

# Who may have an image beside whom; an image is known by what it is.
expect 1 'File .*/c.img is mounted in a guest domain, and so cannot be mounted now' service block-attach 2 \
    link.img,raw,xvdc,w
expect 1 'is mounted read-write in a guest domain, and so cannot be mounted read-only now' service block-attach 2 \
    file:link.img,xvdc,r
expect 0 '' service block-attach 2 link.img,raw,xvdc,w!
expect 0 '' service block-detach 2 xvdc
expect 0 '' service block-attach 1 file:c.img xvdd r
expect 0 '' service block-detach 1 xvdd
# Readers are beside the one who has read it from the beginning; a writer is not.
expect 0 '' service block-attach 2 a.img,raw,xvdc,r
expect 1 'mounted in a guest domain' service block-attach 2 b.img,raw,xvdd,w
expect 0 '' service block-detach 2 xvdc

# A file that the caller has open is the caller's, not Dom0's of that number.
exec 9<d.img
expect 0 '' service block-attach 2 /proc/self/fd/9,raw,xvdd,r
service status | grep -q "xvdd   r   $PWD/d.img" || die "/proc/self/fd is another file: $(service status)"
expect 0 '' service block-detach 2 xvdd
exec 9<&-
exec 9<>gone.img
rm gone.img
expect 1 '/proc/self/fd/9: Dom0 needs a file that has a name' service block-attach 2 /proc/self/fd/9,raw,xvdd,w
exec 9<&-

# A name may end in a comma.
ln d.img d.img,
expect 0 '' service block-attach 2 vdev=xvdd,access=r,target=d.img,,
service status | grep -qE "xvdd   r   $PWD/d.img,( |\$)" || die "the comma of d.img, is lost: $(service status)"
expect 0 '' service block-detach 2 xvdd

# Refusals.
expect 1 'Domain 1:device already exists in xenstore' service block-attach 1 d.img,raw,xvda,w
expect 1 'Disk vdev=xvdd failed to stat: .*/nosuch: No such file or directory' service block-attach 1 nosuch,raw,xvdd,w
expect 2 'Invalid or unsupported virtual disk identifier foo' service block-attach 1 d.img,raw,foo,w
expect 1 'there is no domain 77' service block-attach 77 d.img,raw,xvdd,w
expect 1 'Device xvdz not connected.' service block-detach 1 xvdz
expect 1 'Device 51712x not connected.' service block-detach 1 51712x
expect 1 'there is no domain 77' service block-detach 77 xvda
expect 1 'there is no domain 77' service block-list 77
expect 1 "cannot resize: no disk is 'xvdz'" service resize xvdz
expect 1 'is a directory' service block-attach 1 .,raw,xvdd,w

# The image of one disk grows.
image more 1
cat more >>b.img
expect 0 '' service resize xvdb
eventually 5 reads one $XVDB 4100 b.img || die "sector 4100 of the grown image: $answer"
cat more >>b.img
expect 0 '' service resize b.img
eventually 5 reads one $XVDB 7000 b.img || die "sector 7000 of the grown image: $answer"

# A disk that is read goes when its front end lets go of it: each read has an answer or an error.
tell one "open $XVDC" && is ok
echo "lose $XVDC" >&"${to[one]}"
expect 0 '' service block-detach 1 xvdc
hear one
[[ $answer =~ ^lost\ after\ [0-9]+\ reads$ ]] || die "the disk was not lost: $answer"
tell one "open $XVDC"
[ "${answer%%:*}" = error ] || die "a disk that is gone was opened"
tell one "read $XVDA 11" && is "$(sector_of a.img 11)"

# Nobody lets go: force does not wait; who waits is told after a while.
expect 0 '' service block-attach 1 c.img,raw,xvdc,w
tell one "open $XVDC" && is ok
if [ -n "${TEST_LONG:-}" ]; then
    expect 1 'unable to remove device with path /local/domain/0/backend/vbd/1/51744' service block-detach 1 xvdc
fi
expect 0 '' service block-detach 1 xvdc --force
tell one "read $XVDC 1"
[ "${answer%%:*}" = error ] || die "a disk that is gone was read: $answer"
tell one "close $XVDC" && is ok

# Again and again, beside a disk that is read all the time.
tell one "load $XVDA" && is ok
cycle() {
    service block-attach 1 d.img,raw,xvdc,w || die "attach fails"
    tell one "open $XVDC" && is ok
    tell one "write $XVDC $1 5a" && is ok
    echo "lose $XVDC" >&"${to[one]}"
    service block-detach 1 xvdc || die "detach fails"
    hear one
}
cycles=20
[ -z "${TEST_LONG:-}" ] || cycles=1000
for ((i = 0; i < 5; i++)); do cycle $i; done # what is only made once
fds_before=$(fds "$pid") rss_before=$(rss_kib "$pid")
nodes_before=$(service block-list 1 | wc -l)
for ((i = 0; i < cycles; i++)); do cycle $((i % 1000)); done
tell one loads
[[ $answer =~ ^[1-9][0-9]*\ reads,\ 0\ errors$ ]] || die "the other disk: $answer"
fds_are() { [ "$(fds "$pid")" -le "$1" ]; }
eventually 5 fds_are "$fds_before" || die "$fds_before descriptors before, $(fds "$pid") after $cycles cycles"
[ -n "${TEST_SAN:-}" ] || [ "$(rss_kib "$pid")" -le $((rss_before + 2048)) ] ||
    die "$rss_before KiB before, $(rss_kib "$pid") after $cycles cycles"
[ "$(service block-list 1 | wc -l)" = "$nodes_before" ] || die "disks are left"

# Domains end, and what they had is free.
hang_up one
hang_up two
eventually 5 domains_are 0 || die "the domains do not end"
session three
tell three "open $XVDB" && is ok
tell three "read $XVDB 3" && is "$(sector_of b.img 3)"
expect 0 '' service block-attach 3 c.img,raw,xvdc,w
hang_up three
wait

# A block device is a disk of its own: a second engine on Dom0's ring.
loop=$(losetup -f --show --direct-io=on d.img 2>/dev/null) || exit 0
cleanup_fn losetup -d "$loop"
blockdev --setrw "$loop" # a device that was read-only stays so
session four
expect 0 '' service block-attach 4 "phy:$loop,xvdd,w"
tell four "open 51760" && is ok
tell four "write 51760 5 77" && is ok
tell four "read 51760 5" && is 7777777777777777
tell four "read 51760 6" && is "$(sector_of d.img 6)"
tell four "close 51760" && is ok
expect 0 '' service block-detach 4 xvdd
hang_up four
wait
