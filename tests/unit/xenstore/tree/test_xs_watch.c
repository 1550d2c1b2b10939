/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "fakes/xs_three.h"
#include "xenstore/tree/xs_watch.h"

static void watch(struct xs_peer *peer, const char *path, const char *token)
{
    char payload[256];
    int len = snprintf(payload, sizeof(payload), "%s%c%s", path, '\0', token);
    xs_peer_call(peer, XS_WATCH, 0, payload, (size_t)len + 1);
    xs_peer_expect_ok(peer, XS_WATCH);
    xs_peer_expect_event(peer, path, token);
}

static void test_fires_at_once_and_below(void **state)
{
    struct xs_three *f = *state;
    watch(&f->dom0, "/w", "t");
    xs_peer_write(&f->dom0, 0, "/w/a/b", "");
    xs_peer_expect_event(&f->dom0, "/w/a/b", "t");
    xs_peer_write(&f->dom0, 0, "/wx", "");
    xs_peer_expect_silence(&f->dom0);
    watch(&f->dom0, "/", "root");
    xs_peer_write(&f->dom0, 0, "/x", "");
    xs_peer_expect_event(&f->dom0, "/x", "root");
}

static void test_relative_watch_sees_relative_paths(void **state)
{
    struct xs_three *f = *state;
    watch(&f->one, "device", "t");
    xs_peer_write(&f->dom0, 0, "/local/domain/1/device/vbd", "");
    xs_peer_expect_event(&f->one, "device/vbd", "t");
    watch(&f->one, "/local/domain/1/device", "abs");
    xs_peer_ask(&f->dom0, XS_RM, 0, "/local/domain/1/device/vbd");
    xs_peer_run(f->server);
    int seen = 0;
    while (xs_peer_take(&f->one))
        seen |= strcmp(f->one.payload, "device/vbd") == 0 ? 1 : 2;
    assert_int_equal(seen, 3);
}

static void test_duplicates_and_unwatch(void **state)
{
    struct xs_three *f = *state;
    watch(&f->one, "a", "t");
    xs_peer_ask(&f->one, XS_WATCH, 0, "a\0t");
    xs_peer_expect_error(&f->one, "EEXIST");
    watch(&f->one, "a", "t2");
    xs_peer_ask(&f->one, XS_UNWATCH, 0, "a\0t2");
    xs_peer_expect_ok(&f->one, XS_UNWATCH);
    xs_peer_ask(&f->one, XS_UNWATCH, 0, "a\0t2");
    xs_peer_expect_error(&f->one, "ENOENT");
    xs_peer_ask(&f->one, XS_RESET_WATCHES, 0, "");
    xs_peer_write(&f->one, 0, "a", "");
    xs_peer_expect_silence(&f->one);
}

/* What was under way for a watch that is gone does not swallow the events of a new one. */
static void test_watch_again_with_events_under_way(void **state)
{
    struct xs_three *f = *state;
    const void *bytes;
    for (int i = 0; i < 100; i++) {
        xs_peer_send(&f->one, XS_WATCH, 0, "a\0t", 4);
        xs_peer_send(&f->one, XS_UNWATCH, 0, "a\0t", 4);
        xs_peer_run(f->server);
    }
    assert_true(xs_conn_output(f->one.conn, &bytes) > 0);
    int events = 0;
    do
        while (xs_peer_take(&f->one))
            events += f->one.hdr.type == XS_WATCH_EVENT;
    while (xs_server_run(f->server, 1) || xs_conn_output(f->one.conn, &bytes) > 0);
    assert_int_equal(events, 100);
    watch(&f->one, "a", "t");
}

static void test_one_pending_event_per_path(void **state)
{
    struct xs_three *f = *state;
    watch(&f->dom0, "/w", "t");
    for (int i = 0; i < 10000; i++)
        xs_peer_write(&f->one, 0, "x", "");
    xs_peer_ask(&f->dom0, XS_MKDIR, 0, "/w");
    xs_peer_ask(&f->dom0, XS_SET_PERMS, 0, "/w\0b0");
    while (xs_peer_take(&f->dom0)) {
    }
    for (int i = 0; i < 10000; i++)
        xs_peer_write(&f->one, 0, i % 2 == 0 ? "/w/a" : "/w/b", "");
    xs_peer_run(f->server);
    xs_peer_expect_event(&f->dom0, "/w/a", "t");
    xs_peer_expect_event(&f->dom0, "/w/b", "t");
    xs_peer_expect_silence(&f->dom0);
}

