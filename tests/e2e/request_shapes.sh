# SPDX-License-Identifier: MIT
# Requests of several sectors, asynchronous ones, and every pattern: all reads are the image's.
# sanitizers: long
. "$(dirname "$0")/functions.sh"

run() { # RECORDS ARGUMENT...
    local records=$1
    shift
    client "$@" >out 2>err || die "client $* failed: $(cat err)"
    [ "$(wc -l <out)" = 1 ] || die "stdout of client $*: $(cat out)"
    cp sectors.* order
    verify_all "$records"
}

image disk1.img 2
start_service
run 900 4 300 --sectors-per-request 3
run 17600 4 200 --sectors-per-request 88
run 17600 1 200 --sectors-per-request 88 --depth 32
run 5000 1 5000 --depth 32 # the ring of 32 entries is gone through many times
run 20 1 20 --depth 512    # more depth than reads
run 3000 1 3000 --depth 1
run 2000 8 2000 --no-spin

for pattern in uniform sequential zipf:0.99 zipf:1.2 hotset:5; do
    run 2000 8 2000 --pattern $pattern
    run 2000 1 2000 --pattern $pattern --depth 16
done
run 5000 1 5000 --pattern sequential
awk 'NR > 1 && $1 != (last + 1) % 4096 { print "sector " $1 " after " last; exit 1 } { last = $1 }' \
    order || die "the sequential pattern is not"

# The same seed makes the same reads, another one others.
run 500 1 500 --seed 7
cp order first
run 500 1 500 --seed 7
cmp -s first order || die "the same seed read other sectors"
run 500 1 500 --seed 8
cmp -s first order && die "another seed read the same sectors"
# Uniform: both ends of a small disk are reached.
service stop >/dev/null
head -c 4096 disk1.img >small.img && mv small.img disk1.img
start_service
run 2000 8 2000
[ "$(sort -nu order | tr '\n' ' ')" = '0 1 2 3 4 5 6 7 ' ] || die "not all of 8 sectors in 2000 reads"
expect 1 '0\.\.7.*--sectors-per-request' client 1 1 --sectors-per-request 9

# More at once than a domain may have memory for: what to do about it.
expect 1 '8 to 8192 pages.*ask for less at once, or see --max-pages' client 1 1 --depth 512 --sectors-per-request 200 --no-record
