/* SPDX-License-Identifier: MIT */
/* cache_sieve: against the naive algorithm (policy_model.h). */
#include "policy_model.h"

static bool read_sieve(struct model *m, uint64_t sector)
{
    struct queue *q = &m->q[0];
    int at = find(q, sector);

    if (at >= 0) {
        q->uses[at] = 1;
        return true;
    }
    if (q->count == m->capacity) {
        if (m->hand >= q->count)
            m->hand = 0;
        while (q->uses[m->hand] > 0) {
            q->uses[m->hand] = 0;
            m->hand = (m->hand + 1) % q->count;
        }
        take(q, m->hand);
        if (m->hand == q->count) /* it was the newest: the next time begins with the oldest */
            m->hand = QUEUE_MAX;
    }
    push(q, sector, 0);
    return false;
}

static void sieve_agrees_with_the_naive_one(void **state)
{
    (void)state;
    agrees("sieve", read_sieve, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sieve_agrees_with_the_naive_one)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
