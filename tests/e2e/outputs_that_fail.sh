# SPDX-License-Identifier: MIT
# Places where a client can't write: a full disk, a file size limit, a directory of somebody else, a
# closed stdout. A message, exit 1, and two files that hold the same whole records.
. "$(dirname "$0")/functions.sh"

image disk1.img 4

# same_records DIRECTORY: both files of the one client there hold the same records, and right ones
same_records() {
    local sectors read
    sectors=$(echo "$1"/sectors.*) read=$(echo "$1"/read.*)
    [ "$(($(wc -l <"$sectors") * 512))" = "$(stat -c %s "$read")" ] ||
        die "$(wc -l <"$sectors") sectors, $(stat -c %s "$read") bytes read"
    [ -z "$(tail -c 1 "$sectors" | tr -d '\n')" ] || die "part of a line at the end"
    [ ! -s "$sectors" ] || "$BIN/tool_for_integrity" disk1.img "$sectors" "$read" >/dev/null ||
        die "wrong records"
}

start_service
# RLIMIT_FSIZE, in KiB: 3 MiB are 6144 sectors.
mkdir limited
limited() { (cd limited && ulimit -f $kib && client "$@"); }
kib=3072
for run in '4 20000' '1 20000 --depth 32' '4 400 --sectors-per-request 88'; do
    # shellcheck disable=SC2086 # several arguments
    expect 1 'cannot write ./read\.[0-9]+.*File too large' limited $run
    grep -qE 'both files end after [0-9]+ whole records' stderr || die "no word of the rest: $(cat stderr)"
    same_records limited
    rm limited/*
done
# A limit of 8 KiB that only the last flush meets: no result line without its records.
kib=8
expect 1 'cannot write ./read\.[0-9]+.*File too large' limited 2 500
same_records limited
rm limited/*
kib=64
expect 1 'cannot write lat' limited 4 20000 --no-record --dump-latencies lat

# A full disk.
if [ "$(id -u)" = 0 ] && mkdir full && mount -t tmpfs -o size=2m none full 2>/dev/null; then
    cleanup_fn umount "$SCRATCH/full"
    in_full() { (cd full && client "$@"); }
    expect 1 'cannot write ./(read|sectors).*No space left' in_full 4 20000
    same_records full
    rm -f full/*
    head -c 3M /dev/zero >full/rest 2>/dev/null
    # So few that only the end finds out.
    expect 1 'cannot (create|write) ./(read|sectors).*No space left' in_full 1 10
    same_records full
fi

# stdout
client 2 10 --no-record >/dev/full 2>err && die "no error although stdout is full"
grep -q 'cannot write to stdout: No space' err || die "message: $(cat err)"
for arguments in '2 10 --no-record' '2 10 --no-record --json' --help --version; do
    # shellcheck disable=SC2086 # several arguments
    {
        status=0
        timeout -k 2 $((20 * slack)) "$BIN/client" $arguments >&- 2>err || status=$?
        [ $status = 1 ] || die "client $arguments, stdout closed: exit $status"
        grep -q 'cannot write to stdout: Bad file descriptor' err || die "message: $(cat err)"
        status=0
        timeout -k 2 $((20 * slack)) "$BIN/client" $arguments >/dev/full 2>err || status=$?
        [ $status = 1 ] || die "client $arguments, stdout full: exit $status"
    }
done

# The integrity tool.
client 1 10 >/dev/null || die "does not read"
for arguments in --help "disk1.img $(echo sectors.*) $(echo read.*)"; do
    # shellcheck disable=SC2086 # several arguments
    {
        status=0
        "$BIN/tool_for_integrity" $arguments >/dev/full 2>err || status=$?
        [ $status = 2 ] || die "tool_for_integrity $arguments, stdout full: exit $status"
        status=0
        "$BIN/tool_for_integrity" $arguments >&- 2>err || status=$?
        [ $status = 2 ] || die "tool_for_integrity $arguments, stdout closed: exit $status"
    }
done
rm -f sectors.* read.*

# Two clients of one number, in two PID namespaces, with one current directory.
if unshare --pid --fork true 2>/dev/null; then
    mkdir shared
    (cd shared && exec unshare --pid --fork "$BIN/client" 1 1000000000 --name default) 2>err &
    first=$!
    eventually 10 test -s shared/sectors.1 || die "no records: $(cat err)"
    second() { (cd shared && timeout -k 2 $((20 * slack)) unshare --pid --fork "$BIN/client" 1 10); }
    expect 1 'cannot create ./sectors.1: Device or resource busy: a client with the same process number' second
    pkill -TERM -P "$first"
    wait "$first" || :
    same_records shared
fi

# Somebody else's directory, as somebody else.
if [ "$(id -u)" = 0 ] && setpriv --reuid 12345 --regid 12345 --clear-groups true 2>/dev/null; then
    mkdir -m 755 foreign
    foreign_run=$(mktemp -d /tmp/e2e.XXXXXX)
    cleanup_fn rm -rf "$foreign_run"
    chown 12345 "$foreign_run"
    other() { timeout -k 2 $((20 * slack)) setpriv --reuid 12345 --regid 12345 --clear-groups "$@"; }
    cp "$BIN/client" "$BIN/service" disk1.img "$foreign_run" && chmod -R a+rX "$foreign_run"
    in_foreign() { (cd / && other "$foreign_run/client" "$@" --rundir "$foreign_run/run"); }
    expect 1 'cannot create ./sectors\.[0-9]+: Permission denied' in_foreign 1 1
    # A run directory that is not theirs.
    mkdir -m 700 "$foreign_run/root"
    as_other() { (cd "$foreign_run" && other "$@"); }
    expect 1 'belongs to user 0' as_other ./client 1 1 --no-record --rundir "$foreign_run/root"
    # An image that may not be read.
    chmod 600 "$foreign_run/disk1.img"
    chown 0 "$foreign_run/disk1.img"
    expect 1 'disk1.img.*[Pp]ermission denied' as_other ./service start --rundir "$foreign_run/run"
fi
exit 0
