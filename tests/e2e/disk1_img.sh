# SPDX-License-Identifier: MIT
# disk1.img.sh makes what it is asked for, refuses nonsense, leaves nothing half done.
. "$(dirname "$0")/functions.sh"

make_image=$TOP/disk1.img.sh
size() { stat -c %s "$1"; }

expect 0 'disk1.img has 2 MiB, 4096 sectors' "$make_image" 2
[ "$(size disk1.img)" = $((2 << 20)) ] || die "wrong size"
# Random bytes do not compress.
[ "$(gzip -c disk1.img | wc -c)" -gt $((2 << 20)) ] || die "not random"

expect 0 'other.img has 1 MiB' "$make_image" 1 other.img
expect 0 'other.img has 10 MiB' "$make_image" 010 other.img
[ "$(size other.img)" = $((10 << 20)) ] || die "octal?"

before=$(cksum <disk1.img)
for arguments in 0 00 x 1x -1 1.5 0x10 501 99999999999999999999 '1 a b' '--frobnicate' '1 /dev/null' '1 .'; do
    # shellcheck disable=SC2086 # several arguments
    expect 2 usage "$make_image" $arguments
done
expect 2 usage "$make_image" ''
expect 2 'at most 500 MiB' "$make_image" 501

# A failure leaves the old image, and no part of a new one.
too_small() { (ulimit -f 1024 && "$make_image" 3); }
expect 1 'cannot write 3 MiB' too_small
[ "$(cksum <disk1.img)" = "$before" ] || die "the old image is damaged"
expect 1 'cannot write' "$make_image" 1 nowhere/disk1.img
[ "$(echo ./*)" = './disk1.img ./other.img ./stderr ./stdout' ] || die "left behind: $(echo ./*)"
