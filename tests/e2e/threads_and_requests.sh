# SPDX-License-Identifier: MIT
# The main job: any number of threads share out any number of reads; every read is the image's, and
# stdout is the one line.
. "$(dirname "$0")/functions.sh"

line='^[0-9]+\|[0-9]+\|[0-9]+\|[0-9]+\.[0-9]\|[0-9]+\.[0-9]$'

run() { # THREADS REQUESTS RECORDS OPTION...
    local records=$3
    client "$1" "$2" "${@:4}" >out 2>err || die "client $* failed: $(cat err)"
    [ "$(wc -l <out)" = 1 ] && grep -qE "$line" out || die "stdout of client $*: $(cat out)"
    [ ! -s err ] || die "stderr of client $*: $(cat err)"
    verify_all "$records"
}

image disk1.img 10
start_service
run 1 1 1
run 1 777 777
run 8 1001 1001   # not a multiple
run 64 20000 20000
run 64 10 10      # more threads than reads
run 512 3 3
run 512 5003 5003 # far more threads than the ring has entries
expect 0 'hit ratio: [0-9.]+ %' service stop
grep -q ' of 26795 requests' stdout || die "the totals are wrong: $(cat stdout)"
