/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/heap.h"

enum { NR_NODES = 200 };

static void test_equal_keys_leave_in_the_order_of_arrival(void **state)
{
    struct heap heap = {0};
    struct heap_node nodes[20];

    (void)state;
    for (int i = 0; i < 20; i++)
        heap_insert(&heap, &nodes[i], 5);
    for (int i = 0; i < 20; i++) {
        assert_ptr_equal(heap_first(&heap), &nodes[i]);
        heap_remove(&heap, &nodes[i]);
    }
    assert_null(heap_first(&heap));
}

/* Any order of insertions and removals, against a linear search for the first. */
static void test_first_is_the_smallest_whatever_came_and_went(void **state)
{
    struct heap heap = {0};
    struct heap_node nodes[NR_NODES];
    bool in[NR_NODES] = {false};
    unsigned seed = 31;

    (void)state;
    for (int step = 0; step < 100000; step++) {
        int i = rand_r(&seed) % NR_NODES;
        if (in[i])
            heap_remove(&heap, &nodes[i]);
        else
            heap_insert(&heap, &nodes[i], (uint64_t)rand_r(&seed) % 100);
        in[i] = !in[i];

        struct heap_node *first = NULL;
        for (int n = 0; n < NR_NODES; n++) {
            if (!in[n])
                continue;
            if (first == NULL || nodes[n].key < first->key ||
                (nodes[n].key == first->key && nodes[n].order < first->order))
                first = &nodes[n];
        }
        assert_ptr_equal(heap_first(&heap), first);
    }
}

/* A million ascending insertions make a root with as many children: nothing recurses. */
static void test_a_million_nodes_need_no_stack(void **state)
{
    const size_t count = 1000000;
    struct heap heap = {0};
    struct heap_node *nodes = calloc(count, sizeof(*nodes));

    (void)state;
    assert_non_null(nodes);
    for (size_t i = 0; i < count; i++)
        heap_insert(&heap, &nodes[i], i);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(heap_first(&heap), &nodes[i]);
        heap_remove(&heap, &nodes[i]);
    }
    free(nodes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_keys_leave_in_the_order_of_arrival),
        cmocka_unit_test(test_first_is_the_smallest_whatever_came_and_went),
        cmocka_unit_test(test_a_million_nodes_need_no_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
