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

/* Any order of insertions and removals, against a linear search for the first. Keys: from lowest
 * on; their distance from it decides, which is the same as their value where it is 0. */
static void come_and_go(uint64_t lowest)
{
    struct heap heap = {.origin = lowest};
    struct heap_node nodes[NR_NODES];
    bool in[NR_NODES] = {false};
    uint64_t arrival[NR_NODES];
    unsigned seed = 31;

    for (unsigned step = 0; step < 50000; step++) {
        int i = rand_r(&seed) % NR_NODES;
        arrival[i] = step;
        if (in[i])
            heap_remove(&heap, &nodes[i]);
        else
            heap_insert(&heap, &nodes[i], lowest + (uint64_t)rand_r(&seed) % 100);
        in[i] = !in[i];

        int first = -1;
        for (int n = 0; n < NR_NODES; n++) {
            if (!in[n])
                continue;
            if (first < 0 || nodes[n].key - lowest < nodes[first].key - lowest ||
                (nodes[n].key == nodes[first].key && arrival[n] < arrival[first]))
                first = n;
        }
        assert_ptr_equal(heap_first(&heap), first < 0 ? NULL : &nodes[first]);
    }
}

static void test_first_is_the_smallest_whatever_came_and_went(void **state)
{
    (void)state;
    come_and_go(0);
}

static void test_keys_that_wrap_are_ordered_from_the_origin(void **state)
{
    (void)state;
    come_and_go(UINT64_MAX - 50);
    come_and_go(UINT64_C(1) << 63);
}

/* As virtual time does: every key that comes in is a little above the one that went out, and the
 * origin stays half the line behind. */
static void test_the_origin_moves_with_the_keys(void **state)
{
    const uint64_t step = UINT64_C(1) << 58;
    struct heap heap = {0};
    struct heap_node nodes[20];
    uint64_t last = 0;
    unsigned seed = 5;

    (void)state;
    for (int i = 0; i < 20; i++)
        heap_insert(&heap, &nodes[i], (uint64_t)rand_r(&seed) % step);
    for (int i = 0; i < 20000; i++) { /* several times round */
        struct heap_node *first = heap_pop(&heap);
        if (i > 0)
            assert_true(first->key - last < step);
        last = first->key;
        heap.origin = last - (UINT64_C(1) << 63);
        heap_insert(&heap, first, last + (uint64_t)rand_r(&seed) * (step >> 31));
    }
}

static void test_orders_of_the_caller_decide_among_equal_keys(void **state)
{
    struct heap heap = {0}, other = {0};
    struct heap_node nodes[NR_NODES];

    (void)state;
    for (uint64_t i = 0; i < NR_NODES; i++)
        heap_insert_ordered(i % 3 == 0 ? &other : &heap, &nodes[i], 5, i * 7 % NR_NODES);
    while (heap_first(&other) != NULL) {
        struct heap_node *node = heap_pop(&other);
        heap_insert_ordered(&heap, node, node->key, node->order);
    }
    for (uint64_t i = 0; i < NR_NODES; i++)
        assert_int_equal(heap_pop(&heap)->order, i);
    assert_null(heap_pop(&heap));
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
        cmocka_unit_test(test_keys_that_wrap_are_ordered_from_the_origin),
        cmocka_unit_test(test_the_origin_moves_with_the_keys),
        cmocka_unit_test(test_orders_of_the_caller_decide_among_equal_keys),
        cmocka_unit_test(test_a_million_nodes_need_no_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
