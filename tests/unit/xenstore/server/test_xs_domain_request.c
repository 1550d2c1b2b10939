/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "fakes/xs_three.h"
#include "faults/fault.h"

static int setup(void **state)
{
    (void)xs_three_setup(state);
    struct xs_three *f = *state;
    xs_peer_ask(&f->dom0, XS_MKDIR, 0, "/local/domain/1/data");
    xs_peer_ask(&f->dom0, XS_SET_PERMS, 0, "/local/domain/1\0n0\0r1");
    xs_peer_ask(&f->dom0, XS_SET_PERMS, 0, "/local/domain/1/data\0n1");
    return 0;
}

static void expect(struct xs_peer *peer, uint32_t type, const char *payload, size_t len,
                   const char *answer)
{
    xs_peer_call(peer, type, 0, payload, len);
    assert_string_equal(peer->payload, answer);
}
#define EXPECT(peer, type, literal, answer) expect(peer, type, literal, sizeof(literal), answer)

static void test_domain_questions(void **state)
{
    struct xs_three *f = *state;
    xs_peer_ask(&f->one, XS_GET_DOMAIN_PATH, 0, "12");
    assert_string_equal(f->one.payload, "/local/domain/12");
    xs_peer_ask(&f->dom0, XS_IS_DOMAIN_INTRODUCED, 0, "1");
    assert_string_equal(f->dom0.payload, "T");
    xs_peer_ask(&f->dom0, XS_IS_DOMAIN_INTRODUCED, 0, "3");
    assert_string_equal(f->dom0.payload, "F");
    xs_peer_ask(&f->dom0, XS_IS_DOMAIN_INTRODUCED, 0, "32752"); /* DOMID_SELF */
    assert_string_equal(f->dom0.payload, "T");
    xs_peer_ask(&f->dom0, XS_IS_DOMAIN_INTRODUCED, 0, "65537");
    assert_string_equal(f->dom0.payload, "F");
    xs_peer_ask(&f->dom0, XS_IS_DOMAIN_INTRODUCED, 0, "-1");
    assert_string_equal(f->dom0.payload, "F");
    EXPECT(&f->one, XS_GET_DOMAIN_PATH, "1\0002", "EINVAL");
    xs_peer_call(&f->one, XS_GET_DOMAIN_PATH, 0, "1", 1); /* without its NUL */
    xs_peer_expect_error(&f->one, "EINVAL");
    xs_peer_ask(&f->dom0, XS_GET_DOMAIN_PATH, 0, "nosuch"); /* what is no number is 0 */
    assert_string_equal(f->dom0.payload, "/local/domain/0");
    xs_peer_ask(&f->dom0, XS_IS_DOMAIN_INTRODUCED, 0, "x");
    assert_string_equal(f->dom0.payload, "T");
}

static void test_errors_of_the_toolstacks_requests(void **state)
{
    struct xs_three *f = *state;
    EXPECT(&f->dom0, XS_INTRODUCE, "77\0001\0001", "EINVAL"); /* nobody can bring it in */
    EXPECT(&f->dom0, XS_INTRODUCE, "1\0001\0000", "EINVAL");  /* no port */
    EXPECT(&f->dom0, XS_INTRODUCE, "1\0001", "EINVAL");
    EXPECT(&f->dom0, XS_RELEASE, "77", "ENOENT");
    EXPECT(&f->dom0, XS_RELEASE, "0", "EINVAL");
    EXPECT(&f->dom0, XS_RELEASE, "x", "EINVAL");
    EXPECT(&f->dom0, XS_RELEASE, "1\0002", "EINVAL");
    EXPECT(&f->dom0, XS_RESUME, "77", "ENOENT");
    EXPECT(&f->dom0, XS_RESUME, "0", "EINVAL");
    EXPECT(&f->dom0, XS_RESUME, "1", "OK");
    EXPECT(&f->dom0, XS_SET_TARGET, "1\00077", "ENOENT");
    EXPECT(&f->dom0, XS_SET_TARGET, "77\0001", "ENOENT");
    EXPECT(&f->dom0, XS_SET_TARGET, "1", "EINVAL");
}

/* For a domain that is there, INTRODUCE drops watches and transactions. */
static void test_introducing_again(void **state)
{
    struct xs_three *f = *state;
    xs_peer_ask(&f->one, XS_WATCH, 0, "data\0t");
    xs_peer_expect_event(&f->one, "data", "t");
    uint32_t tx = xs_peer_begin(&f->one);
    EXPECT(&f->dom0, XS_INTRODUCE, "1\0001\0001", "OK");
    xs_peer_write(&f->one, 0, "data/x", "");
    xs_peer_expect_silence(&f->one);
    xs_peer_read(&f->one, tx, "data/x");
    xs_peer_expect_error(&f->one, "ENOENT");
}

