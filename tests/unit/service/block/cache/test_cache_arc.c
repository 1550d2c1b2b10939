/* SPDX-License-Identifier: MIT */
/* cache_arc: against the naive algorithm (policy_model.h). */
#include "policy_model.h"

/* q[0..3]: T1, T2, B1, B2, after figure 4 of the paper. */
static void arc_replace(struct model *m, bool in_b2)
{
    struct queue *t1 = &m->q[0];

    if (t1->count >= 1 && ((in_b2 && t1->count == m->p) || t1->count > m->p))
        push(&m->q[2], take(t1, 0), 0);
    else
        push(&m->q[3], take(&m->q[1], 0), 0);
}

static void arc_adapt(struct model *m, bool in_b2)
{
    uint32_t mine = m->q[in_b2 ? 3 : 2].count, other = m->q[in_b2 ? 2 : 3].count;
    uint32_t step = mine >= other ? 1 : other / mine;

    for (; step > 0; step--) {
        if (in_b2 && m->p > 0)
            m->p--;
        if (!in_b2 && m->p < m->capacity)
            m->p++;
    }
}

static bool read_arc(struct model *m, uint64_t sector)
{
    int at[QUEUES];
    uint32_t l1 = m->q[0].count + m->q[2].count, l2 = m->q[1].count + m->q[3].count;

    for (int i = 0; i < QUEUES; i++)
        at[i] = find(&m->q[i], sector);
    if (at[0] >= 0 || at[1] >= 0) { /* case I */
        int i = at[0] >= 0 ? 0 : 1;

        push(&m->q[1], take(&m->q[i], (uint32_t)at[i]), 0);
        return true;
    }
    if (m->q[0].count + m->q[1].count < m->capacity) { /* room that was never used, or is again */
        for (int i = 2; i < QUEUES; i++) {
            if (at[i] >= 0) {
                take(&m->q[i], (uint32_t)at[i]);
                push(&m->q[1], sector, 0);
                return false;
            }
        }
        if (l1 == m->capacity && m->q[2].count > 0)
            take(&m->q[2], 0);
        push(&m->q[0], sector, 0);
        return false;
    }
    if (at[2] >= 0 || at[3] >= 0) { /* cases II and III */
        int i = at[2] >= 0 ? 2 : 3;

        arc_adapt(m, i == 3);
        take(&m->q[i], (uint32_t)at[i]);
        arc_replace(m, i == 3);
        push(&m->q[1], sector, 0);
        return false;
    }
    if (l1 == m->capacity) { /* case IV A */
        if (m->q[0].count < m->capacity) {
            take(&m->q[2], 0);
            arc_replace(m, false);
        } else {
            take(&m->q[0], 0);
        }
    } else if (l1 + l2 >= m->capacity) { /* case IV B */
        if (l1 + l2 == 2 * m->capacity)
            take(&m->q[3], 0);
        arc_replace(m, false);
    }
    push(&m->q[0], sector, 0);
    return false;
}

static void arc_agrees_with_the_paper(void **state)
{
    (void)state;
    agrees("arc", read_arc, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(arc_agrees_with_the_paper)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
