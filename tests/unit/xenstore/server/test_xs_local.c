/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "fakes/xs_peer.h"
#include "faults/fault_walk.h"
#include "xenstore/server/xs_local.h"

static struct xs_server *server;

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

static void test_read_and_write(void **state)
{
    (void)state;
    char text[6];
    uint64_t n;
    struct xs_peer peer;
    assert_int_equal(xs_local_write(server, "/k", "7-ab"), 0);
    assert_int_equal(xs_local_read(server, "/k", text, sizeof(text)), 4);
    assert_string_equal(text, "7-ab");
    assert_int_equal(xs_local_read(server, "/k", text, 4), -E2BIG);
    assert_int_equal(xs_local_read_u64(server, "/k", 100, &n), 0); /* what follows is ignored */
    assert_int_equal(n, 7);
    assert_int_equal(xs_local_write(server, "/text", "seven"), 0);
    assert_int_equal(xs_local_read_u64(server, "/text", 100, &n), -EINVAL);
    assert_int_equal(xs_local_read(server, "/none", text, sizeof(text)), -ENOENT);
    assert_int_equal(xs_local_write(server, "/k//", ""), -EINVAL);
    assert_int_equal(xs_local_write(server, "k", "12"), 0);
    assert_int_equal(xs_local_read_u64(server, "/local/domain/0/k", 11, &n), -ERANGE);
    assert_int_equal(xs_local_read_u64(server, "/local/domain/0/k", 12, &n), 0);
    assert_int_equal(n, 12);
    xs_peer_open(&peer, server, 0);
    xs_peer_call(&peer, XS_WRITE, 0, "/nul\0a\0b", 8);
    assert_int_equal(xs_local_read(server, "/nul", text, sizeof(text)), -EINVAL);
}

static void test_rm_and_perms(void **state)
{
    (void)state;
    static const char *const perms[] = {"n1", "r2"}, *const bad[] = {"n1", "z2"};
    assert_int_equal(xs_local_write(server, "/d/e", ""), 0);
    assert_int_equal(xs_local_set_perms(server, "/d", perms, 2), -ENOENT); /* no such owner */
    assert_int_equal(xs_server_introduce(server, 1), 0);
    assert_int_equal(xs_local_set_perms(server, "/d", perms, 2), 0);
    assert_int_equal(xs_local_set_perms(server, "/d", bad, 2), -EINVAL);
    assert_int_equal(xs_local_set_perms(server, "/d", perms, 0), -EINVAL);
    assert_int_equal(xs_local_set_perms(server, "/none", perms, 2), -ENOENT);
    assert_int_equal(xs_server_nodes(server, 1), 1);
    assert_int_equal(xs_local_rm(server, "/d"), 0);
    assert_int_equal(xs_local_rm(server, "/d/e"), -ENOENT);
}

static void test_path_cleanup(void **state)
{
    (void)state;
    char text[8];
    assert_int_equal(xs_local_write(server, "/d/e/f/g", "1"), 0);
    assert_int_equal(xs_local_write(server, "/d/x", "2"), 0);
    assert_int_equal(xs_local_path_cleanup(server, "/d/e/f/g"), 0);
    assert_int_equal(xs_local_read(server, "/d/e", text, sizeof(text)), -ENOENT);
    assert_int_equal(xs_local_read(server, "/d/x", text, sizeof(text)), 1);
    assert_int_equal(xs_local_path_cleanup(server, "/d/e/f/g"), -ENOENT);
    assert_int_equal(xs_local_path_cleanup(server, "/d/x"), 0);
    assert_int_equal(xs_local_read(server, "/d", text, sizeof(text)), -ENOENT);
    assert_int_equal(xs_local_path_cleanup(server, "/"), -EINVAL);
    assert_int_equal(xs_local_path_cleanup(server, "/d//"), -EINVAL);
}

struct heard {
    int calls;
    char path[64];
    struct xs_local_watch *watch;
};

static void hear(void *ctx, const char *path)
{
    struct heard *heard = ctx;
    heard->calls++;
    snprintf(heard->path, sizeof(heard->path), "%s", path);
}

static void test_watch_is_called_from_run_only(void **state)
{
    (void)state;
    struct heard heard = {0};
    assert_int_equal(xs_local_watch(server, "/w", hear, &heard, &heard.watch), 0);
    assert_int_equal(heard.calls, 0);
    assert_false(xs_server_idle(server));
    assert_false(xs_server_run(server, 10));
    assert_int_equal(heard.calls, 1);
    assert_string_equal(heard.path, "/w");
    xs_local_write(server, "/w/a", "1");
    xs_local_write(server, "/w/a", "2");
    assert_int_equal(heard.calls, 1);
    xs_server_run(server, 10);
    assert_int_equal(heard.calls, 2);
    assert_string_equal(heard.path, "/w/a");
    xs_local_write(server, "/w/a", "1");
    xs_local_write(server, "/w/b", "2");
    xs_server_run(server, 10);
    assert_int_equal(heard.calls, 3);
    assert_string_equal(heard.path, "/w"); /* several: look at all */
    xs_local_write(server, "/w/a", "1");
    xs_local_unwatch(heard.watch);
    xs_local_unwatch(NULL);
    assert_true(xs_server_idle(server));
    assert_int_equal(heard.calls, 3);
}