static void test_removal_of_an_ancestor(void **state)
{
    struct xs_three *f = *state;
    xs_peer_write(&f->dom0, 0, "/a/b/c", "");
    watch(&f->dom0, "/a/b/c", "t");
    watch(&f->dom0, "/a/b/none", "none");
    xs_peer_ask(&f->dom0, XS_RM, 0, "/a");
    xs_peer_expect_event(&f->dom0, "/a/b/c", "t");
    xs_peer_expect_silence(&f->dom0);
}

/* What goes with a removed node is told of before the node itself, the deepest first. */
static void test_removal_from_below(void **state)
{
    struct xs_three *f = *state;
    xs_peer_write(&f->dom0, 0, "/a/c/d", "");
    xs_peer_write(&f->dom0, 0, "/a/b", "");
    watch(&f->dom0, "/a", "top");
    watch(&f->dom0, "/a/b", "b");
    watch(&f->dom0, "/a/c", "c");
    watch(&f->dom0, "/a/c/d", "d");
    xs_peer_ask(&f->dom0, XS_RM, 0, "/a");
    xs_peer_expect_event(&f->dom0, "/a/c/d", "d");
    xs_peer_expect_event(&f->dom0, "/a/c", "c");
    xs_peer_expect_event(&f->dom0, "/a/b", "b"); /* was created later */
    xs_peer_expect_event(&f->dom0, "/a", "top");
    xs_peer_expect_silence(&f->dom0);
}

static void test_depth(void **state)
{
    struct xs_three *f = *state;
    xs_peer_ask(&f->dom0, XS_WATCH, 0, "/w\0t\0001");
    xs_peer_expect_event(&f->dom0, "/w", "t");
    xs_peer_write(&f->dom0, 0, "/w/a", "");
    xs_peer_expect_event(&f->dom0, "/w/a", "t");
    xs_peer_write(&f->dom0, 0, "/w/a/b", "");
    xs_peer_expect_silence(&f->dom0);
    xs_peer_ask(&f->dom0, XS_WATCH, 0, "/w\0u\0-1");
    xs_peer_expect_error(&f->dom0, "EINVAL");
    xs_peer_ask(&f->dom0, XS_WATCH, 0, "/v\0u\0x"); /* what is no number is 0 */
    xs_peer_expect_event(&f->dom0, "/v", "u");
    xs_peer_write(&f->dom0, 0, "/v/a", "");
    xs_peer_expect_silence(&f->dom0);
    xs_peer_write(&f->dom0, 0, "/v", "");
    xs_peer_expect_event(&f->dom0, "/v", "u");
    xs_peer_ask(&f->dom0, XS_WATCH, 0, "/w\0u\0001\0002");
    xs_peer_expect_error(&f->dom0, "EINVAL");
}

static void test_secrets_are_kept(void **state)
{
    struct xs_three *f = *state;
    watch(&f->two, "/local/domain/1", "t");
    watch(&f->two, "/", "root");
    xs_peer_write(&f->one, 0, "secret", "");
    xs_peer_ask(&f->one, XS_RM, 0, "secret");
    xs_peer_expect_silence(&f->two);
    xs_peer_write(&f->one, 0, "open", "");
    xs_peer_ask(&f->one, XS_SET_PERMS, 0, "open\0n1\0r2");
    xs_peer_run(f->server);
    assert_true(xs_peer_take(&f->two) && xs_peer_take(&f->two));
    xs_peer_ask(&f->one, XS_SET_PERMS, 0, "open\0n1"); /* losing a right is an event, too */
    xs_peer_run(f->server);
    assert_true(xs_peer_take(&f->two) && xs_peer_take(&f->two));
    xs_peer_write(&f->one, 0, "open", "2");
    xs_peer_expect_silence(&f->two);
}

