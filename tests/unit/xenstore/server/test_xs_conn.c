/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "fakes/xs_three.h"
#include "faults/fault_walk.h"
#include "xenstore/server/xs_server_private.h"

static struct xs_server *server;

struct calls {
    int output_ready, work_ready;
};

static void output_ready(void *ctx)
{
    struct calls *calls = ctx;
    calls->output_ready++;
}

static void work_ready(void *ctx)
{
    struct calls *calls = ctx;
    calls->work_ready++;
}

static const struct xs_conn_ops ops = {output_ready, work_ready};

static int setup(void **state)
{
    (void)state;
    return xs_server_create(NULL, &server);
}

static int teardown(void **state)
{
    (void)state;
    xs_server_destroy(server);
    return 0;
}

static void test_frames_in_pieces(void **state)
{
    (void)state;
    struct calls calls = {0};
    struct xs_peer peer = {.server = server};
    assert_int_equal(xs_conn_open(server, 0, true, &ops, &calls, &peer.conn), 0);
    char message[64];
    struct xsd_sockmsg hdr = {XS_WRITE, 9, 0, 8};
    memcpy(message, &hdr, sizeof(hdr));
    memcpy(message + sizeof(hdr), "/k\0value", 8);
    for (size_t i = 0; i < sizeof(hdr) + 7; i++) {
        xs_peer_put(&peer, message + i, 1);
        assert_true(xs_server_idle(server));
    }
    assert_int_equal(calls.work_ready, 0);
    xs_peer_put(&peer, message + sizeof(hdr) + 7, 1);
    assert_int_equal(calls.work_ready, 1);
    assert_int_equal(calls.output_ready, 0);
    assert_false(xs_server_run(server, 10));
    assert_int_equal(calls.output_ready, 1);
    assert_true(xs_peer_take(&peer));
    assert_int_equal(peer.hdr.req_id, 9);
    xs_peer_expect_value(&peer, 0, "/k", "value");
}

static void test_oversize_frame_breaks_the_connection(void **state)
{
    (void)state;
    struct xs_peer peer;
    xs_peer_open(&peer, server, 0);
    struct xsd_sockmsg hdr = {XS_READ, 0, 0, XENSTORE_PAYLOAD_MAX + 1};
    assert_int_equal(xs_conn_input(peer.conn, &hdr, sizeof(hdr)), -EPROTO);
    assert_int_equal(xs_conn_input_room(peer.conn), 0);
    assert_int_equal(xs_conn_input(peer.conn, &hdr, 1), -EPROTO);
    assert_true(xs_server_idle(server));
}

static void test_largest_frame_fits(void **state)
{
    (void)state;
    struct xs_peer peer;
    xs_peer_open(&peer, server, 0);
    char payload[XENSTORE_PAYLOAD_MAX];
    memset(payload, 'v', sizeof(payload));
    memcpy(payload, "/k", 3);
    for (int i = 0; i < 5; i++) {
        xs_peer_call(&peer, XS_WRITE, 0, payload, sizeof(payload));
        xs_peer_expect_ok(&peer, XS_WRITE);
    }
    xs_peer_read(&peer, 0, "/k");
    assert_int_equal(peer.hdr.len, sizeof(payload) - 3);
}

