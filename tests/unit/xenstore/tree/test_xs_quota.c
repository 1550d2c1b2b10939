/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "fakes/xs_peer.h"

static struct xs_server *server;
static struct xs_peer dom0, one;

static int setup(void **state)
{
    (void)state;
    assert_int_equal(xs_server_create(NULL, &server), 0);
    assert_int_equal(xs_server_introduce(server, 1), 0);
    xs_peer_open(&dom0, server, 0);
    xs_peer_open(&one, server, 1);
    xs_peer_ask(&dom0, XS_MKDIR, 0, "/local/domain/1");
    xs_peer_ask(&dom0, XS_SET_PERMS, 0, "/local/domain/1\0n1");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(xs_server_check(server), 0);
    xs_server_destroy(server);
    return 0;
}

static void test_nodes(void **state)
{
    (void)state;
    char path[16];
    for (int i = 0; i < 989; i++) { /* in ten directories, and there is its home */
        snprintf(path, sizeof(path), "d%d/n%d", i % 10, i);
        xs_peer_write(&one, 0, path, "");
        xs_peer_expect_ok(&one, XS_WRITE);
    }
    assert_int_equal(xs_server_nodes(server, 1), 1000);
    xs_peer_write(&one, 0, "more", "");
    xs_peer_expect_error(&one, "ENOSPC");
    uint32_t tx = xs_peer_begin(&one);
    xs_peer_write(&one, tx, "more", "");
    xs_peer_expect_error(&one, "ENOSPC");
    xs_peer_write(&one, 0, "d1/n1", "again"); /* no new node */
    xs_peer_expect_ok(&one, XS_WRITE);
    xs_peer_ask(&one, XS_RM, 0, "d1/n1");
    xs_peer_write(&one, 0, "a/b", ""); /* one too many */
    xs_peer_expect_error(&one, "ENOSPC");
    xs_peer_read(&one, 0, "a");
    xs_peer_expect_error(&one, "ENOENT");
    xs_peer_write(&dom0, 0, "/local/domain/1/by-dom0/x/y", ""); /* Dom0 is not bound */
    xs_peer_expect_ok(&dom0, XS_WRITE);
    assert_int_equal(xs_server_nodes(server, 1), 1002);
    xs_server_release(server, 1);
    assert_int_equal(xs_server_nodes(server, 1), 0);
}

/* Two transactions that fit one by one but not together. */
static void test_nodes_at_commit(void **state)
{
    (void)state;
    char path[16];
    xs_peer_ask(&one, XS_MKDIR, 0, "d0");
    xs_peer_ask(&one, XS_MKDIR, 0, "d1");
    uint32_t tx[2] = {xs_peer_begin(&one), xs_peer_begin(&one)};
    for (int i = 0; i < 600; i++) {
        snprintf(path, sizeof(path), "d%d/n%d", i % 2, i);
        xs_peer_write(&one, tx[i % 2], path, "");
        snprintf(path, sizeof(path), "d%d/n0/%d", i % 2, i);
        xs_peer_write(&one, tx[i % 2], path, "");
        xs_peer_expect_ok(&one, XS_WRITE);
    }
    xs_peer_ask(&one, XS_TRANSACTION_END, tx[0], "T");
    xs_peer_expect_ok(&one, XS_TRANSACTION_END);
    xs_peer_ask(&one, XS_TRANSACTION_END, tx[1], "T");
    xs_peer_expect_error(&one, "ENOSPC");
    assert_int_equal(xs_server_nodes(server, 1), 603);
}

static void write_bytes(const char *path, size_t count)
{
    static char payload[XENSTORE_PAYLOAD_MAX];
    size_t path_size = strlen(path) + 1;
    memcpy(payload, path, path_size);
    memset(payload + path_size, 'v', count);
    xs_peer_call(&one, XS_WRITE, 0, payload, path_size + count);
}

/* 2048 bytes are too many: 24 for the node, 8 for each permission, value, names of the children. */
static void test_node_size(void **state)
{
    (void)state;
    char path[2100];
    write_bytes("k", 2016);
    xs_peer_expect_error(&one, "ENOSPC");
    write_bytes("k", 2015);
    xs_peer_expect_ok(&one, XS_WRITE);
    xs_peer_ask(&one, XS_SET_PERMS, 0, "k\0n1\0r0");
    xs_peer_expect_error(&one, "ENOSPC");
    write_bytes("k", 2016); /* also when it is there already */
    xs_peer_expect_error(&one, "ENOSPC");
    xs_peer_write(&one, 0, "k/child", "");
    xs_peer_expect_error(&one, "ENOSPC");
    xs_peer_read(&one, 0, "k/child");
    xs_peer_expect_error(&one, "ENOENT");
    write_bytes("k", 2015 - 5);
    xs_peer_write(&one, 0, "k/child", ""); /* its name and a NUL take six */
    xs_peer_expect_error(&one, "ENOSPC");
    write_bytes("k", 2015 - 6);
    xs_peer_write(&one, 0, "k/child", "");
    xs_peer_expect_ok(&one, XS_WRITE);
    memset(path, 'n', sizeof(path));
    path[0] = 'd';
    path[1] = '/';
    path[2 + 2015] = '\0'; /* with its NUL one too many */
    xs_peer_write(&one, 0, path, "");
    xs_peer_expect_error(&one, "ENOSPC");
    path[2 + 2014] = '\0';
    xs_peer_write(&one, 0, path, "");
    xs_peer_expect_ok(&one, XS_WRITE);
    memcpy(path, "/local/domain/1/by0", 20);
    xs_peer_write(&dom0, 0, path, ""); /* Dom0 is not bound */
    xs_peer_expect_ok(&dom0, XS_WRITE);
}

