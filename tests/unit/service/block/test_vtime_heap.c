/* SPDX-License-Identifier: MIT */
/* vtime_heap: against a naive search for the smallest, across the wrap of virtual time. */
#include "service/block/vtime_heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { NODES = 60 };

static uint64_t random_next(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

static const struct vtime_node *naive_top(const struct vtime_node *nodes, const bool *inside)
{
    const struct vtime_node *best = NULL;

    for (int i = 0; i < NODES; i++)
        if (inside[i] && (!best || vtime_before(&nodes[i], best)))
            best = &nodes[i];
    return best;
}

static void top_is_the_smallest(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct vtime_node nodes[NODES] = {0};
        bool inside[NODES] = {false};
        struct vtime_heap heap = {0};
        uint64_t random = seed, order = UINT64_MAX - 500;

        for (int step = 0; step < 20000; step++) {
            uint64_t i = random_next(&random) % NODES;

            if (inside[i] && random_next(&random) % 3 == 0)
                i = (uint64_t)(heap.top - nodes);
            if (inside[i]) {
                vtime_heap_remove(&heap, &nodes[i]);
            } else {
                /* Few values, so that ties are common; around the wrap. */
                nodes[i].vtime = UINT64_MAX - 10 + random_next(&random) % 20;
                nodes[i].order = order++;
                vtime_heap_push(&heap, &nodes[i]);
            }
            inside[i] = !inside[i];
            assert_ptr_equal(heap.top, naive_top(nodes, inside));
        }
    }
}

static void order_breaks_ties(void **state)
{
    struct vtime_node nodes[NODES] = {0};
    struct vtime_heap heap = {0};

    (void)state;
    for (uint64_t i = 0; i < NODES; i++) {
        nodes[i].order = (i * 7) % NODES - 30; /* some of them below 0, that is, just below 2^64 */
        vtime_heap_push(&heap, &nodes[i]);
    }
    for (uint64_t i = 0; i < NODES; i++) {
        assert_int_equal(heap.top->order, i - 30);
        vtime_heap_remove(&heap, heap.top);
    }
    assert_null(heap.top);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(top_is_the_smallest),
        cmocka_unit_test(order_breaks_ties),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
