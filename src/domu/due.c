/* SPDX-License-Identifier: MIT */
#include "domu/due.h"

#include "base/clock.h"

static void take_rate(struct due_looks *looks, uint64_t now_ns, uint64_t real_ns)
{
    uint64_t passed_ns = now_ns - looks->base_ns, real_passed_ns = real_ns - looks->base_real_ns;
    if (real_passed_ns < DUE_RATE_NS)
        return;
    if (looks->base_real_ns == 0)
        looks->real_per_ns = 1; /* the first look; the next one will tell */
    else
        looks->real_per_ns = passed_ns == 0 ? 0 : (double)real_passed_ns / (double)passed_ns;
    looks->base_ns = now_ns;
    looks->base_real_ns = real_ns;
}

int64_t due_left_ns(struct due_looks *looks, struct domain_clock *clock, uint64_t due_ns)
{
    uint64_t now_ns;
    (void)domain_clock_read_ns(clock, &now_ns); /* an error says why it stands still */
    looks->look_ns = now_ns;
    take_rate(looks, now_ns, clock_monotonic_ns());
    if (now_ns >= due_ns)
        return 0;
    if (looks->real_per_ns == 0)
        return DUE_SLEEP_MAX_NS;
    double limit = (double)(due_ns - now_ns) * looks->real_per_ns;
    return limit < DUE_SLEEP_MAX_NS ? (int64_t)limit + 1 : DUE_SLEEP_MAX_NS;
}