/* A peer that asks and does not read: both of its queues end, the others go on. */
static void test_slow_reader_is_not_served(void **state)
{
    (void)state;
    struct xs_peer slow, other;
    xs_peer_open(&slow, server, 0);
    xs_peer_open(&other, server, 0);
    char payload[XENSTORE_PAYLOAD_MAX];
    memset(payload, 'v', sizeof(payload));
    memcpy(payload, "/k", 3);
    xs_peer_call(&slow, XS_WRITE, 0, payload, sizeof(payload));
    const struct xsd_sockmsg hdr = {XS_READ, 5, 0, 3};
    const void *bytes;
    size_t sent = 0, taken = 0;
    /* A small reply first: the fourth large one then lacks a few bytes of room. */
    xs_peer_send(&slow, XS_READ, 0, "/tool", 6);
    while (xs_conn_input_room(slow.conn) >= sizeof(hdr) + 3) {
        xs_peer_put(&slow, &hdr, sizeof(hdr));
        xs_peer_put(&slow, "/k", 3);
        xs_server_run(server, 100);
        sent++;
    }
    assert_true(xs_server_idle(server)); /* not a busy loop */
    assert_in_range(xs_conn_output(slow.conn, &bytes), 3 * 4096, 4 * 4112);
    xs_peer_expect_value(&other, 0, "/tool", "");
    assert_true(xs_peer_take(&slow));
    assert_int_equal(slow.hdr.len, 0);
    xs_server_run(server, 100);
    while (xs_peer_take(&slow)) {
        assert_int_equal(slow.hdr.len, sizeof(payload) - 3);
        taken++;
        xs_server_run(server, 100);
    }
    assert_int_equal(taken, sent);
}

static void test_turns(void **state)
{
    (void)state;
    struct xs_peer greedy, modest;
    xs_peer_open(&greedy, server, 0);
    xs_peer_open(&modest, server, 0);
    for (int i = 0; i < 50; i++)
        xs_peer_send(&greedy, XS_READ, 0, "/tool", 6);
    xs_peer_send(&modest, XS_READ, 0, "/tool", 6);
    assert_true(xs_server_run(server, 2));
    assert_true(xs_peer_take(&modest));
    assert_true(xs_peer_take(&greedy));
    assert_false(xs_peer_take(&greedy));
}

static void test_what_a_domain_has_is_counted(void **state)
{
    (void)state;
    struct xs_peer mine, other;
    xs_peer_open(&mine, server, 1);
    xs_peer_open(&other, server, 0);
    xs_peer_ask(&other, XS_WATCH, 0, "/v\0t");
    xs_peer_ask(&mine, XS_WATCH, 0, "/w\0t");
    xs_peer_ask(&mine, XS_WATCH, 0, "/w\0u");
    (void)xs_peer_begin(&mine);
    xs_peer_send(&mine, XS_READ, 0, "/tool", 6);
    struct xs_conn_usage usage = xs_conn_usage(server, 1);
    assert_int_equal(usage.watches, 2);
    assert_int_equal(usage.transactions, 1);
    assert_int_equal(usage.outstanding, 1);
    usage = xs_conn_usage(server, 2);
    assert_int_equal(usage.watches + usage.transactions + usage.outstanding, 0);
}

static void test_the_deaf_hear_nothing(void **state)
{
    (void)state;
    struct xs_peer mine, other;
    const void *bytes;
    xs_peer_open(&mine, server, 1);
    xs_peer_open(&other, server, 0);
    xs_peer_ask(&mine, XS_WATCH, 0, "/w\0t");
    xs_conn_deafen(server, 1);
    assert_int_equal(xs_conn_input_room(mine.conn), 0);
    xs_peer_write(&other, 0, "/w", "");
    xs_peer_expect_ok(&other, XS_WRITE);
    assert_int_equal(xs_conn_output(mine.conn, &bytes), 0);
    assert_int_equal(xs_conn_usage(server, 1).watches, 0);
}

/* Nothing more is taken from a domain while as many requests wait as it may have. */
static void test_a_domain_with_many_requests_has_no_room(void **state)
{
    (void)state;
    struct xs_peer one;
    const struct xsd_sockmsg hdr = {XS_READ, 77, 0, 2};
    char bytes[sizeof(hdr) + 2] = {0};
    uint32_t sent = 0;
    xs_peer_open(&one, server, 1);
    memcpy(bytes, &hdr, sizeof(hdr));
    bytes[sizeof(hdr)] = '/';
    while (xs_conn_input_room(one.conn) > 0) {
        assert_true(sent < 1000);
        xs_peer_put(&one, bytes, sizeof(bytes));
        sent++;
    }
    assert_int_equal(xs_conn_usage(server, 1).outstanding, sent);
    assert_int_equal(sent, 20);
}