static void test_special_watches(void **state)
{
    struct xs_three *f = *state;
    watch(&f->dom0, "@introduceDomain", "i");
    watch(&f->dom0, "@releaseDomain", "r");
    watch(&f->dom0, "@nosuch", "n");
    watch(&f->one, "@introduceDomain", "i");
    watch(&f->one, "@releaseDomain", "r");
    watch(&f->one, "@nosuch", "n");
    assert_int_equal(xs_server_introduce(f->server, 3), 0);
    xs_peer_expect_event(&f->dom0, "@introduceDomain", "i");
    xs_server_release(f->server, 3);
    xs_peer_expect_event(&f->dom0, "@releaseDomain", "r");
    xs_peer_expect_silence(&f->dom0);
    xs_peer_expect_event(&f->one, "@releaseDomain", "r"); /* that one any domain may read */
    xs_peer_expect_silence(&f->one);
    assert_int_equal(xs_server_introduce(f->server, 3), 0); /* equal ones are not one */
    assert_int_equal(xs_server_introduce(f->server, 4), 0);
    xs_peer_expect_event(&f->dom0, "@introduceDomain", "i");
    xs_peer_expect_event(&f->dom0, "@introduceDomain", "i");
    xs_peer_expect_silence(&f->dom0);
}

static void test_special_watches_with_a_domain(void **state)
{
    struct xs_three *f = *state;
    xs_peer_ask(&f->dom0, XS_WATCH, 0, "@releaseDomain\0one\0001");
    xs_peer_expect_event(&f->dom0, "@releaseDomain", "one");
    xs_peer_ask(&f->dom0, XS_WATCH, 0, "@releaseDomain\0none\0000");
    xs_peer_expect_event(&f->dom0, "@releaseDomain", "none");
    watch(&f->dom0, "@releaseDomain/4", "four");
    watch(&f->two, "@releaseDomain/4", "four");
    assert_int_equal(xs_server_introduce(f->server, 3), 0);
    assert_int_equal(xs_server_introduce(f->server, 4), 0);
    xs_server_release(f->server, 3);
    xs_server_release(f->server, 4);
    xs_peer_expect_event(&f->dom0, "@releaseDomain/3", "one");
    xs_peer_expect_event(&f->dom0, "@releaseDomain/4", "one");
    xs_peer_expect_event(&f->dom0, "@releaseDomain/4", "four");
    xs_peer_expect_silence(&f->dom0);
    xs_peer_expect_event(&f->two, "@releaseDomain/4", "four");
    xs_peer_expect_silence(&f->two);
}

static void test_special_permissions(void **state)
{
    struct xs_three *f = *state;
    xs_peer_ask(&f->dom0, XS_GET_PERMS, 0, "@introduceDomain");
    assert_memory_equal(f->dom0.payload, "n0", 3);
    xs_peer_ask(&f->one, XS_GET_PERMS, 0, "@releaseDomain");
    assert_int_equal(f->one.hdr.len, 10);
    assert_memory_equal(f->one.payload, "n0\0r32757", 10);
    xs_peer_ask(&f->one, XS_GET_PERMS, 0, "@introduceDomain");
    xs_peer_expect_error(&f->one, "EACCES");
    xs_peer_ask(&f->one, XS_SET_PERMS, 0, "@releaseDomain\0n1");
    xs_peer_expect_error(&f->one, "EACCES");
    xs_peer_ask(&f->dom0, XS_GET_PERMS, 0, "@nosuch");
    xs_peer_expect_error(&f->dom0, "EINVAL");
    xs_peer_ask(&f->dom0, XS_SET_PERMS, 0, "@nosuch\0n0");
    xs_peer_expect_error(&f->dom0, "ENOENT");
    xs_peer_ask(&f->dom0, XS_SET_PERMS, 0, "@introduceDomain\0n0\0r1");
    xs_peer_expect_ok(&f->dom0, XS_SET_PERMS);
    xs_peer_ask(&f->dom0, XS_SET_PERMS, 0, "@releaseDomain\0n0");
    xs_peer_expect_ok(&f->dom0, XS_SET_PERMS);
    watch(&f->one, "@introduceDomain", "i");
    watch(&f->one, "@releaseDomain", "r");
    assert_int_equal(xs_server_introduce(f->server, 3), 0);
    xs_peer_expect_event(&f->one, "@introduceDomain", "i");
    xs_server_release(f->server, 3);
    xs_peer_expect_silence(&f->one);
}

/* A token may be as long as a request allows; an event that is longer tells of the watched path. */
static void test_long_tokens(void **state)
{
    struct xs_three *f = *state;
    char payload[XENSTORE_PAYLOAD_MAX];
    memset(payload, 't', sizeof(payload));
    memcpy(payload, "/w", 3);
    payload[sizeof(payload) - 1] = '\0';
    xs_peer_call(&f->dom0, XS_WATCH, 0, payload, sizeof(payload));
    xs_peer_expect_ok(&f->dom0, XS_WATCH);
    xs_peer_expect_event(&f->dom0, "/w", payload + 3);
    xs_peer_write(&f->dom0, 0, "/w/a", "");
    xs_peer_expect_event(&f->dom0, "/w", payload + 3);
    xs_peer_call(&f->dom0, XS_UNWATCH, 0, payload, sizeof(payload));
    xs_peer_expect_ok(&f->dom0, XS_UNWATCH);
}

