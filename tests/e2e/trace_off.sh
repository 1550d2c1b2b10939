# SPDX-License-Identifier: MIT
# timeout: 900
# What the places cost where a trace would look, while nobody traces: instructions per request of Dom0's path
# (request_path) against a build without them (bench/ablations/traces.patch). Both run with the same secrets in
# their hash tables, so that the counts are exact.
. "$(dirname "$0")/functions.sh"
[ -n "${TEST_LONG:-}" ] || skip "builds a part of the tree once more: TEST_LONG=1"
[ -z "${TEST_SAN:-}" ] || skip "once is enough, without sanitizers"
requires gcc make patch valgrind
unset TEST_LONG MAKEFLAGS MAKELEVEL VARIANT SAN

echo '#include <sys/types.h>
ssize_t getrandom(void *to, size_t n, unsigned flags)
{
    (void)flags;
    for (size_t i = 0; i < n; i++)
        ((unsigned char *)to)[i] = (unsigned char)(i * 151 + 77);
    return (ssize_t)n;
}' >same.c
gcc -shared -fPIC -O2 -o same.so same.c || die "no library"
mkdir with without
for tree in with without; do
    (cd "$TOP" && cp -r Makefile include src tests bench tools "$SCRATCH/$tree/") || die "no copy"
done
patch -s -p0 -d without <"$TOP/bench/ablations/traces.patch" || die "the patch does not fit"
for tree in with without; do
    make -C $tree --no-print-directory -j2 build/plain/tests/e2e/request_path >build.log 2>&1 ||
        die "$tree does not build: $(tail -n 5 build.log)"
done

instructions() { # TREE MODE REQUESTS
    LD_PRELOAD=$PWD/same.so valgrind --tool=callgrind --callgrind-out-file=/dev/null \
        "$1/build/plain/tests/e2e/request_path" "$2" "$3" 2>valgrind.out >/dev/null || die "valgrind: $(tail -n 3 valgrind.out)"
    sed -n 's/.*Collected : *\([0-9]*\).*/\1/p' valgrind.out
}

# check MODE MOST: at most so many thousandths more
check() {
    local tree less more
    declare -A count
    for tree in with without; do
        less=$(instructions $tree "$1" 16000) && more=$(instructions $tree "$1" 32000) || exit 1
        count[$tree]=$(((more - less) / 160))
    done
    echo "$1: ${count[with]} instructions of 100 requests, ${count[without]} without: + $(((count[with] - count[without]) * 10000 / count[without])) in 10000"
    [ $(((count[with] - count[without]) * 1000)) -le $((count[without] * $2)) ] || die "$1: more than $2 thousandths"
}
check hit 5
check miss 5
