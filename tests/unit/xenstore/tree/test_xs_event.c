/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "xenstore/tree/xs_event.h"

enum { EVENTS_MAX = 3 };

static struct xs_event_queue queue;

static int setup(void **state)
{
    (void)state;
    xs_events_init(&queue, EVENTS_MAX, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    xs_events_clear(&queue);
    assert_int_equal(queue.count, 0);
    assert_null(queue.next_out);
    return 0;
}

static void post(const char *path)
{
    xs_events_post(&queue, path, XS_MATCH_SUBTREE, 1);
}

static void expect_next(const char *path)
{
    assert_non_null(queue.next_out);
    assert_string_equal(queue.next_out->path, path);
}

/* Puts all of the next event out, one message of it, which ends there. */
static void put_out(uint64_t end)
{
    xs_events_put(&queue, end);
    xs_events_done(&queue);
}

static void test_in_order(void **state)
{
    (void)state;
    post("/b");
    post("/a");
    expect_next("/b");
    put_out(1);
    expect_next("/a");
    put_out(2);
    assert_null(queue.next_out);
    xs_events_sent(&queue, 2);
    assert_true(list_is_empty(&queue.all_queued));
}

static void test_equal_until_the_first_message_is_sent(void **state)
{
    (void)state;
    post("/a");
    post("/a");
    assert_int_equal(queue.count, 1);
    put_out(10);
    post("/a");
    xs_events_sent(&queue, 9);
    post("/a");
    assert_int_equal(queue.count, 1);
    assert_null(queue.next_out);
    xs_events_sent(&queue, 10);
    assert_int_equal(queue.count, 0);
    post("/a");
    assert_int_equal(queue.count, 1);
}

/* Half put out, and the first message has been read: whoever read it must be told again. */
static void test_not_equal_once_begun_and_sent(void **state)
{
    (void)state;
    post("/a");
    xs_events_put(&queue, 10);
    post("/a");
    assert_int_equal(queue.count, 1);
    xs_events_sent(&queue, 10);
    post("/a");
    assert_int_equal(queue.count, 2);
    xs_events_done(&queue);
    assert_int_equal(queue.count, 1);
    expect_next("/a");
}

static void test_what_makes_events_different(void **state)
{
    (void)state;
    post("/a");
    xs_events_post(&queue, "/a", XS_MATCH_EXACT, 1);
    assert_int_equal(queue.count, 2);
    xs_events_post(&queue, "/a", XS_MATCH_EXACT, 2); /* a watch more */
    assert_int_equal(queue.count, 3);
    xs_events_post(&queue, "/a", XS_MATCH_EXACT, 2);
    assert_int_equal(queue.count, 3);
    xs_events_drop(&queue);
    xs_events_post(&queue, "@releaseDomain", XS_MATCH_NO_DEPTH, 1);
    xs_events_post(&queue, "@releaseDomain", XS_MATCH_NO_DEPTH, 1);
    assert_int_equal(queue.count, 2);
}

static void test_one_for_all_when_full(void **state)
{
    (void)state;
    const char *path[] = {"/1", "/2", "/3", "/4", "/5"};
    for (int i = 0; i < 5; i++)
        post(path[i]);
    assert_int_equal(queue.count, EVENTS_MAX + 1);
    for (int i = 0; i < 3; i++) {
        expect_next(path[i]);
        put_out((uint64_t)i + 1);
    }
    assert_int_equal(queue.next_out->kind, XS_EVENT_ALL);
    queue.next_out->from = 1; /* half put out */
    uint64_t id = queue.next_out->id;
    xs_events_post(&queue, "/6", XS_MATCH_SUBTREE, 5);
    assert_int_equal(queue.next_out->from, 0); /* starts again */
    assert_int_equal(queue.next_out->to, 5);   /* and goes to the watches of now */
    assert_int_not_equal(queue.next_out->id, id);
    put_out(4);
    xs_events_sent(&queue, 4);
    assert_int_equal(queue.count, 0);
    post("/7"); /* room again */
    expect_next("/7");
}

static void test_the_first_event_of_a_watch(void **state)
{
    (void)state;
    struct xs_event first = {0};
    xs_events_forget_first(&queue, &first); /* not queued */
    post("/a");
    xs_events_post_first(&queue, &first, "/w");
    post("/b");
    xs_events_forget_first(&queue, &first);
    expect_next("/a");
    put_out(1);
    expect_next("/b");
    xs_events_post_first(&queue, &first, "/w");
    put_out(2);
    expect_next("/w");
    put_out(3);
    assert_false(list_is_linked(&first.queued));
    xs_events_sent(&queue, 3);
    assert_int_equal(queue.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_equal_until_the_first_message_is_sent, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_not_equal_once_begun_and_sent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_makes_events_different, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_for_all_when_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_first_event_of_a_watch, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