static void test_permissions(void **state)
{
    (void)state;
    xs_peer_write(&one, 0, "k", "");
    xs_peer_ask(&one, XS_SET_PERMS, 0, "k\0n1\0r0\0r0\0r0\0r0");
    xs_peer_expect_ok(&one, XS_SET_PERMS);
    xs_peer_ask(&one, XS_SET_PERMS, 0, "k\0n1\0r0\0r0\0r0\0r0\0r0");
    xs_peer_expect_error(&one, "ENOSPC");
    xs_peer_ask(&dom0, XS_SET_PERMS, 0, "/local/domain/1/k\0n1\0r0\0r0\0r0\0r0\0r0");
    xs_peer_expect_ok(&dom0, XS_SET_PERMS);
}

static void test_watches(void **state)
{
    (void)state;
    char payload[32];
    for (int i = 0; i <= 129; i++) { /* refused when more than 128 are there */
        int len = snprintf(payload, sizeof(payload), "w%d%ct", i, '\0');
        xs_peer_call(&one, XS_WATCH, 0, payload, (size_t)len + 1);
        if (i < 129)
            xs_peer_expect_ok(&one, XS_WATCH);
    }
    xs_peer_expect_error(&one, "E2BIG");
    xs_peer_ask(&one, XS_WATCH, 0, "w0\0t");
    xs_peer_expect_error(&one, "EEXIST");
    xs_peer_ask(&one, XS_UNWATCH, 0, "w0\0t");
    xs_peer_ask(&one, XS_WATCH, 0, "w129\0t");
    xs_peer_expect_ok(&one, XS_WATCH);
}

static void test_transactions(void **state)
{
    (void)state;
    uint32_t tx = 0;
    for (int i = 0; i < 11; i++) /* refused when more than 10 are open */
        tx = xs_peer_begin(&one);
    xs_peer_ask(&one, XS_TRANSACTION_START, 0, "");
    xs_peer_expect_error(&one, "ENOSPC");
    xs_peer_ask(&one, XS_TRANSACTION_END, tx, "F");
    tx = xs_peer_begin(&one);
    char path[16];
    for (int i = 0; i < 1023; i++) { /* and the directory that they are not in */
        snprintf(path, sizeof(path), "r%d", i);
        xs_peer_read(&one, tx, path);
        xs_peer_expect_error(&one, "ENOENT");
    }
    xs_peer_read(&one, tx, "r0");
    xs_peer_expect_error(&one, "ENOENT");
    xs_peer_read(&one, tx, "more");
    xs_peer_expect_error(&one, "ENOSPC");
    xs_peer_ask(&one, XS_RESET_WATCHES, 0, "");
    for (int i = 0; i < 11; i++)
        xs_peer_begin(&one);
}

static void test_outstanding_requests(void **state)
{
    (void)state;
    int accepted = 0;
    const struct xsd_sockmsg hdr = {XS_READ, 0, 0, 2};
    while (xs_conn_input_room(one.conn) > 0) {
        xs_peer_put(&one, &hdr, sizeof(hdr));
        xs_peer_put(&one, "k", 2);
        accepted++;
    }
    assert_int_equal(accepted, 20);
    xs_server_run(server, 1);
    assert_int_equal(xs_conn_input_room(one.conn), sizeof(hdr));
}

static void test_path_length(void **state)
{
    (void)state;
    char path[2100];
    memset(path, 'p', sizeof(path));
    memcpy(path, "/local/domain/1/", 16);
    path[16 + 2048] = '\0';
    xs_peer_read(&one, 0, path);
    xs_peer_expect_error(&one, "ENOENT");
    path[16 + 2048] = 'p';
    path[16 + 2049] = '\0';
    xs_peer_read(&one, 0, path);
    xs_peer_expect_error(&one, "EINVAL");
    xs_peer_read(&dom0, 0, path); /* for everybody */
    xs_peer_expect_error(&dom0, "EINVAL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nodes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nodes_at_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_node_size, setup, teardown),
        cmocka_unit_test_setup_teardown(test_permissions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_watches, setup, teardown),
        cmocka_unit_test_setup_teardown(test_transactions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_outstanding_requests, setup, teardown),
        cmocka_unit_test_setup_teardown(test_path_length, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