/* Watches are no part of a transaction: its number is ignored, whether there is such a one or not.
 */
static void test_numbers_of_transactions_are_ignored(void **state)
{
    struct xs_three *f = *state;
    xs_peer_ask(&f->dom0, XS_WATCH, 4711, "/w\0t");
    xs_peer_expect_ok(&f->dom0, XS_WATCH);
    xs_peer_expect_event(&f->dom0, "/w", "t");
    uint32_t tx = xs_peer_begin(&f->dom0);
    xs_peer_ask(&f->dom0, XS_UNWATCH, tx, "/w\0t");
    xs_peer_expect_ok(&f->dom0, XS_UNWATCH);
    xs_peer_ask(&f->dom0, XS_RESET_WATCHES, 4711, "");
    xs_peer_expect_error(&f->dom0, "ENOENT");
}

/* More different paths than may wait: the watched path stands for what does not fit. */
static void test_overflow_falls_back_to_the_watched_path(void **state)
{
    struct xs_three *f = *state;
    char path[32];
    watch(&f->two, "/flood", "t");
    for (int i = 0; i < 1500; i++) {
        snprintf(path, sizeof(path), "/flood/%d", i);
        xs_peer_write(&f->dom0, 0, path, "");
        if (i == 0)
            xs_peer_ask(&f->dom0, XS_SET_PERMS, 0, "/flood\0r0");
    }
    int events = 0, watched = 0;
    xs_peer_run(f->server);
    while (xs_peer_take(&f->two)) {
        events++;
        watched += strcmp(f->two.payload, "/flood") == 0;
        xs_peer_run(f->server);
    }
    assert_in_range(events, 1000, 1026);
    assert_int_equal(watched >= 1, 1);
}

static void note(struct xs_watch *watch, const char *path, enum xs_match match)
{
    (void)path;
    (void)match;
    watch->depth_max++;
}

/* What is told to nobody costs nothing, and does not count. */
static void test_firings_are_counted_where_there_are_watches(void **state)
{
    (void)state;
    const struct xs_actor dom0 = {.privileged = true};
    struct xs_watch_index index;
    struct xs_watch watch = {.path = "/a", .any_depth = true, .actor = &dom0, .fire = note};
    xs_watch_index_init(&index, 5);
    xs_watch_index_fire(&index, "/a", XS_MATCH_SUBTREE, NULL, 0);
    assert_int_equal(index.firings, 0);
    xs_watch_index_add(&index, &watch);
    xs_watch_index_fire(&index, "/a/b", XS_MATCH_SUBTREE, NULL, 0);
    xs_watch_index_fire(&index, "/b", XS_MATCH_SUBTREE, NULL, 0);
    xs_watch_index_fire(&index, "/a", XS_MATCH_EXACT, NULL, 0);
    assert_int_equal(index.firings, 3);
    assert_int_equal(watch.depth_max, 2);
    xs_watch_index_remove(&index, &watch);
    xs_watch_index_fire(&index, "/a", XS_MATCH_EXACT, NULL, 0);
    assert_int_equal(watch.depth_max, 2);
    xs_watch_index_clear(&index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fires_at_once_and_below, xs_three_setup,
                                        xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_relative_watch_sees_relative_paths, xs_three_setup,
                                        xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_duplicates_and_unwatch, xs_three_setup,
                                        xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_watch_again_with_events_under_way, xs_three_setup,
                                        xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_one_pending_event_per_path, xs_three_setup,
                                        xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_removal_of_an_ancestor, xs_three_setup,
                                        xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_removal_from_below, xs_three_setup, xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_depth, xs_three_setup, xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_secrets_are_kept, xs_three_setup, xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_special_watches, xs_three_setup, xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_special_watches_with_a_domain, xs_three_setup,
                                        xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_special_permissions, xs_three_setup,
                                        xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_long_tokens, xs_three_setup, xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_numbers_of_transactions_are_ignored, xs_three_setup,
                                        xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_overflow_falls_back_to_the_watched_path,
                                        xs_three_setup, xs_three_teardown),
        cmocka_unit_test(test_firings_are_counted_where_there_are_watches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
