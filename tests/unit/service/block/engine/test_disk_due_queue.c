/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/block/engine/disk_due_queue.h"

#define CAPACITY 200u

static int setup(void **state)
{
    struct disk_due_queue *queue = calloc(1, sizeof(*queue));

    *state = queue;
    return queue ? disk_due_queue_open(queue, CAPACITY) : -1;
}

static int teardown(void **state)
{
    disk_due_queue_close(*state);
    free(*state);
    return 0;
}

static void an_empty_queue_has_nothing(void **state)
{
    assert_null(disk_due_queue_first(*state));
    assert_null(disk_due_queue_pop(*state));
    assert_null(disk_due_queue_pop(*state));
}

static void equal_times_keep_their_order(void **state)
{
    struct disk_io ios[CAPACITY];

    memset(ios, 0, sizeof(ios));
    for (uint32_t i = 0; i < CAPACITY; i++) {
        ios[i].due_ns = i % 2 ? 5 : 4;
        assert_true(disk_due_queue_push(*state, &ios[i]));
    }
    for (uint32_t i = 0; i < CAPACITY; i += 2)
        assert_ptr_equal(disk_due_queue_pop(*state), &ios[i]);
    for (uint32_t i = 1; i < CAPACITY; i += 2)
        assert_ptr_equal(disk_due_queue_pop(*state), &ios[i]);
}

static void a_full_queue_refuses(void **state)
{
    struct disk_io ios[CAPACITY + 1];

    memset(ios, 0, sizeof(ios));
    for (uint32_t i = 0; i < CAPACITY; i++)
        assert_true(disk_due_queue_push(*state, &ios[i]));
    assert_false(disk_due_queue_push(*state, &ios[CAPACITY]));
    assert_ptr_equal(disk_due_queue_pop(*state), &ios[0]);
    assert_true(disk_due_queue_push(*state, &ios[CAPACITY]));
}

/* The earliest of those that are in, by looking at all of them. */
static uint32_t naive_first(const struct disk_io *ios, const uint64_t *arrival, uint32_t count)
{
    uint32_t first = count;

    for (uint32_t i = 0; i < count; i++) {
        if (arrival[i] == 0)
            continue;
        if (first == count || ios[i].due_ns < ios[first].due_ns ||
            (ios[i].due_ns == ios[first].due_ns && arrival[i] < arrival[first]))
            first = i;
    }
    return first;
}

static void agrees_with_a_naive_queue_over_a_random_trace(void **state)
{
    struct disk_io ios[CAPACITY];
    uint64_t arrival[CAPACITY] = {0}; /* 0: not in */
    uint32_t x = 1, in = 0;

    memset(ios, 0, sizeof(ios));
    for (uint64_t step = 1; step <= 20000; step++) {
        uint32_t slot;

        x = x * 1664525u + 1013904223u;
        slot = (x >> 8) % CAPACITY;
        if (arrival[slot] == 0 && (x >> 28) < (step / 2000 % 2 ? 6u : 12u)) {
            ios[slot].due_ns = (x >> 16) % 50;
            arrival[slot] = step;
            assert_true(disk_due_queue_push(*state, &ios[slot]));
            in++;
        } else if (in > 0) {
            uint32_t first = naive_first(ios, arrival, CAPACITY);

            assert_ptr_equal(disk_due_queue_first(*state), &ios[first]);
            assert_ptr_equal(disk_due_queue_pop(*state), &ios[first]);
            arrival[first] = 0;
            in--;
        }
    }
}

#define WITH_QUEUE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_QUEUE(an_empty_queue_has_nothing),
        WITH_QUEUE(equal_times_keep_their_order),
        WITH_QUEUE(a_full_queue_refuses),
        WITH_QUEUE(agrees_with_a_naive_queue_over_a_random_trace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
