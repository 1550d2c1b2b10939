/* SPDX-License-Identifier: MIT */
#include "domu/due.h"

#include "base/clock.h"

int64_t due_left_ns(struct due_looks *looks, struct domain_clock *clock, uint64_t due_ns)
{
    uint64_t now_ns;
    (void)domain_clock_read_ns(clock, &now_ns); /* an error says why it stands still */
    uint64_t real_ns = clock_monotonic_ns();
    uint64_t passed_ns = now_ns - looks->look_ns, real_passed_ns = real_ns - looks->look_real_ns;
    looks->look_ns = now_ns;
    looks->look_real_ns = real_ns;
    if (now_ns >= due_ns)
        return 0;
    if (passed_ns == 0)
        return DUE_SLEEP_MAX_NS;
    double limit = (double)(due_ns - now_ns) * (double)real_passed_ns / (double)passed_ns;
    return limit < DUE_SLEEP_MAX_NS ? (int64_t)limit + 1 : DUE_SLEEP_MAX_NS;
}
