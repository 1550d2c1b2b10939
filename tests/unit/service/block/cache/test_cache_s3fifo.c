/* SPDX-License-Identifier: MIT */
/* cache_s3fifo: against the naive algorithm (policy_model.h). */
#include "policy_model.h"

/* q[0] small, q[1] main, q[2] ghost. */
static void s3fifo_evict_main(struct model *m)
{
    for (;;) {
        uint32_t uses = m->q[1].uses[0];
        uint64_t sector = take(&m->q[1], 0);

        if (uses == 0)
            return;
        push(&m->q[1], sector, uses - 1);
    }
}

static void s3fifo_evict(struct model *m)
{
    uint32_t small = m->capacity >= 10 ? m->capacity / 10 : 1, main = m->capacity - small;

    if (m->q[0].count < small) {
        s3fifo_evict_main(m);
        return;
    }
    while (m->q[0].count > 0) {
        uint32_t uses = m->q[0].uses[0];
        uint64_t sector = take(&m->q[0], 0);

        if (uses <= 1) {
            /* uses counts the age in ghost: what left as long ago as ghost is large is gone. */
            for (uint32_t i = 0; i < m->q[2].count; i++)
                m->q[2].uses[i]++;
            push(&m->q[2], sector, 0);
            while (m->q[2].uses[0] >= (main > 0 ? main : 1))
                take(&m->q[2], 0);
            return;
        }
        push(&m->q[1], sector, 0);
        if (m->q[1].count > main) {
            s3fifo_evict_main(m);
            return;
        }
    }
}

static bool read_s3fifo(struct model *m, uint64_t sector)
{
    int ghost;

    for (int i = 0; i < 2; i++) {
        int at = find(&m->q[i], sector);

        if (at >= 0) {
            m->q[i].uses[at] += m->q[i].uses[at] < 3;
            return true;
        }
    }
    ghost = find(&m->q[2], sector);
    if (ghost >= 0)
        take(&m->q[2], (uint32_t)ghost);
    if (m->q[0].count + m->q[1].count == m->capacity)
        s3fifo_evict(m);
    push(&m->q[ghost >= 0 ? 1 : 0], sector, 0);
    return false;
}

static void s3fifo_agrees_with_the_naive_one(void **state)
{
    (void)state;
    agrees("s3fifo", read_s3fifo, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(s3fifo_agrees_with_the_naive_one)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
