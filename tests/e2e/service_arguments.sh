# SPDX-License-Identifier: MIT
# What `service` refuses: wrong arguments, images and run directories, each with its message.
. "$(dirname "$0")/functions.sh"

service=$BIN/service
nothing_runs() { expect 3 "no service 'default' is running.*service start" "$service" status; }

expect 2 'verb is missing' "$service"
expect 2 "unknown verb 'restart'" "$service" restart
expect 2 'no arguments' "$service" start now
expect 2 '--json' "$service" start --json
expect 2 'DOMID KEY VALUE' "$service" set 1 weight
expect 2 '--cache-percent' "$service" start --cache-percent 2
expect 2 'one of: .*lru' "$service" start --cache-policy astrology
expect 2 '--tdf' "$service" start --tdf 0
expect 2 "not 'a/b'" "$service" start --name a/b
expect 0 'usage: service' "$service" --help
expect 0 'usage: service' "$service" -h
expect 0 'usage: service' "$service" list -h
expect 0 'usage: domu' "$BIN/domu" -h
expect 0 'usage: domu tap' "$BIN/domu" tap -h
expect 0 'splitdom' "$service" --version
for verb in stop status list 'set 1 weight 5' 'pause 1' 'unpause 1' 'shutdown 1' resize uptime 'domid a' 'domname 1' \
    'rename 1 a' 'top -b'; do
    # shellcheck disable=SC2086 # several arguments
    expect 3 "no service 'default' is running" "$service" $verb
done

# Images.
expect 1 'disk1.img: no such file' "$service" start
: >empty.img
expect 1 'empty.img' "$service" start --image empty.img
head -c 1000 /dev/zero >odd.img
expect 1 'odd.img.*512' "$service" start --image odd.img
mkdir directory
expect 1 'directory' "$service" start --image directory
image disk1.img 1
expect 1 '1 %' "$service" start --cache-bytes 10486
expect 1 '--cpu 1023.*no such CPU' "$service" start --cpu 1023
if [ "$(id -u)" != 0 ]; then
    cp disk1.img secret.img && chmod 000 secret.img
    expect 1 'secret.img.*[Pp]ermission denied' "$service" start --image secret.img
fi
nothing_runs

# Run directories.
expect 1 'No such file' "$service" start --rundir "$SCRATCH/a/b"
expect 1 'too long for a socket' "$service" start --rundir "/tmp/$(printf 'x%.0s' {1..100})"
mkdir -m 700 target && ln -s target link
expect 1 'symbolic link: refused' "$service" start --rundir link
mkdir open && chmod 777 open
expect 1 'open to other users.*directory of your own' "$service" start --rundir open
if [ "$(id -u)" = 0 ]; then
    mkdir -m 700 foreign && chown 12345 foreign
    expect 1 'belongs to user 12345' "$service" start --rundir foreign
    expect 1 'belongs to user 12345' "$BIN/client" 1 1 --rundir foreign
fi
nothing_runs

# Twice the same; two side by side.
start_service
expect 1 'already running \(pid [0-9]+\)' "$service" start
stop_second() { "$service" stop --name second >/dev/null 2>&1 || :; }
cleanup_fn stop_second
expect 0 '' "$service" start --name second
"$BIN/client" 2 100 --name second >/dev/null || die "the second service does not serve"
expect 0 '' "$service" stop --name second
"$BIN/client" 2 100 >/dev/null || die "the first service does not serve"
expect 0 'hit ratio' "$service" stop
nothing_runs

# A usage error is two lines, so that its reason is seen; what can't be written is an error.
expect 2 "see 'service --help'" "$service" restart
[ "$(wc -l <stderr)" = 2 ] || die "a usage error of $(wc -l <stderr) lines"
expect 2 "see 'client --help'" "$BIN/client" 1
[ "$(wc -l <stderr)" = 2 ] || die "a usage error of $(wc -l <stderr) lines"
for arguments in --help --version env; do
    status=0
    "$service" $arguments >/dev/full 2>err || status=$?
    [ $status = 1 ] || die "service $arguments, stdout full: exit $status"
    status=0
    "$service" $arguments >&- 2>err || status=$?
    [ $status = 1 ] || die "service $arguments, stdout closed: exit $status"
done

# One situation has one text, whoever meets it, and names the directory.
expect 3 "no service 'default' is running in $SPLITDOM_RUNDIR: start it with 'service start'" "$service" list
expect 1 "no service 'default' is running in $SPLITDOM_RUNDIR: start it with 'service start'" "$BIN/client" 1 1
expect 1 "no service 'other' is running in $SCRATCH/nothing: start it with 'service start --name other'" \
    "$BIN/client" 1 1 --name other --rundir "$SCRATCH/nothing"
