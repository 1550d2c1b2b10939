/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "faults/fault_walk.h"
#include "splitdom/xen/xs_wire.h"
#include "xenstore/tree/xs_watcher.h"

static const struct xs_actor dom0 = {.domid = 0, .privileged = true};

static struct xs_watch_index watches;
static struct xs_watcher watcher;
static int posted;

static void count_posted(void *ctx)
{
    (void)ctx;
    posted++;
}

static int setup(void **state)
{
    (void)state;
    posted = 0;
    xs_watch_index_init(&watches, 1);
    xs_watcher_init(&watcher, &watches, &dom0, 1024, count_posted, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    xs_watcher_clear(&watcher);
    assert_int_equal(watches.by_path.count, 0);
    xs_watch_index_clear(&watches);
    return 0;
}

static void add(const char *path, const char *token, uint32_t depth)
{
    assert_int_equal(xs_watcher_add(&watcher, path, 0, token, depth), 0);
}

static void fire(const char *path, enum xs_match match)
{
    xs_watch_index_fire(&watches, path, match, NULL, 0);
}

/* The next messages are these, "path token" each, and no others; NULL ends the list. */
static void expect(const char *const *expected)
{
    struct xs_watch_message message;
    for (; *expected != NULL; expected++) {
        char text[128];
        assert_true(xs_watcher_next(&watcher, &message));
        xs_events_put(&watcher.events, 1);
        snprintf(text, sizeof(text), "%s %s", message.path, message.token);
        assert_string_equal(text, *expected);
    }
    assert_false(xs_watcher_next(&watcher, &message));
    xs_events_sent(&watcher.events, 1);
    assert_int_equal(watcher.events.count, 0);
}
#define EXPECT(...)   expect((const char *const[]){__VA_ARGS__, NULL})
#define EXPECT_NONE() expect((const char *const[]){NULL})

static void test_whoever_adds_is_told_of_the_first_event(void **state)
{
    (void)state;
    add("/a", "t", XS_WATCH_DEPTH_ANY);
    assert_int_equal(posted, 1);
    EXPECT("/a t");
    fire("/a", XS_MATCH_SUBTREE);
    assert_int_equal(posted, 2);
    EXPECT("/a t");
}

static void test_order_of_registration(void **state)
{
    (void)state;
    add("/w/d/e", "one", XS_WATCH_DEPTH_ANY);
    add("/", "two", XS_WATCH_DEPTH_ANY);
    add("/w", "three", XS_WATCH_DEPTH_ANY);
    add("/w/d/e", "four", XS_WATCH_DEPTH_ANY);
    EXPECT("/w/d/e one", "/ two", "/w three", "/w/d/e four");
    fire("/w/d/e", XS_MATCH_SUBTREE);
    EXPECT("/w/d/e one", "/w/d/e two", "/w/d/e three", "/w/d/e four");
}

static void test_which_watches_are_meant(void **state)
{
    (void)state;
    add("/w", "any", XS_WATCH_DEPTH_ANY);
    add("/w", "0", 0);
    add("/w", "1", 1);
    EXPECT("/w any", "/w 0", "/w 1");
    fire("/w", XS_MATCH_SUBTREE);
    EXPECT("/w any", "/w 0", "/w 1");
    fire("/w/a", XS_MATCH_SUBTREE);
    EXPECT("/w/a any", "/w/a 1");
    fire("/w/a/b", XS_MATCH_SUBTREE);
    EXPECT("/w/a/b any");
    fire("/w", XS_MATCH_EXACT);
    EXPECT("/w any", "/w 0", "/w 1");
    fire("/w/a", XS_MATCH_EXACT);
    fire("/wx", XS_MATCH_SUBTREE);
    EXPECT_NONE();
}

static void test_special_paths(void **state)
{
    (void)state;
    add("@r", "plain", XS_WATCH_DEPTH_ANY);
    add("@r", "0", 0);
    add("@r", "1", 1);
    add("@r/5", "five", XS_WATCH_DEPTH_ANY);
    EXPECT("@r plain", "@r 0", "@r 1", "@r/5 five");
    fire("@r", XS_MATCH_NO_DEPTH);
    EXPECT("@r plain");
    fire("@r/5", XS_MATCH_GIVEN_DEPTH);
    EXPECT("@r/5 1", "@r/5 five");
    fire("@r/6", XS_MATCH_GIVEN_DEPTH);
    EXPECT("@r/6 1");
}

/* The cost of a change: one event and one call, however many watches it concerns. */
static void test_ten_thousand_watches_are_one_event(void **state)
{
    (void)state;
    char token[16];
    for (int i = 0; i < 10000; i++) {
        snprintf(token, sizeof(token), "%d", i);
        add(i % 2 == 0 ? "/w" : "/w/a", token, XS_WATCH_DEPTH_ANY);
    }
    assert_int_equal(watches.by_path.count, 2);
    struct xs_watch_message message;
    while (xs_watcher_next(&watcher, &message))
        xs_events_put(&watcher.events, 1);
    xs_events_sent(&watcher.events, 1);
    posted = 0;
    fire("/w/a/b", XS_MATCH_SUBTREE);
    fire("/w/a/b", XS_MATCH_SUBTREE);
    assert_int_equal(watcher.events.count, 1);
    assert_int_equal(posted, 2);
    for (int i = 0; i < 10000; i++) {
        assert_true(xs_watcher_next(&watcher, &message));
        xs_events_put(&watcher.events, 1);
        snprintf(token, sizeof(token), "%d", i);
        assert_string_equal(message.token, token);
    }
    EXPECT_NONE();
}

static void test_watches_that_come_and_go_meanwhile(void **state)
{
    (void)state;
    struct xs_watch_message message;
    add("/w", "one", XS_WATCH_DEPTH_ANY);
    add("/w", "two", XS_WATCH_DEPTH_ANY);
    add("/w", "three", XS_WATCH_DEPTH_ANY);
    EXPECT("/w one", "/w two", "/w three");
    fire("/w/a", XS_MATCH_SUBTREE);
    assert_true(xs_watcher_next(&watcher, &message));
    xs_events_put(&watcher.events, 1);
    assert_string_equal(message.token, "one");
    assert_int_equal(xs_watcher_remove(&watcher, "/w", "one"), 0); /* told already */
    assert_int_equal(xs_watcher_remove(&watcher, "/w", "two"), 0); /* would be next */
    add("/w", "late", XS_WATCH_DEPTH_ANY);
    EXPECT("/w/a three", "/w late");
    fire("/w/a", XS_MATCH_SUBTREE);
    assert_int_equal(xs_watcher_remove(&watcher, "/w", "three"), 0);
    assert_int_equal(xs_watcher_remove(&watcher, "/w", "late"), 0);
    assert_int_equal(xs_watcher_remove(&watcher, "/w", "late"), -ENOENT);
    EXPECT_NONE(); /* nobody is left to be told */
    assert_int_equal(watches.by_path.count, 0);
}

static void test_too_many_events_are_one_for_each_watch(void **state)
{
    (void)state;
    char path[16];
    add("/w", "one", XS_WATCH_DEPTH_ANY);
    add("/x", "two", XS_WATCH_DEPTH_ANY);
    EXPECT("/w one", "/x two");
    for (int i = 0; i < 1025; i++) {
        snprintf(path, sizeof(path), "/w/%d", i);
        fire(path, XS_MATCH_SUBTREE);
    }
    struct xs_watch_message message;
    for (int i = 0; i < 1024; i++) {
        assert_true(xs_watcher_next(&watcher, &message));
        xs_events_put(&watcher.events, 1);
        assert_memory_equal(message.path, "/w/", 3);
    }
    EXPECT("/w one", "/x two");
}

static void test_relative_and_oversize_paths(void **state)
{
    (void)state;
    char token[3001], path[2000];
    struct xs_watch_message message;
    assert_int_equal(xs_watcher_add(&watcher, "/here/a", 6, "rel", XS_WATCH_DEPTH_ANY), 0);
    assert_int_equal(xs_watcher_add(&watcher, "/here/a", 6, "rel", 1), -EEXIST);
    EXPECT("a rel");
    fire("/here/a/b", XS_MATCH_SUBTREE);
    EXPECT("a/b rel");
    fire("/here/a/b", XS_MATCH_SUBTREE);
    xs_watcher_reset(&watcher);
    assert_int_equal(watcher.events.count, 0); /* of watches that are gone */
    memset(token, 't', sizeof(token) - 1);
    token[sizeof(token) - 1] = '\0';
    memset(path, 'p', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    memcpy(path, "/w/", 3);
    add("/w", token, XS_WATCH_DEPTH_ANY);
    fire(path, XS_MATCH_SUBTREE);
    for (int i = 0; i < 2; i++) { /* the first event, and one that would not fit a message */
        assert_true(xs_watcher_next(&watcher, &message));
        xs_events_put(&watcher.events, 1);
        assert_string_equal(message.path, "/w");
    }
    EXPECT_NONE();
}

static void test_a_watch_is_there_until_it_is_removed(void **state)
{
    (void)state;
    add("/a", "t", 0);
    assert_true(xs_watcher_has(&watcher, "/a", "t"));
    assert_false(xs_watcher_has(&watcher, "/a", "other"));
    assert_false(xs_watcher_has(&watcher, "/other", "t"));
    assert_int_equal(xs_watcher_remove(&watcher, "/a", "t"), 0);
    assert_false(xs_watcher_has(&watcher, "/a", "t"));
}

/* Adds a watch on a path of its own, and one on that same path. */
static int watch_twice(void *arg)
{
    (void)arg;
    int rc = xs_watcher_add(&watcher, "/f", 0, "1", 0);
    if (rc < 0)
        return rc;
    rc = xs_watcher_add(&watcher, "/f", 0, "2", 0);
    assert_int_equal(xs_watcher_remove(&watcher, "/f", "1"), 0);
    assert_int_equal(xs_watcher_remove(&watcher, "/f", "2"), rc < 0 ? -ENOENT : 0);
    assert_int_equal(watcher.count, 0);
    return rc;
}

static void test_without_memory_no_watch_is_set(void **state)
{
    (void)state;
    assert_true(fault_walk(watch_twice, NULL) >= 3);
}

/* All watches are told, and the one that was told last goes meanwhile. */
static void test_the_next_watch_is_told_when_one_goes(void **state)
{
    (void)state;
    char path[16];
    add("/w", "one", XS_WATCH_DEPTH_ANY);
    add("/x", "two", XS_WATCH_DEPTH_ANY);
    add("/y", "three", XS_WATCH_DEPTH_ANY);
    EXPECT("/w one", "/x two", "/y three");
    for (int i = 0; i < 1025; i++) {
        snprintf(path, sizeof(path), "/w/%d", i);
        fire(path, XS_MATCH_SUBTREE);
    }
    struct xs_watch_message message;
    for (int i = 0; i < 1025; i++) {
        assert_true(xs_watcher_next(&watcher, &message));
        xs_events_put(&watcher.events, 1);
        assert_string_equal(message.token, "one");
    }
    assert_int_equal(xs_watcher_remove(&watcher, "/w", "one"), 0);
    EXPECT("/x two", "/y three");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whoever_adds_is_told_of_the_first_event, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_order_of_registration, setup, teardown),
        cmocka_unit_test_setup_teardown(test_which_watches_are_meant, setup, teardown),
        cmocka_unit_test_setup_teardown(test_special_paths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ten_thousand_watches_are_one_event, setup, teardown),
        cmocka_unit_test_setup_teardown(test_watches_that_come_and_go_meanwhile, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_many_events_are_one_for_each_watch, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_relative_and_oversize_paths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_watch_is_there_until_it_is_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_memory_no_watch_is_set, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_next_watch_is_told_when_one_goes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
