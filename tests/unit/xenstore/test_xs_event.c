/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "xenstore/xs_event.h"

struct fixture {
    struct xs_event_queue queue;
    struct xs_event_source a, b;
};

static struct fixture fixture;

static int setup(void **state)
{
    struct fixture *f = *state = &fixture;
    xs_events_init(&f->queue, 2);
    f->a = (struct xs_event_source){.path = "/a", .token = "ta"};
    f->b = (struct xs_event_source){.path = "/b", .token = "tb"};
    assert_int_equal(xs_event_source_init(&f->a), 0);
    assert_int_equal(xs_event_source_init(&f->b), 0);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    xs_events_clear(&f->queue);
    assert_int_equal(f->queue.count, 0);
    xs_event_source_clear(&f->a);
    xs_event_source_clear(&f->b);
    return 0;
}

static void test_equal_until_sent(void **state)
{
    struct fixture *f = *state;
    xs_events_post(&f->queue, &f->a, "/a/1");
    xs_events_post(&f->queue, &f->a, "/a/1");
    xs_events_post(&f->queue, &f->b, "/a/1"); /* another watch */
    assert_int_equal(f->queue.count, 2);
    xs_events_moved(&f->queue, 10);
    assert_ptr_equal(f->queue.next_out->source, &f->b);
    xs_events_sent(&f->queue, 9);
    xs_events_post(&f->queue, &f->a, "/a/1");
    assert_int_equal(f->queue.count, 2);
    xs_events_sent(&f->queue, 10);
    assert_int_equal(f->queue.count, 1);
    xs_events_post(&f->queue, &f->a, "/a/1");
    assert_int_equal(f->queue.count, 2);
}

static void test_reserve_when_full(void **state)
{
    struct fixture *f = *state;
    xs_events_post(&f->queue, &f->a, "/a/1");
    xs_events_post(&f->queue, &f->a, "/a/2");
    xs_events_post(&f->queue, &f->a, "/a/3");
    xs_events_post(&f->queue, &f->a, "/a/4");
    xs_events_post(&f->queue, &f->b, "/b/1");
    assert_int_equal(f->queue.count, 4);
    for (uint64_t end = 1; end <= 2; end++)
        xs_events_moved(&f->queue, end);
    assert_string_equal(f->queue.next_out->path, "/a"); /* for 3 and 4 */
    xs_events_moved(&f->queue, 3);
    assert_string_equal(f->queue.next_out->path, "/b");
    xs_events_moved(&f->queue, 4);
    xs_events_sent(&f->queue, 4);
    assert_int_equal(f->queue.count, 0);
    assert_null(f->queue.next_out);
    xs_events_post(&f->queue, &f->a, "/a/5"); /* room again */
    assert_string_equal(f->queue.next_out->path, "/a/5");
}

static void test_a_source_is_forgotten(void **state)
{
    struct fixture *f = *state;
    xs_events_post(&f->queue, &f->a, "/a/1");
    xs_events_post(&f->queue, &f->b, "/b/1");
    xs_events_post(&f->queue, &f->a, "/a/2"); /* in reserve */
    xs_events_moved(&f->queue, 5);
    xs_events_forget(&f->queue, &f->a);
    assert_int_equal(f->queue.count, 1);
    assert_ptr_equal(f->queue.next_out->source, &f->b);
    xs_events_sent(&f->queue, 5);
    assert_int_equal(f->queue.count, 1);
    xs_events_forget(&f->queue, &f->b);
    assert_null(f->queue.first);
    assert_null(f->queue.next_out);
    xs_events_post(&f->queue, &f->b, "/b/2"); /* the end of the list is in order */
    assert_ptr_equal(f->queue.first, f->queue.next_out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_equal_until_sent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reserve_when_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_source_is_forgotten, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
