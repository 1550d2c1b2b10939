/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "fakes/xs_three.h"

static uint32_t end(struct xs_peer *peer, uint32_t tx, const char *how)
{
    return xs_peer_call(peer, XS_TRANSACTION_END, tx, how, 2);
}

static void test_private_until_commit(void **state)
{
    struct xs_three *f = *state;
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
    struct xs_three *f = *state;
    xs_peer_write(&f->one, 0, "k", "old");
    uint32_t tx = xs_peer_begin(&f->one);
    xs_peer_write(&f->dom0, 0, "/local/domain/1/k", "new");
    xs_peer_expect_value(&f->one, tx, "k", "old");
    end(&f->one, tx, "T");
    xs_peer_expect_error(&f->one, "EAGAIN");
}

/* What was done in the transaction, what changed meanwhile, and whether that is a conflict. */
static void test_conflicts(void **state)
{
    static const struct {
        uint32_t look;
        const char *path;
        const char *written, *removed; /* meanwhile, by Dom0 */
        bool conflict;
    } cases[] = {
        {XS_READ, "a", "a", NULL, true},
        {XS_READ, "a", "a/new", NULL, true}, /* its children are a part of it */
        {XS_READ, "a", "a/x", NULL, false},
        {XS_READ, "a", "b/new", NULL, false},
        {XS_READ, "a/none", "a/none", NULL, true},
        {XS_READ, "a/none", "a/other", NULL, true}, /* its nearest ancestor has changed */
        {XS_READ, "a/none/none", "a", NULL, true},
        {XS_READ, "a/none", "a/x", NULL, false},
        {XS_DIRECTORY, "a", "a/new", NULL, true},
        {XS_DIRECTORY, "a", "a/x/y", NULL, false},
        {XS_GET_PERMS, "a", NULL, "a", true},
        {XS_READ, "a/x", NULL, "a", true},
        {XS_MKDIR, "a/1", "a/2", NULL, true},
        {XS_MKDIR, "a/1", "a/1", NULL, true},
        {XS_MKDIR, "a/1", NULL, "a", true},
        {XS_MKDIR, "a/x", "a/2", NULL, false}, /* is there already */
        {XS_RM, "a", NULL, "a", true},
        {XS_RM, "a", "a/x/y", NULL, true}, /* below what was removed */
        {XS_RM, "a", "a/x", NULL, true},
        {XS_RM, "a/x", "a/y", NULL, true},
        {XS_RM, "a/x", "a", NULL, true},
        {XS_RM, "a/none", "a/none", NULL, true},
    };
    struct xs_three *f = *state;
    xs_peer_write(&f->one, 0, "b/c", "");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char path[64];
        xs_peer_ask(&f->dom0, XS_RM, 0, "/local/domain/1/a");
        xs_peer_write(&f->one, 0, "a/x", "1");
        xs_peer_write(&f->one, 0, "result", "before");
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
        if (cases[i].conflict != (f->one.hdr.type == XS_ERROR))
            print_error("case %zu\n", i);
        if (cases[i].conflict)
            xs_peer_expect_error(&f->one, "EAGAIN");
        else
            xs_peer_expect_ok(&f->one, XS_TRANSACTION_END);
        xs_peer_expect_value(&f->one, 0, "result", cases[i].conflict ? "before" : "done");
    }
}

/* A front end writes its state while the back end removes the directory: it stays removed. */
static void test_what_was_removed_meanwhile_stays_removed(void **state)
{
    struct xs_three *f = *state;
    xs_peer_write(&f->one, 0, "dev/state", "4");
    uint32_t tx = xs_peer_begin(&f->one);
    xs_peer_write(&f->one, tx, "dev/online", "0");
    xs_peer_ask(&f->dom0, XS_RM, 0, "/local/domain/1/dev");
    end(&f->one, tx, "T");
    xs_peer_expect_error(&f->one, "EAGAIN");
    xs_peer_ask(&f->one, XS_DIRECTORY, 0, "dev");
    xs_peer_expect_error(&f->one, "ENOENT");
}

