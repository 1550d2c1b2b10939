# SPDX-License-Identifier: MIT
# A debugger at a program of a domain: it attaches, a breakpoint is hit, a step over a sleep ends where it should.
. "$(dirname "$0")/functions.sh"

[ -z "${TEST_SAN:-}" ] || skip "what runs in programs is not sanitized; domu_run.sh has the rest"
[ -x "$BIN/domu-shim" ] || skip "programs run in domains on x86-64 only"
command -v gdb >/dev/null && command -v "${CC:-gcc}" >/dev/null || skip "no gdb, or no compiler"
image disk1.img 4
start_service --idle-timeout 0

cat >sleeps.c <<'END'
#include <time.h>
volatile int count;
static void one(void)
{
    struct timespec span = {.tv_nsec = 10000000};
    count++;
    nanosleep(&span, 0);
    count++;
}
int main(void)
{
    while (count < 100000)
        one();
}
END
"${CC:-gcc}" -g -O0 -o sleeps sleeps.c || die "no test program"
timeout $((60 * slack)) "$BIN/domu" run --tdf 2 -- sh -c 'echo $$ >pid; exec ./sleeps' &
domain=$!
runs() { [ "$(cat "/proc/$(cat pid)/comm")" = sleeps ]; } 2>/dev/null
eventually 10 runs || die "it does not begin"
timeout $((50 * slack)) gdb --batch -nx -p "$(cat pid)" -ex 'handle SIGSYS nostop noprint pass' -ex 'break sleeps.c:7' \
    -ex continue -ex next -ex next -ex 'delete' -ex kill >gdb.log 2>&1 || true
grep -q 'not permitted' gdb.log && skip "tracing is not permitted here"
grep -q '^Breakpoint 1, one () at sleeps.c:7' gdb.log || die "no breakpoint: $(cat gdb.log)"
grep -qE '^8[[:space:]]' gdb.log || die "no step over a sleep: $(cat gdb.log)"
wait $domain || true