/* Of a domain no more is taken than the request that has begun: the rest stays where it is. */
static void test_a_domain_has_room_for_one_request(void **state)
{
    (void)state;
    struct xs_peer one;
    const struct xsd_sockmsg hdr = {XS_READ, 77, 0, 8};
    char bytes[sizeof(hdr) + 8] = "";
    xs_peer_open(&one, server, 1);
    memcpy(bytes, &hdr, sizeof(hdr));
    memcpy(bytes + sizeof(hdr), "/a/b/c", 7);
    for (uint32_t requests = 0; requests < 3; requests++) { /* those before wait */
        for (size_t i = 0; i < sizeof(bytes); i++) {
            size_t rest = i < sizeof(hdr) ? sizeof(hdr) - i : sizeof(bytes) - i;
            assert_int_equal(xs_conn_input_room(one.conn), rest);
            xs_peer_put(&one, bytes + i, 1);
        }
        assert_int_equal(xs_conn_usage(server, 1).outstanding, requests + 1);
    }
}

static void test_close_with_everything_open(void **state)
{
    (void)state;
    struct xs_peer peer, other;
    xs_peer_open(&peer, server, 0);
    xs_peer_open(&other, server, 0);
    xs_peer_ask(&peer, XS_WATCH, 0, "/w\0t");
    uint32_t tx = xs_peer_begin(&peer);
    xs_peer_write(&peer, tx, "/w/x", "");
    xs_peer_send(&peer, XS_READ, 0, "/tool", 6);
    xs_conn_close(peer.conn);
    xs_conn_close(NULL);
    assert_true(xs_server_idle(server));
    xs_peer_write(&other, 0, "/w/y", "");
    xs_peer_expect_ok(&other, XS_WRITE);
    xs_peer_read(&other, 0, "/w/x");
    xs_peer_expect_error(&other, "ENOENT");
}

/* An event whose bytes are not all sent stands for later changes, too. */
static void test_event_under_way_is_not_doubled(void **state)
{
    (void)state;
    struct xs_peer peer, other;
    const void *bytes;
    xs_peer_open(&peer, server, 0);
    xs_peer_open(&other, server, 0);
    xs_peer_ask(&peer, XS_WATCH, 0, "/w\0t");
    xs_peer_expect_event(&peer, "/w", "t");
    xs_peer_write(&other, 0, "/w", "1");
    xs_peer_run(server);
    size_t size = xs_conn_output(peer.conn, &bytes);
    assert_int_equal(size, sizeof(struct xsd_sockmsg) + 5);
    xs_conn_output_done(peer.conn, size - 1);
    xs_peer_write(&other, 0, "/w", "2");
    xs_peer_run(server);
    assert_int_equal(xs_conn_output(peer.conn, &bytes), 1);
    xs_conn_output_done(peer.conn, 1);
    xs_peer_write(&other, 0, "/w", "3");
    xs_peer_expect_event(&peer, "/w", "t");
}

/* Who may act for a domain may not for the next one of the same number. */
static void test_a_target_is_one_life_of_a_domain(void **state)
{
    struct xs_three *f = *state;
    xs_conn_set_target(f->server, 2, 1);
    xs_peer_write(&f->two, 0, "/local/domain/1/x", "");
    xs_peer_expect_ok(&f->two, XS_WRITE);
    xs_peer_write(&f->one, 0, "/local/domain/2", ""); /* and not the other way round */
    xs_peer_expect_error(&f->one, "EACCES");
    xs_server_release(f->server, 1);
    assert_int_equal(xs_server_introduce(f->server, 1), 0);
    xs_peer_ask(&f->dom0, XS_MKDIR, 0, "/local/domain/1");
    xs_peer_ask(&f->dom0, XS_SET_PERMS, 0, "/local/domain/1\0n1");
    xs_peer_write(&f->two, 0, "/local/domain/1/x", "");
    xs_peer_expect_error(&f->two, "EACCES");
    xs_conn_set_target(f->server, 2, 1);
    xs_peer_write(&f->two, 0, "/local/domain/1/x", "");
    xs_peer_expect_ok(&f->two, XS_WRITE);
}