/* A domain that is released lives on without a store; what Dom0 has in its home stays. */
static void test_release(void **state)
{
    struct xs_three *f = *state;
    xs_peer_ask(&f->dom0, XS_WATCH, 0, "@releaseDomain\0r\0001");
    xs_peer_expect_event(&f->dom0, "@releaseDomain", "r");
    xs_peer_write(&f->one, 0, "data/x", "");
    xs_peer_write(&f->dom0, 0, "/local/domain/1/name", "n");
    EXPECT(&f->dom0, XS_RELEASE, "1", "OK");
    xs_peer_expect_event(&f->dom0, "@releaseDomain/1", "r");
    EXPECT(&f->dom0, XS_IS_DOMAIN_INTRODUCED, "1", "F");
    assert_int_equal(xs_conn_input_room(f->one.conn), 0);
    assert_int_equal(xs_server_nodes(f->server, 1), 0);
    xs_peer_expect_value(&f->dom0, 0, "/local/domain/1/name", "n");
    xs_peer_read(&f->dom0, 0, "/local/domain/1/data");
    xs_peer_expect_error(&f->dom0, "ENOENT");
    EXPECT(&f->dom0, XS_INTRODUCE, "1\0001\0001", "EINVAL");
    xs_server_release(f->server, 1); /* its end: there is nothing to tell any more */
    xs_peer_expect_silence(&f->dom0);
}

static void test_target(void **state)
{
    struct xs_three *f = *state;
    xs_peer_write(&f->two, 0, "/local/domain/1/data/x", "");
    xs_peer_expect_error(&f->two, "EACCES");
    xs_peer_ask(&f->two, XS_WATCH, 0, "/local/domain/1\0t");
    xs_peer_expect_event(&f->two, "/local/domain/1", "t");
    EXPECT(&f->dom0, XS_SET_TARGET, "2\0001", "OK");
    xs_peer_write(&f->two, 0, "/local/domain/1/data/x", "");
    xs_peer_expect_ok(&f->two, XS_WRITE);
    xs_peer_expect_event(&f->two, "/local/domain/1/data/x", "t");
    xs_peer_ask(&f->two, XS_GET_PERMS, 0, "/local/domain/1/data/x");
    assert_memory_equal(f->two.payload, "n2", 3);
    xs_server_release(f->server, 1);
    assert_int_equal(xs_server_introduce(f->server, 1), 0); /* another one */
    xs_peer_ask(&f->dom0, XS_MKDIR, 0, "/local/domain/1");
    xs_peer_ask(&f->dom0, XS_SET_PERMS, 0, "/local/domain/1\0n1");
    xs_peer_read(&f->two, 0, "/local/domain/1");
    xs_peer_expect_error(&f->two, "EACCES");
}

static void test_features(void **state)
{
    struct xs_three *f = *state;
    xs_peer_call(&f->dom0, XS_GET_FEATURE, 0, "", 0);
    assert_string_equal(f->dom0.payload, "15");
    xs_peer_call(&f->one, XS_GET_FEATURE, 0, "", 0);
    assert_string_equal(f->one.payload, "15");
    EXPECT(&f->dom0, XS_GET_FEATURE, "1", "15");
    EXPECT(&f->dom0, XS_GET_FEATURE, "", "EINVAL");
    EXPECT(&f->dom0, XS_GET_FEATURE, "1x", "EINVAL");
    EXPECT(&f->dom0, XS_GET_FEATURE, "1\0002", "EINVAL");
    EXPECT(&f->dom0, XS_GET_FEATURE, "77", "ENOENT");
    EXPECT(&f->one, XS_GET_FEATURE, "1", "EACCES");
    EXPECT(&f->dom0, XS_SET_FEATURE, "1\0002", "EBUSY");
    EXPECT(&f->dom0, XS_SET_FEATURE, "77\0002", "ENOENT");
    EXPECT(&f->dom0, XS_SET_FEATURE, "1", "EINVAL");
}

static void test_quotas(void **state)
{
    struct xs_three *f = *state;
    xs_peer_call(&f->dom0, XS_GET_QUOTA, 0, "", 0);
    assert_string_equal(f->dom0.payload, "nodes watches transactions outstanding "
                                         "transaction-nodes node-size path-max permissions");
    EXPECT(&f->dom0, XS_GET_QUOTA, "nodes", "1000");
    EXPECT(&f->dom0, XS_GET_QUOTA, "1\0nodes", "1000");
    EXPECT(&f->dom0, XS_GET_QUOTA, "77\0nodes", "ENOENT");
    EXPECT(&f->dom0, XS_GET_QUOTA, "x\0nodes", "EINVAL");
    EXPECT(&f->dom0, XS_GET_QUOTA, "memory", "EINVAL");
    EXPECT(&f->dom0, XS_GET_QUOTA, "1\0nodes\0more", "EINVAL");
    EXPECT(&f->dom0, XS_SET_QUOTA, "1\0permissions\0002", "OK");
    EXPECT(&f->dom0, XS_SET_QUOTA, "watches\0007", "OK");
    EXPECT(&f->dom0, XS_GET_QUOTA, "1\0permissions", "2");
    EXPECT(&f->dom0, XS_GET_QUOTA, "permissions", "5");
    EXPECT(&f->dom0, XS_GET_QUOTA, "2\0watches", "7");
    EXPECT(&f->dom0, XS_SET_QUOTA, "memory\0001", "EINVAL");
    EXPECT(&f->dom0, XS_SET_QUOTA, "watches\000-1", "EINVAL");
    EXPECT(&f->dom0, XS_SET_QUOTA, "watches", "EINVAL");
    EXPECT(&f->dom0, XS_SET_QUOTA, "77\0watches\0001", "ENOENT");
}

