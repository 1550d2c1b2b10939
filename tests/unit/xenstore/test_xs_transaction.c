/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "fakes/xs_peer.h"

struct fixture {
    struct xs_server *server;
    struct xs_peer dom0, one, two; /* Dom0, domain 1, domain 2 */
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    *state = f;
    assert_int_equal(xs_server_create(NULL, &f->server), 0);
    assert_int_equal(xs_server_introduce(f->server, 1), 0);
    assert_int_equal(xs_server_introduce(f->server, 2), 0);
    xs_peer_open(&f->dom0, f->server, 0);
    xs_peer_open(&f->one, f->server, 1);
    xs_peer_open(&f->two, f->server, 2);
    xs_peer_ask(&f->dom0, XS_MKDIR, 0, "/local/domain/1");
    xs_peer_ask(&f->dom0, XS_SET_PERMS, 0, "/local/domain/1\0n1");
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(xs_server_check(f->server), 0);
    xs_server_destroy(f->server);
    free(f);
    return 0;
}

static uint32_t end(struct xs_peer *peer, uint32_t tx, const char *how)
{
    return xs_peer_call(peer, XS_TRANSACTION_END, tx, how, 2);
}

static void test_private_until_commit(void **state)
{
    struct fixture *f = *state;
    uint32_t tx = xs_peer_begin(&f->one);
    xs_peer_write(&f->one, tx, "k", "v");
    xs_peer_expect_value(&f->one, tx, "k", "v");
    xs_peer_read(&f->dom0, 0, "/local/domain/1/k");
    xs_peer_expect_error(&f->dom0, "ENOENT");
    end(&f->one, tx, "T");
    xs_peer_expect_ok(&f->one, XS_TRANSACTION_END);
    xs_peer_expect_value(&f->dom0, 0, "/local/domain/1/k", "v");
}

static void test_snapshot(void **state)
{
    struct fixture *f = *state;
    xs_peer_write(&f->one, 0, "k", "old");
    uint32_t tx = xs_peer_begin(&f->one);
    xs_peer_write(&f->dom0, 0, "/local/domain/1/k", "new");
    xs_peer_expect_value(&f->one, tx, "k", "old");
    end(&f->one, tx, "T");
    xs_peer_expect_error(&f->one, "EAGAIN");
}

/* What was looked at in the transaction, what changed meanwhile, and whether that is a conflict. */
static void test_conflicts(void **state)
{
    static const struct {
        uint32_t look;
        const char *path;
        const char *written, *removed; /* meanwhile, by Dom0 */
        bool conflict;
    } cases[] = {
        {XS_READ, "a", "a", NULL, true},           {XS_READ, "a", "b", NULL, false},
        {XS_READ, "none", "none", NULL, true},     {XS_DIRECTORY, "a", "a/new", NULL, true},
        {XS_READ, "b", "c", NULL, false},          {XS_GET_PERMS, "a", NULL, "a", true},
        {XS_READ, "a/x", NULL, "a", true},         {XS_MKDIR, "m/1", "m/2", NULL, false},
        {XS_MKDIR, "same", "same", NULL, true},    {XS_RM, "a", "a", NULL, true},
        {XS_DIRECTORY, "a", "a/x/y", NULL, false},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char path[64];
        xs_peer_ask(&f->dom0, XS_RM, 0, "/local/domain/1/a");
        xs_peer_write(&f->one, 0, "a/x", "1");
        uint32_t tx = xs_peer_begin(&f->one);
        xs_peer_call(&f->one, cases[i].look, tx, cases[i].path, strlen(cases[i].path) + 1);
        xs_peer_write(&f->one, tx, "result", "done");
        if (cases[i].written != NULL) {
            snprintf(path, sizeof(path), "/local/domain/1/%s", cases[i].written);
            xs_peer_write(&f->dom0, 0, path, "2");
        } else {
            snprintf(path, sizeof(path), "/local/domain/1/%s", cases[i].removed);
            xs_peer_call(&f->dom0, XS_RM, 0, path, strlen(path) + 1);
        }
        end(&f->one, tx, "T");
        if (cases[i].conflict)
            xs_peer_expect_error(&f->one, "EAGAIN");
        else
            xs_peer_expect_ok(&f->one, XS_TRANSACTION_END);
        xs_peer_read(&f->one, 0, "result");
        assert_int_equal(f->one.hdr.type, cases[i].conflict ? XS_ERROR : XS_READ);
        xs_peer_ask(&f->one, XS_RM, 0, "result");
    }
}

