/* SPDX-License-Identifier: MIT */
/* cache_clock: against the naive algorithm (policy_model.h). */
#include "policy_model.h"

/* CLOCK as "second chance": a queue whose oldest goes to the end when it was used. */
static bool read_clock(struct model *m, uint64_t sector)
{
    struct queue *q = &m->q[0];
    int at = find(q, sector);

    if (at >= 0) {
        q->uses[at] = 1;
        return true;
    }
    while (q->count == m->capacity) {
        bool used = q->uses[0] > 0;
        uint64_t oldest = take(q, 0);

        if (used)
            push(q, oldest, 0);
    }
    push(q, sector, 0);
    return false;
}

static void clock_agrees_with_second_chance(void **state)
{
    (void)state;
    agrees("clock", read_clock, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(clock_agrees_with_second_chance)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