static void test_usage_is_counted_by_domain(void **state)
{
    struct xs_three *f = *state;
    uint32_t before = xs_conn_count(f->server);
    xs_peer_ask(&f->one, XS_WATCH, 0, "a\0t");
    xs_peer_expect_event(&f->one, "a", "t");
    (void)xs_peer_begin(&f->one);
    (void)xs_peer_begin(&f->one);
    struct xs_conn_usage usage = xs_conn_usage(f->server, 1);
    assert_int_equal(usage.watches, 1);
    assert_int_equal(usage.transactions, 2);
    assert_int_equal(xs_conn_usage(f->server, 2).watches, 0);
    assert_int_equal(xs_conn_usage(f->server, 0).watches, 0);
    xs_conn_reset_sessions(f->server, 2); /* somebody else's */
    assert_int_equal(xs_conn_usage(f->server, 1).watches, 1);
    xs_conn_reset_sessions(f->server, 1);
    usage = xs_conn_usage(f->server, 1);
    assert_int_equal(usage.watches + usage.transactions, 0);
    assert_int_equal(xs_conn_count(f->server), before);
}

/* As if it had just been opened: nothing that came in or was to go out is left. */
static void test_reset_leaves_nothing(void **state)
{
    (void)state;
    struct xs_peer one;
    xs_peer_open(&one, server, 1);
    xs_peer_send(&one, XS_READ, 0, "/tool", 6);
    assert_false(xs_server_run(server, 10)); /* an answer waits */
    xs_peer_send(&one, XS_READ, 0, "/tool", 6);
    xs_peer_send(&one, XS_READ, 0, "/tool", 6);
    xs_peer_put(&one, "half", 4);
    assert_int_equal(xs_conn_usage(server, 1).outstanding, 2);
    xs_conn_reset(one.conn);
    assert_int_equal(xs_conn_usage(server, 1).outstanding, 0);
    assert_int_equal(xs_conn_input_room(one.conn), sizeof(struct xsd_sockmsg));
    assert_true(xs_server_idle(server));
    assert_false(xs_peer_take(&one));
    xs_peer_read(&one, 0, "/nothing");
    xs_peer_expect_error(&one, "EACCES");
}

static int open_and_close(void *arg)
{
    struct xs_conn *conn;
    int rc = xs_conn_open(arg, 1, false, &ops, NULL, &conn);
    if (rc == 0)
        xs_conn_close(conn);
    return rc;
}

static void test_without_memory_there_is_no_connection(void **state)
{
    (void)state;
    assert_true(fault_walk(open_and_close, server) >= 1);
}

static void test_requests_wait_until_they_are_served(void **state)
{
    (void)state;
    struct xs_peer peer;
    xs_peer_open(&peer, server, 0);
    assert_false(xs_conn_has_requests(peer.conn));
    xs_peer_send(&peer, XS_READ, 0, "/tool", 6);
    assert_true(xs_conn_has_requests(peer.conn));
    xs_peer_run(server);
    assert_false(xs_conn_has_requests(peer.conn));
    xs_conn_close(peer.conn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_frames_in_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(test_oversize_frame_breaks_the_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(test_largest_frame_fits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slow_reader_is_not_served, setup, teardown),
        cmocka_unit_test_setup_teardown(test_turns, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_a_domain_has_is_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_deaf_hear_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_domain_has_room_for_one_request, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_domain_with_many_requests_has_no_room, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_close_with_everything_open, setup, teardown),
        cmocka_unit_test_setup_teardown(test_event_under_way_is_not_doubled, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_target_is_one_life_of_a_domain, xs_three_setup,
                                        xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_usage_is_counted_by_domain, xs_three_setup,
                                        xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_reset_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_memory_there_is_no_connection, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_requests_wait_until_they_are_served, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