static void test_failed_commit_changes_nothing(void **state)
{
    struct xs_three *f = *state;
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
    struct xs_three *f = *state;
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
    struct xs_three *f = *state;
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

/* Events come in the order in which the transaction first looked at the nodes, and what it both
 * made and removed was never there. */
static void test_order_of_events(void **state)
{
    struct xs_three *f = *state;
    xs_peer_write(&f->one, 0, "state", "4");
    xs_peer_write(&f->one, 0, "tree/a/b", "");
    xs_peer_write(&f->one, 0, "tree/c", "");
    xs_peer_ask(&f->one, XS_WATCH, 0, "tree/a/b\0below");
    xs_peer_expect_event(&f->one, "tree/a/b", "below");
    xs_peer_ask(&f->one, XS_WATCH, 0, "/local/domain/1\0t");
    xs_peer_expect_event(&f->one, "/local/domain/1", "t");
    uint32_t tx = xs_peer_begin(&f->one);
    xs_peer_read(&f->one, tx, "state");
    xs_peer_write(&f->one, tx, "online", "0");
    xs_peer_write(&f->one, tx, "never", "");
    xs_peer_ask(&f->one, XS_RM, tx, "never");
    xs_peer_ask(&f->one, XS_RM, tx, "tree");
    xs_peer_write(&f->one, tx, "tree/new", "");
    xs_peer_write(&f->one, tx, "state", "5");
    xs_peer_ask(&f->one, XS_MKDIR, tx, "state"); /* changes nothing */
    end(&f->one, tx, "T");
    xs_peer_expect_event(&f->one, "/local/domain/1/state", "t");
    xs_peer_expect_event(&f->one, "/local/domain/1/online", "t");
    xs_peer_expect_event(&f->one, "/local/domain/1/tree", "t");
    xs_peer_expect_event(&f->one, "tree/a/b", "below");
    xs_peer_expect_event(&f->one, "/local/domain/1/tree/new", "t");
    xs_peer_expect_silence(&f->one);
}

/* What was refused for want of room is missing: the rest must not become public without it. */
static void test_no_commit_after_a_refusal_for_want_of_room(void **state)
{
    struct xs_three *f = *state;
    char value[3000];
    memset(value, 'v', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    uint32_t tx = xs_peer_begin(&f->one);
    xs_peer_write(&f->one, tx, "small", "v");
    xs_peer_write(&f->one, tx, "large", value);
    xs_peer_expect_error(&f->one, "ENOSPC");
    end(&f->one, tx, "T");
    xs_peer_expect_error(&f->one, "ENOMEM");
    xs_peer_read(&f->one, 0, "small");
    xs_peer_expect_error(&f->one, "ENOENT");
}

/* A domain hears of a node that a transaction removed if it could read it before. */
static void test_events_of_removed_nodes_keep_secrets(void **state)
{
    struct xs_three *f = *state;
    xs_peer_write(&f->one, 0, "open", "");
    xs_peer_ask(&f->one, XS_SET_PERMS, 0, "open\0n1\0r2");
    xs_peer_write(&f->one, 0, "secret", "");
    xs_peer_ask(&f->two, XS_WATCH, 0, "/local/domain/1\0t");
    xs_peer_expect_event(&f->two, "/local/domain/1", "t");
    uint32_t tx = xs_peer_begin(&f->one);
    xs_peer_ask(&f->one, XS_RM, tx, "secret");
    xs_peer_ask(&f->one, XS_RM, tx, "open");
    end(&f->one, tx, "T");
    xs_peer_expect_event(&f->two, "/local/domain/1/open", "t");
    xs_peer_expect_silence(&f->two);
}

/* A write in place of an earlier one must not move across a removal. */
static void test_order_of_changes_is_kept(void **state)
{
    struct xs_three *f = *state;
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
    struct xs_three *f = *state;
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
        cmocka_unit_test_setup_teardown(test_private_until_commit, xs_three_setup,
                                        xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_snapshot, xs_three_setup, xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_conflicts, xs_three_setup, xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_failed_commit_changes_nothing, xs_three_setup,
                                        xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_abort_and_ids, xs_three_setup, xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_events_at_commit_only, xs_three_setup,
                                        xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_what_was_removed_meanwhile_stays_removed,
                                        xs_three_setup, xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_order_of_events, xs_three_setup, xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_no_commit_after_a_refusal_for_want_of_room,
                                        xs_three_setup, xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_events_of_removed_nodes_keep_secrets, xs_three_setup,
                                        xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_order_of_changes_is_kept, xs_three_setup,
                                        xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_rewriting_one_node_is_bounded, xs_three_setup,
                                        xs_three_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
