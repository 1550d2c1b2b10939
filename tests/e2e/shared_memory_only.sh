# SPDX-License-Identifier: MIT
# Between connect and close no byte of a request or a sector goes through a descriptor: the system
# calls of a client are the 8 bytes that ring its doorbell, futexes, and writes to its two files.
. "$(dirname "$0")/functions.sh"
requires strace
[ -z "${TEST_SAN:-}" ] || skip "sanitizers make system calls of their own"
strace -f -o probe true 2>/dev/null || skip "strace may not trace here"

# Calls that move bytes.
moving=' (p?(read|write)(v2?|64)?|(send|recv)(to|msg|mmsg|from)?|splice|tee|sendfile|vmsplice|process_vm_[a-z]*|io_[a-z_]*|msgsnd|msgrcv|mq_[a-z]*)[(]'
socket=' (send|recv)[a-z]*[(][0-9]+<(UNIX|socket)'
# The doorbell. The threads tell the main one by an eventfd that they are done, and glibc loads a
# library when a thread ends.
allowed='write\([0-9]+<anon_inode:\[?eventfd[^>]*>, "[^"]*"(\.\.\.)?, 8( <unfinished|\) += 8)'
allowed+='|read\([0-9]+<anon_inode:\[?eventfd|read\([0-9]+<[^>]*/lib[a-z_]*\.so[.0-9]*>|write\(1<'

# trace NAME ALLOWED ARGUMENT...: the window opens with the message on the control socket that makes the
# ring's event channel and ends with the next one, which closes that channel: the longest stretch without a
# message.
trace() {
    local name=$1 may=$2 rest
    shift 2
    timeout -k 2 $((60 * slack)) strace -f -yy -s 16 -o "$name" "$BIN/client" "$@" >line 2>err ||
        die "client $* fails under strace: $(cat err)"
    messages=$(grep -cE "$socket" "$name")
    awk -v socket="$socket" '{ text[NR] = $0 }
         $0 ~ socket { if (NR - last > longest) { longest = NR - last; from = last } last = NR }
         END {
             if (NR + 1 - last > longest) { longest = NR + 1 - last; from = last }
             for (i = from + 1; i < from + longest; i++) print text[i]
         }' "$name" >"$name.window"
    doorbells=$(grep -cE 'write\([0-9]+<anon_inode:\[?eventfd' "$name.window")
    rest=$(grep -E "$moving" "$name.window" | grep -vE "$may")
    [ -z "$rest" ] || die "bytes move: $(head -n 20 <<<"$rest")"
}

image disk1.img 4
start_service
trace few "$allowed" 4 4 --no-record
few=$messages few_doorbells=$doorbells
trace blocking "$allowed" 4 400 --no-record
[ "$messages" = "$few" ] && [ "$messages" -gt 0 ] || die "$messages messages for 400 reads, $few for 4"
# The reads happened within the window.
[ "$doorbells" -ge $((few_doorbells + 50)) ] || die "only $doorbells doorbells in the window"
trace async "$allowed" 1 400 --depth 16 --no-record

# With the recorder: its two files more, and these are written, not read.
trace recording "$allowed|p?writev?(64)?\([0-9]+<[^>]*/(sectors|read)\.[0-9]+>" 4 400
verify_all 400
