/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "fakes/xs_peer.h"
#include "faults/fault_walk.h"
#include "xenstore/server/xs_local.h"

static struct xs_server *server;

static int setup(void **state)
{
    (void)state;
    assert_int_equal(xs_server_create(NULL, &server), 0);
    assert_int_equal(xs_server_introduce(server, 1), 0);
    assert_int_equal(xs_server_introduce(server, 2), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(xs_server_check(server), 0);
    xs_server_destroy(server);
    return 0;
}

static void set_perms(const char *path, const char *owner, const char *other)
{
    const char *perms[] = {owner, other};
    assert_int_equal(xs_local_set_perms(server, path, perms, other == NULL ? 1 : 2), 0);
}

static void test_first_nodes(void **state)
{
    (void)state;
    char text[4];
    assert_int_equal(xs_local_read(server, "/tool/xenstored", text, sizeof(text)), 0);
    assert_int_equal(xs_local_read(server, "/local/domain/0", text, sizeof(text)), 0);
    assert_int_equal(xs_server_introduce(server, 1), -EEXIST);
    assert_int_equal(xs_server_introduce(server, 0), -EEXIST);
}

static void test_nothing_of_a_dead_domain_is_left(void **state)
{
    (void)state;
    char text[8];
    struct xs_peer peer;
    xs_local_write(server, "/local/domain/1/device", "");
    xs_local_write(server, "/shared/of-one/below", "");
    set_perms("/shared/of-one", "n1", NULL);
    xs_local_write(server, "/shared/of-two", "s");
    set_perms("/shared/of-two", "n2", "b1");
    xs_server_release(server, 1);
    assert_int_equal(xs_local_read(server, "/local/domain/1", text, 8), -ENOENT);
    assert_int_equal(xs_local_read(server, "/shared/of-one", text, 8), -ENOENT);
    assert_int_equal(xs_local_read(server, "/shared/of-two", text, 8), 1);

    assert_int_equal(xs_server_introduce(server, 1), 0); /* another one of that number */
    xs_peer_open(&peer, server, 1);
    xs_peer_read(&peer, 0, "/shared/of-two");
    xs_peer_expect_error(&peer, "EACCES");
}

/* Nodes that a domain came to own in every way there is, outside its home: found without a look at
 * the rest of the tree. */
static void test_strays_of_a_dead_domain_are_known(void **state)
{
    (void)state;
    char text[8];
    struct xs_peer one, dom0;
    xs_peer_open(&one, server, 1);
    xs_peer_open(&dom0, server, 0);
    xs_local_write(server, "/open", "");
    set_perms("/open", "b0", NULL);
    xs_peer_write(&one, 0, "/open/made/deep/down", ""); /* it creates */
    uint32_t tx = xs_peer_begin(&one);
    xs_peer_write(&one, tx, "/open/committed", ""); /* the same in a transaction */
    xs_peer_ask(&one, XS_TRANSACTION_END, tx, "T");
    xs_peer_expect_ok(&one, XS_TRANSACTION_END);
    xs_local_write(server, "/open/given", ""); /* is given a node */
    set_perms("/open/given", "n1", NULL);
    xs_local_write(server, "/lost/left", ""); /* keeps what was below one that is taken away */
    set_perms("/lost", "n1", NULL);
    set_perms("/lost/left", "n1", NULL);
    set_perms("/lost", "n0", NULL);
    assert_int_equal(xs_server_nodes(server, 1), 6);
    assert_int_equal(xs_server_strays(server, 1), 5); /* "/lost" was one, too */
    xs_server_release(server, 1);
    assert_int_equal(xs_server_nodes(server, 1), 0);
    assert_int_equal(xs_local_read(server, "/open/made", text, 8), -ENOENT);
    assert_int_equal(xs_local_read(server, "/open/committed", text, 8), -ENOENT);
    assert_int_equal(xs_local_read(server, "/open/given", text, 8), -ENOENT);
    assert_int_equal(xs_local_read(server, "/lost/left", text, 8), -ENOENT);
    assert_int_equal(xs_local_read(server, "/lost", text, 8), 0);
}

static void test_connections_of_a_dead_domain_are_deaf(void **state)
{
    (void)state;
    struct xs_peer peer;
    const void *bytes;
    xs_peer_open(&peer, server, 1);
    xs_local_write(server, "/open", "");
    set_perms("/open", "b0", NULL);
    xs_peer_ask(&peer, XS_WATCH, 0, "/open\0t");
    uint32_t tx = xs_peer_begin(&peer);
    xs_peer_write(&peer, tx, "/open/x", "");
    xs_peer_send(&peer, XS_TRANSACTION_END, tx, "T", 2);
    xs_server_release(server, 1);
    assert_true(xs_server_idle(server));
    assert_int_equal(xs_conn_input_room(peer.conn), 0);
    assert_int_equal(xs_conn_output(peer.conn, &bytes), 0);
    xs_local_write(server, "/open/y", "");
    assert_true(xs_server_idle(server));
    xs_conn_close(peer.conn);
}

static void test_watches_hear_of_the_end(void **state)
{
    (void)state;
    struct xs_peer dom0;
    xs_peer_open(&dom0, server, 0);
    xs_local_write(server, "/local/domain/1/device/vbd/51712/state", "4");
    xs_peer_ask(&dom0, XS_WATCH, 0, "/local/domain/1/device/vbd/51712/state\0t");
    xs_peer_expect_event(&dom0, "/local/domain/1/device/vbd/51712/state", "t");
    xs_server_release(server, 1);
    xs_peer_expect_event(&dom0, "/local/domain/1/device/vbd/51712/state", "t");
}

static void test_watchers_of_domains_are_told(void **state)
{
    (void)state;
    struct xs_peer dom0;
    xs_peer_open(&dom0, server, 0);
    xs_peer_ask(&dom0, XS_WATCH, 0, "@introduceDomain\0in");
    xs_peer_expect_event(&dom0, "@introduceDomain", "in");
    xs_peer_ask(&dom0, XS_WATCH, 0, "@releaseDomain\0out");
    xs_peer_expect_event(&dom0, "@releaseDomain", "out");
    assert_int_equal(xs_server_introduce(server, 9), 0);
    xs_peer_expect_event(&dom0, "@introduceDomain", "in");
    xs_server_release(server, 9);
    xs_peer_expect_event(&dom0, "@releaseDomain", "out");
    xs_peer_run(server);
    assert_false(xs_peer_take(&dom0));
}

static uint64_t cpu_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Time that the ends of domains 10..109 take, each with a few nodes. */
static uint64_t ends_ns(void)
{
    char path[64];
    for (domid_t domid = 10; domid < 110; domid++) {
        assert_int_equal(xs_server_introduce(server, domid), 0);
        snprintf(path, sizeof(path), "/local/domain/%u/data/x", domid);
        assert_int_equal(xs_local_write(server, path, ""), 0);
    }
    uint64_t begin_ns = cpu_ns();
    for (domid_t domid = 10; domid < 110; domid++)
        xs_server_release(server, domid);
    return cpu_ns() - begin_ns;
}

/* The end of a domain costs what it leaves, not what else is there. */
static void test_an_end_does_not_walk_the_tree(void **state)
{
    (void)state;
    char path[64];
    uint64_t alone_ns = ends_ns();
    for (int i = 0; i < 50000; i++) {
        snprintf(path, sizeof(path), "/big/%d/%d", i % 100, i);
        assert_int_equal(xs_local_write(server, path, ""), 0);
    }
    uint64_t beside_ns = ends_ns();
    if (beside_ns > 20 * alone_ns + 20000000) /* a walk each: hundreds of milliseconds */
        fail_msg("%llu ns beside 50,000 nodes, %llu alone", (unsigned long long)beside_ns,
                 (unsigned long long)alone_ns);
}

/* Even "/" may have been given away: it stays. */
static void test_root_survives(void **state)
{
    (void)state;
    set_perms("/", "n1", NULL);
    xs_server_release(server, 1);
    assert_int_equal(xs_server_nodes(server, 1), 0);
    assert_int_equal(xs_local_write(server, "/still/here", ""), 0);
}

static void test_dom0_and_unknown_domains_cannot_be_released(void **state)
{
    (void)state;
    uint32_t nodes = xs_server_nodes(server, 0);
    xs_server_release(server, 0);
    xs_server_release(server, 99);
    assert_int_equal(xs_server_nodes(server, 0), nodes);
}

/* A commit after the release, on a snapshot from before, brings nothing back. */
static void test_old_snapshot_brings_nothing_back(void **state)
{
    (void)state;
    struct xs_peer dom0;
    xs_peer_open(&dom0, server, 0);
    xs_local_write(server, "/local/domain/1/a", "");
    set_perms("/local/domain/1/a", "n1", NULL);
    uint32_t tx = xs_peer_begin(&dom0);
    xs_peer_write(&dom0, tx, "/unrelated", "");
    xs_server_release(server, 1);
    xs_peer_ask(&dom0, XS_TRANSACTION_END, tx, "T");
    xs_peer_expect_ok(&dom0, XS_TRANSACTION_END);
    assert_int_equal(xs_server_nodes(server, 1), 0);
    xs_peer_read(&dom0, 0, "/local/domain/1");
    xs_peer_expect_error(&dom0, "ENOENT");
}

/* Its connection is gone; its home stays until it is released. */
static void test_a_domain_that_is_disconnected_keeps_its_home(void **state)
{
    (void)state;
    char text[8];
    xs_local_write(server, "/local/domain/1/device", "");
    xs_local_write(server, "/shared/of-one", "");
    set_perms("/shared/of-one", "n1", NULL);
    xs_server_disconnect(server, 1);
    assert_int_equal(xs_local_read(server, "/local/domain/1/device", text, sizeof(text)), 0);
    assert_int_equal(xs_local_read(server, "/shared/of-one", text, sizeof(text)), -ENOENT);
    assert_int_equal(xs_server_introduce(server, 1), 0);
}

static int begin_and_end(void *arg)
{
    struct xs_server *another;
    (void)arg;
    int rc = xs_server_create(NULL, &another);
    if (rc == 0)
        xs_server_destroy(another);
    return rc;
}

static void test_without_memory_there_is_no_store(void **state)
{
    (void)state;
    assert_true(fault_walk(begin_and_end, NULL) > 10);
}

/* Memory is short for the nth call while the domain ends, and for one while the next one comes. */
static bool is_cleaned_up_later(uint64_t n)
{
    struct xs_peer dom0;
    char text[8];
    xs_local_write(server, "/local/domain/1/device", "");
    xs_local_write(server, "/shared/of-one", "");
    set_perms("/shared/of-one", "n1", NULL);
    xs_peer_open(&dom0, server, 0);
    uint32_t tx = xs_peer_begin(&dom0); /* a snapshot: every change is a copy */
    fault_arm(n, FAULT_ONCE);
    xs_server_release(server, 1);
    const bool has_failed = fault_disarm() != NULL;
    fault_arm(1, FAULT_ONCE);
    int rc = xs_server_introduce(server, 1);
    fault_disarm();
    if (rc < 0) {
        assert_true(has_failed);
        assert_int_equal(rc, -ENOMEM);
        assert_int_equal(xs_server_introduce(server, 1), 0);
    }
    assert_int_equal(xs_local_read(server, "/local/domain/1", text, 8), -ENOENT);
    assert_int_equal(xs_local_read(server, "/shared/of-one", text, 8), -ENOENT);
    assert_int_equal(xs_server_nodes(server, 1), 0);
    assert_int_equal(xs_server_check(server), 0);
    (void)tx;
    xs_conn_close(dom0.conn);
    return has_failed;
}

static void test_what_memory_was_too_short_for_is_removed_later(void **state)
{
    (void)state;
    uint64_t n = 1;
    while (is_cleaned_up_later(n))
        n++;
    assert_true(n > 5);
}

static void add_line(void *ctx, const char *text)
{
    strcat(strcat(ctx, text), ";");
}

static void test_lines_go_to_the_log_that_was_set(void **state)
{
    (void)state;
    char lines[64] = "";
    struct xs_peer dom0;
    xs_server_set_log(server, add_line, lines);
    xs_peer_open(&dom0, server, 0);
    xs_peer_ask(&dom0, XS_CONTROL, 0, "print\0hello");
    assert_string_equal(lines, "hello;");
}

static void count_call(void *ctx, const char *path)
{
    (void)path;
    ++*(int *)ctx;
}

static void test_a_call_of_a_local_watch_is_a_step(void **state)
{
    (void)state;
    int calls = 0;
    struct xs_local_watch *one, *two;
    assert_int_equal(xs_local_watch(server, "/one", count_call, &calls, &one), 0);
    assert_int_equal(xs_local_watch(server, "/two", count_call, &calls, &two), 0);
    assert_true(xs_server_run(server, 1));
    assert_int_equal(calls, 1);
    assert_false(xs_server_run(server, 1));
    assert_int_equal(calls, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_first_nodes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_of_a_dead_domain_is_left, setup, teardown),
        cmocka_unit_test_setup_teardown(test_strays_of_a_dead_domain_are_known, setup, teardown),
        cmocka_unit_test_setup_teardown(test_connections_of_a_dead_domain_are_deaf, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_watches_hear_of_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_watchers_of_domains_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_end_does_not_walk_the_tree, setup, teardown),
        cmocka_unit_test_setup_teardown(test_root_survives, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dom0_and_unknown_domains_cannot_be_released, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_old_snapshot_brings_nothing_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_domain_that_is_disconnected_keeps_its_home, setup,
                                        teardown),
        cmocka_unit_test(test_without_memory_there_is_no_store),
        cmocka_unit_test_setup_teardown(test_what_memory_was_too_short_for_is_removed_later, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_lines_go_to_the_log_that_was_set, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_call_of_a_local_watch_is_a_step, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
