# SPDX-License-Identifier: MIT
# The integrity tool finds each fault, names it, and tells bad input from a mismatch.
. "$(dirname "$0")/functions.sh"

tool=$BIN/tool_for_integrity
image disk1.img 1

# Every sector once, backwards, with the file's own bytes.
seq 2047 -1 0 >sectors
for s in $(head -n 64 sectors); do
    dd if=disk1.img bs=512 skip="$s" count=1 status=none
done >reads
head -n 64 sectors >s && mv s sectors
expect 0 '^64 reads verified' "$tool" disk1.img sectors reads
expect 0 '^64 reads verified' "$BIN/integrity" disk1.img sectors reads
expect 0 '^usage' "$tool" --help
cp sectors ./-sectors
expect 0 '^64 reads verified' "$tool" -- disk1.img -sectors reads
expect 2 'three arguments needed, 2 given' "$tool" -- disk1.img sectors

# One byte of record 10 (sector 2037), byte 511.
cp reads bad
printf '\x00' | dd of=bad bs=1 seek=$((10 * 512 + 511)) conv=notrunc status=none
cmp -s reads bad && { printf '\x01' | dd of=bad bs=1 seek=$((10 * 512 + 511)) conv=notrunc status=none; }
expect 1 'record 10 \(line 11 of sectors\), sector 2037: differs from byte 511' "$tool" disk1.img sectors bad
got=$(dd if=bad bs=1 skip=$((10 * 512 + 511)) count=1 status=none | od -An -tx1 | tr -d ' ')
want=$(dd if=reads bs=1 skip=$((10 * 512 + 511)) count=1 status=none | od -An -tx1 | tr -d ' ')
grep -q "the image has 0x$want, bad has 0x$got at offset 5631" stderr || die "wrong bytes: $(cat stderr)"

# The right data in the wrong order.
sed '1!G;h;$!d' sectors >reversed
expect 1 'record 0 ' "$tool" disk1.img reversed reads

# Sizes that do not go together.
head -c 32767 reads >short
expect 2 '32767 bytes.*64 lines.*32768' "$tool" disk1.img sectors short
head -n 63 sectors >fewer
expect 2 '32768 bytes.*63 lines' "$tool" disk1.img fewer reads
: >empty
expect 2 'nothing to verify' "$tool" disk1.img empty empty
expect 2 '0 bytes' "$tool" disk1.img sectors empty

# Lines that are no sectors.
for line in x -1 1.5 ' 1' '1 ' '' 0x1 18446744073709551616; do
    { head -n 2 sectors && printf '%s\n' "$line" && tail -n 61 sectors; } >lines
    expect 2 'lines line 3 is not a sector number' "$tool" disk1.img lines reads
done
sed '3s/.*/2048/' sectors >lines
expect 2 'line 3: sector 2048 is beyond the image, whose last sector is 2047' "$tool" disk1.img lines reads
sed '3s/.*/18446744073709551615/' sectors >lines
expect 2 'is beyond the image' "$tool" disk1.img lines reads
head -c -1 sectors >lines
expect 2 'line 64 is cut off' "$tool" disk1.img lines reads

# Files that can't be read.
expect 2 'nowhere: No such file' "$tool" nowhere sectors reads
expect 2 'nowhere: No such file' "$tool" disk1.img nowhere reads
expect 2 'nowhere: No such file' "$tool" disk1.img sectors nowhere
mkdir directory
expect 2 'Is a directory' "$tool" directory sectors reads
expect 2 'not a file' "$tool" disk1.img sectors /dev/zero
expect 2 'no whole sector' "$tool" empty sectors reads
expect 2 'three arguments needed, 2 given' "$tool" disk1.img sectors
expect 2 'three arguments needed, 0 given' "$tool"
expect 2 'three arguments needed, 4 given' "$tool" disk1.img sectors reads more

# Many records: no more memory than for a few. (A sparse image: its sectors are zeros.)
truncate -s 256M large.img
truncate -s 256M large.read
awk 'BEGIN { for (i = 0; i < 524288; i++) print (i * 7919) % 524288 }' >large.sectors
(
    [ -n "${TEST_SAN:-}" ] || ulimit -v 65536
    "$tool" large.img large.sectors large.read >stdout
) || die "a large input"
grep -q '^524288 reads verified' stdout || die "$(cat stdout)"