static void hear_and_leave(void *ctx, const char *path)
{
    struct heard *heard = ctx;
    hear(ctx, path);
    xs_local_unwatch(heard->watch);
    xs_local_write(server, "/w", "from the callback");
}

static void test_unwatch_from_the_callback(void **state)
{
    (void)state;
    struct heard heard = {0};
    assert_int_equal(xs_local_watch(server, "/w", hear_and_leave, &heard, &heard.watch), 0);
    xs_server_run(server, 10);
    assert_int_equal(heard.calls, 1);
    assert_true(xs_server_idle(server));
}

static void test_special_watches(void **state)
{
    (void)state;
    struct heard heard = {0};
    assert_int_equal(xs_local_watch(server, "@releaseDomain", hear, &heard, &heard.watch), 0);
    xs_server_run(server, 10);
    assert_int_equal(xs_server_introduce(server, 4), 0);
    xs_server_run(server, 10);
    assert_int_equal(heard.calls, 1);
    xs_server_release(server, 4);
    xs_server_run(server, 10);
    assert_int_equal(heard.calls, 2);
    assert_int_equal(xs_local_watch(server, "@other", hear, &heard, &heard.watch), -EINVAL);
}

/* Nodes that a path makes on its way have no value. */
static void test_a_node_without_a_value_is_no_number(void **state)
{
    (void)state;
    char text[4] = "old";
    uint64_t n = 5;
    assert_int_equal(xs_local_write(server, "/above/below", "1"), 0);
    assert_int_equal(xs_local_read_u64(server, "/above", 100, &n), -EINVAL);
    assert_int_equal(n, 5);
    assert_int_equal(xs_local_read(server, "/above", text, sizeof(text)), 0);
    assert_string_equal(text, "");
}

static int write_value(void *arg)
{
    char text[8];
    (void)arg;
    int rc = xs_local_write(server, "/m/a", "value");
    assert_int_equal(xs_local_read(server, "/m/a", text, sizeof(text)), rc < 0 ? -ENOENT : 5);
    if (rc == 0 && (rc = xs_local_rm(server, "/m")) < 0)
        assert_int_equal(xs_local_rm(server, "/m"), 0);
    return rc;
}

static void test_without_memory_nothing_is_written(void **state)
{
    (void)state;
    assert_true(fault_walk(write_value, NULL) >= 3);
}

static void test_without_memory_nothing_is_given_away(void **state)
{
    static const char *const one[] = {"n1"};
    (void)state;
    assert_int_equal(xs_server_introduce(server, 1), 0);
    assert_int_equal(xs_local_write(server, "/m", ""), 0);
    fault_arm(1, FAULT_ONCE);
    assert_int_equal(xs_local_set_perms(server, "/m", one, 1), -ENOMEM);
    assert_non_null(fault_disarm());
    assert_int_equal(xs_server_nodes(server, 1), 0);
}

static int watch_once(void *arg)
{
    struct heard heard = {0};
    (void)arg;
    int rc = xs_local_watch(server, "/w", hear, &heard, &heard.watch);
    if (rc < 0)
        return rc;
    xs_server_run(server, 10);
    xs_local_write(server, "/w/a", "1");
    xs_server_run(server, 10);
    assert_int_equal(heard.calls, 2);
    xs_local_unwatch(heard.watch);
    return 0;
}

static void test_without_memory_no_watch_is_set(void **state)
{
    (void)state;
    fault_arm_call("calloc", 1, ENOMEM);
    assert_int_equal(watch_once(NULL), -ENOMEM);
    assert_non_null(fault_disarm());
    assert_int_equal(watch_once(NULL), 0);
}

/* What cannot be named for lack of memory is reported as a change of the watched path. */
static void test_without_memory_a_watch_hears_of_its_own_path(void **state)
{
    struct heard heard = {0};
    (void)state;
    assert_int_equal(xs_local_watch(server, "/w", hear, &heard, &heard.watch), 0);
    xs_server_run(server, 10);
    fault_arm_call("strdup", 2, ENOMEM); /* the first is of the change itself */
    assert_int_equal(xs_local_write(server, "/w/a", "1"), 0);
    assert_string_equal(fault_disarm(), "strdup");
    xs_server_run(server, 10);
    assert_int_equal(heard.calls, 2);
    assert_string_equal(heard.path, "/w");
    xs_local_unwatch(heard.watch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_read_and_write, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rm_and_perms, setup, teardown),
        cmocka_unit_test_setup_teardown(test_path_cleanup, setup, teardown),
        cmocka_unit_test_setup_teardown(test_watch_is_called_from_run_only, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unwatch_from_the_callback, setup, teardown),
        cmocka_unit_test_setup_teardown(test_special_watches, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_node_without_a_value_is_no_number, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_memory_nothing_is_written, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_memory_nothing_is_given_away, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_memory_no_watch_is_set, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_memory_a_watch_hears_of_its_own_path, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