static void test_failed_commit_changes_nothing(void **state)
{
    struct fixture *f = *state;
    xs_peer_ask(&f->dom0, XS_MKDIR, 0, "/shared/a");
    xs_peer_ask(&f->dom0, XS_SET_PERMS, 0, "/shared/a\0n0\0b1");
    uint32_t tx = xs_peer_begin(&f->one);
    xs_peer_write(&f->one, tx, "first", "");
    xs_peer_write(&f->one, tx, "/shared/a/second", "");
    xs_peer_expect_ok(&f->one, XS_WRITE);
    xs_peer_ask(&f->dom0, XS_SET_PERMS, 0, "/shared/a\0n0"); /* the right is gone at the commit */
    end(&f->one, tx, "T");
    xs_peer_expect_error(&f->one, "EAGAIN");
    xs_peer_read(&f->one, 0, "first");
    xs_peer_expect_error(&f->one, "ENOENT");
    assert_int_equal(xs_server_nodes(f->server, 1), 1);
}

static void test_abort_and_ids(void **state)
{
    struct fixture *f = *state;
    uint32_t tx = xs_peer_begin(&f->one);
    xs_peer_write(&f->one, tx, "k", "v");
    xs_peer_ask(&f->one, XS_TRANSACTION_START, tx, "");
    xs_peer_expect_error(&f->one, "EBUSY");
    end(&f->one, tx, "X");
    xs_peer_expect_error(&f->one, "EINVAL");
    end(&f->one, tx, "F");
    xs_peer_expect_ok(&f->one, XS_TRANSACTION_END);
    xs_peer_read(&f->one, 0, "k");
    xs_peer_expect_error(&f->one, "ENOENT");
    end(&f->one, tx, "T"); /* gone */
    xs_peer_expect_error(&f->one, "ENOENT");
    xs_peer_read(&f->one, tx, "k");
    xs_peer_expect_error(&f->one, "ENOENT");
    end(&f->one, 0, "T");
    xs_peer_expect_error(&f->one, "ENOENT");
    tx = xs_peer_begin(&f->one);
    end(&f->two, tx, "T"); /* somebody else's */
    xs_peer_expect_error(&f->two, "ENOENT");
}

static void test_events_at_commit_only(void **state)
{
    struct fixture *f = *state;
    xs_peer_ask(&f->dom0, XS_WATCH, 0, "/local/domain/1\0t");
    xs_peer_expect_event(&f->dom0, "/local/domain/1", "t");
    uint32_t tx = xs_peer_begin(&f->one);
    xs_peer_write(&f->one, tx, "k", "1");
    xs_peer_write(&f->one, tx, "k", "2");
    xs_peer_expect_silence(&f->dom0);
    end(&f->one, tx, "T");
    xs_peer_expect_event(&f->dom0, "/local/domain/1/k", "t");
    xs_peer_expect_silence(&f->dom0);
    xs_peer_expect_value(&f->dom0, 0, "/local/domain/1/k", "2");
}

/* A write in place of an earlier one must not move across a removal. */
static void test_order_of_changes_is_kept(void **state)
{
    struct fixture *f = *state;
    uint32_t tx = xs_peer_begin(&f->one);
    xs_peer_write(&f->one, tx, "d/k", "1");
    xs_peer_ask(&f->one, XS_RM, tx, "d");
    xs_peer_write(&f->one, tx, "d/k", "2");
    xs_peer_write(&f->one, tx, "d/k", "3");
    xs_peer_write(&f->one, tx, "e", "1");
    xs_peer_ask(&f->one, XS_RM, tx, "e");
    end(&f->one, tx, "T");
    xs_peer_expect_ok(&f->one, XS_TRANSACTION_END);
    xs_peer_expect_value(&f->one, 0, "d/k", "3");
    xs_peer_read(&f->one, 0, "e");
    xs_peer_expect_error(&f->one, "ENOENT");
}

static void test_rewriting_one_node_is_bounded(void **state)
{
    struct fixture *f = *state;
    char value[2000];
    memset(value, 'v', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    uint32_t tx = xs_peer_begin(&f->one);
    for (int i = 0; i < 1000; i++) {
        xs_peer_write(&f->one, tx, "k", value);
        xs_peer_expect_ok(&f->one, XS_WRITE);
    }
    int written = 0;
    for (char path[16]; written < 1000; written++) {
        snprintf(path, sizeof(path), "n%d", written);
        xs_peer_write(&f->one, tx, path, value);
        if (f->one.hdr.type == XS_ERROR)
            break;
    }
    xs_peer_expect_error(&f->one, "ENOSPC"); /* bytes, long before 1024 nodes */
    assert_in_range(written, 100, 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_private_until_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_snapshot, setup, teardown),
        cmocka_unit_test_setup_teardown(test_conflicts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failed_commit_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_abort_and_ids, setup, teardown),
        cmocka_unit_test_setup_teardown(test_events_at_commit_only, setup, teardown),
        cmocka_unit_test_setup_teardown(test_order_of_changes_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rewriting_one_node_is_bounded, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
