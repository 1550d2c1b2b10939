# SPDX-License-Identifier: MIT
# Wrong arguments and places: each with its message, its exit status and nothing on stdout.
. "$(dirname "$0")/functions.sh"

client=$BIN/client

expect 2 'THREADS and REQUESTS are missing' "$client"
expect 2 'REQUESTS is missing' "$client" 1
expect 2 'too many arguments' "$client" 1 2 3
for bad in 0 x '' 1x 4097 18446744073709551616 18446744073709551617; do
    expect 2 "THREADS must be a decimal number within 1..4096, not '$bad'" "$client" "$bad" 1
done
for bad in 0 x '' 1x 9223372036854775808 18446744073709551616; do
    expect 2 "REQUESTS must be .* not '$bad'" "$client" 1 "$bad"
done
expect 2 'negative' "$client" -1 1
expect 2 'negative' "$client" 1 -1
expect 2 "must be .* not '-1'" "$client" -- 1 -1
expect 2 'THREADS to be 1' "$client" 2 1 --depth 4
expect 2 'usage: client' "$client" 1 1 --pattern zipf
expect 2 'hotset:PCT' "$client" 1 1 --pattern hotset:1:0
expect 2 'duration must be' "$client" 1 1 --duration 0
expect 0 'usage: client' "$client" --help
expect 0 'usage: client' "$client" -h
expect 0 'splitdom' "$client" --version

# No service: one line that says how to start it, and no files.
expect 1 'service start' "$client" 1 1
[ "$(wc -l <stderr)" = 1 ] || die "more than one line: $(cat stderr)"
[ "$(echo ./*)" = './stderr ./stdout' ] || die "left behind: $(echo ./*)"

# Files that can't be written are found before anything else.
here=$PWD
in_proc() { (cd /proc && "$client" 1 1); }
expect 1 'cannot create ./sectors' in_proc
expect 1 'cannot create nowhere/lat' "$client" 1 1 --dump-latencies nowhere/lat
[ "$(echo "$here"/*)" = "$here/stderr $here/stdout" ] || die "left behind: $(echo "$here"/*)"