/* Each limit by its name, for one domain: what it does, and that 0 is none. */
static void test_quotas_bind(void **state)
{
    struct xs_three *f = *state;
    EXPECT(&f->dom0, XS_SET_QUOTA, "1\0permissions\0001", "OK");
    EXPECT(&f->one, XS_SET_PERMS, "data\0n1\0r2", "ENOSPC");
    EXPECT(&f->dom0, XS_SET_QUOTA, "1\0permissions\0000", "OK");
    EXPECT(&f->one, XS_SET_PERMS, "data\0n1\0r2\0r2\0r2\0r2\0r2\0r2", "OK");
    EXPECT(&f->dom0, XS_SET_QUOTA, "1\0nodes\0001", "OK");
    EXPECT(&f->one, XS_MKDIR, "data/x", "ENOSPC");
    EXPECT(&f->dom0, XS_SET_QUOTA, "1\0nodes\0002", "OK");
    EXPECT(&f->one, XS_MKDIR, "data/x", "OK");
    EXPECT(&f->dom0, XS_SET_QUOTA, "1\0node-size\00040", "OK");
    EXPECT(&f->one, XS_WRITE, "data/x\0value", "ENOSPC");
    EXPECT(&f->dom0, XS_SET_QUOTA, "1\0path-max\0005", "OK");
    EXPECT(&f->one, XS_READ, "data/x", "EINVAL");
    EXPECT(&f->two, XS_READ, "data/x", "EACCES"); /* another domain */
    EXPECT(&f->dom0, XS_SET_QUOTA, "1\0path-max\0000", "OK");
    EXPECT(&f->dom0, XS_SET_QUOTA, "1\0transactions\0001", "OK");
    uint32_t tx = xs_peer_begin(&f->one);
    xs_peer_begin(&f->one);
    EXPECT(&f->one, XS_TRANSACTION_START, "", "ENOSPC");
    EXPECT(&f->dom0, XS_SET_QUOTA, "1\0transaction-nodes\0001", "OK");
    xs_peer_read(&f->one, tx, "data");
    assert_int_equal(f->one.hdr.type, XS_READ);
    xs_peer_read(&f->one, tx, "data/x");
    xs_peer_expect_error(&f->one, "ENOSPC");
    EXPECT(&f->dom0, XS_SET_QUOTA, "1\0outstanding\0001", "OK");
    const struct xsd_sockmsg hdr = {XS_RESET_WATCHES, 0, 0, 0};
    xs_peer_put(&f->one, &hdr, sizeof(hdr));
    assert_int_equal(xs_conn_input_room(f->one.conn), 0);
    xs_peer_run(f->server);
    xs_server_release(f->server, 1);
    assert_int_equal(xs_server_introduce(f->server, 1), 0); /* another one starts afresh */
    EXPECT(&f->dom0, XS_GET_QUOTA, "1\0outstanding", "20");
}

static void test_a_path_is_of_a_domain(void **state)
{
    struct xs_three *f = *state;
    xs_peer_call(&f->dom0, XS_IS_DOMAIN_INTRODUCED, 0, "1", 1); /* without its NUL */
    xs_peer_expect_error(&f->dom0, "EINVAL");
    xs_peer_ask(&f->dom0, XS_GET_DOMAIN_PATH, 0, "1\0002");
    xs_peer_expect_error(&f->dom0, "EINVAL");
}

static void test_without_memory_a_domain_gets_no_limits_of_its_own(void **state)
{
    struct xs_three *f = *state;
    xs_peer_send(&f->dom0, XS_SET_QUOTA, 0, "1\0nodes\0007", sizeof("1\0nodes\0007"));
    fault_arm(1, FAULT_ONCE);
    xs_peer_run(f->server);
    assert_non_null(fault_disarm());
    assert_true(xs_peer_take(&f->dom0));
    xs_peer_expect_error(&f->dom0, "ENOMEM");
    xs_peer_ask(&f->dom0, XS_SET_QUOTA, 0, "1\0nodes\0007");
    xs_peer_expect_ok(&f->dom0, XS_SET_QUOTA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_domain_questions, setup, xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_errors_of_the_toolstacks_requests, setup,
                                        xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_introducing_again, setup, xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_release, setup, xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_target, setup, xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_features, setup, xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_quotas, setup, xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_quotas_bind, setup, xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_a_path_is_of_a_domain, setup, xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_without_memory_a_domain_gets_no_limits_of_its_own,
                                        setup, xs_three_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
