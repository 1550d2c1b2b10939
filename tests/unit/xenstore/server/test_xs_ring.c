/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "fakes/xs_peer.h"
#include "xenstore/server/xs_ring.h"

struct fixture {
    struct xs_server *server;
    struct xs_conn *conn;
    struct xenstore_domain_interface page;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    *state = f;
    assert_int_equal(xs_server_create(NULL, &f->server), 0);
    assert_int_equal(xs_server_introduce(f->server, 1), 0);
    memset(&f->page, 0xff, sizeof(f->page));
    xs_ring_init(&f->page);
    return xs_conn_open(f->server, 1, false, NULL, NULL, &f->conn);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    xs_server_destroy(f->server);
    free(f);
    return 0;
}

/* The domain's half, as plainly as can be: the index may stand anywhere. */
static void domain_writes(struct fixture *f, const void *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        f->page.req[f->page.req_prod++ % XENSTORE_RING_SIZE] = ((const char *)bytes)[i];
}

static size_t domain_reads(struct fixture *f, char *bytes)
{
    size_t n = 0;
    while (f->page.rsp_cons != f->page.rsp_prod)
        bytes[n++] = f->page.rsp[f->page.rsp_cons++ % XENSTORE_RING_SIZE];
    return n;
}

static void domain_asks(struct fixture *f, uint32_t type, const char *payload, size_t len)
{
    struct xsd_sockmsg hdr = {type, 3, 0, (uint32_t)len};
    domain_writes(f, &hdr, sizeof(hdr));
    domain_writes(f, payload, len);
}

static bool pump(struct fixture *f)
{
    bool notify = false;
    assert_int_equal(xs_ring_pump(&f->page, f->conn, &notify), 0);
    return notify;
}

static void test_request_and_reply_across_the_wrap(void **state)
{
    struct fixture *f = *state;
    char bytes[XENSTORE_RING_SIZE];
    f->page.req_cons = f->page.req_prod = UINT32_MAX - 9; /* both the ring and the index wrap */
    f->page.rsp_cons = f->page.rsp_prod = UINT32_MAX - 20;
    for (int i = 0; i < 200; i++) {
        domain_asks(f, XS_GET_DOMAIN_PATH, "17", 3);
        assert_true(pump(f));
        assert_int_equal(f->page.req_cons, f->page.req_prod);
        xs_peer_run(f->server);
        assert_true(pump(f));
        assert_int_equal(domain_reads(f, bytes), sizeof(struct xsd_sockmsg) + 17);
        assert_string_equal(bytes + sizeof(struct xsd_sockmsg), "/local/domain/17");
        assert_false(pump(f)); /* nothing moved */
    }
}

static void test_reply_larger_than_the_ring(void **state)
{
    struct fixture *f = *state;
    char bytes[XENSTORE_RING_SIZE], path[64], all[8192];
    struct xs_peer dom0;
    xs_peer_open(&dom0, f->server, 0);
    for (int i = 0; i < 200; i++) {
        snprintf(path, sizeof(path), "/local/domain/1/name-%d", i);
        xs_peer_write(&dom0, 0, path, "");
    }
    xs_peer_ask(&dom0, XS_SET_PERMS, 0, "/local/domain/1\0n1");
    domain_asks(f, XS_DIRECTORY, "/local/domain/1", 16);
    pump(f);
    xs_peer_run(f->server);
    size_t size = 0, n;
    while (pump(f) && (n = domain_reads(f, bytes)) > 0) {
        assert_true(size + n <= sizeof(all));
        memcpy(all + size, bytes, n);
        size += n;
    }
    struct xsd_sockmsg hdr;
    memcpy(&hdr, all, sizeof(hdr));
    assert_int_equal(hdr.type, XS_DIRECTORY);
    assert_int_equal(size, sizeof(hdr) + hdr.len);
    assert_true(hdr.len > XENSTORE_RING_SIZE);
}

static void test_broken_indices(void **state)
{
    static const uint32_t ahead[] = {XENSTORE_RING_SIZE + 1, UINT32_MAX, 1u << 31};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(ahead) / sizeof(ahead[0]); i++) {
        bool notify = false;
        xs_ring_init(&f->page);
        f->page.req_prod = ahead[i];
        assert_int_equal(xs_ring_pump(&f->page, f->conn, &notify), -EPROTO);
        assert_int_equal(f->page.error, XENSTORE_ERROR_RINGIDX);
        assert_true(notify);
        xs_ring_init(&f->page);
        f->page.rsp_cons = 0 - ahead[i];
        assert_int_equal(xs_ring_pump(&f->page, f->conn, &notify), -EPROTO);
        assert_int_equal(f->page.error, XENSTORE_ERROR_RINGIDX);
    }
    struct xs_peer dom0; /* nobody else notices */
    xs_peer_open(&dom0, f->server, 0);
    xs_peer_expect_value(&dom0, 0, "/tool", "");
}

static void test_oversize_request(void **state)
{
    struct fixture *f = *state;
    struct xsd_sockmsg hdr = {XS_WRITE, 0, 0, XENSTORE_PAYLOAD_MAX + 1};
    bool notify = false;
    domain_writes(f, &hdr, sizeof(hdr));
    assert_int_equal(xs_ring_pump(&f->page, f->conn, &notify), -EPROTO);
    assert_int_equal(f->page.error, XENSTORE_ERROR_PROTO);
}

static void test_outstanding_requests_hold_the_ring(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 40; i++)
        domain_asks(f, XS_READ, "k", 2);
    pump(f);
    assert_int_equal(f->page.req_prod - f->page.req_cons, 20 * 18); /* 20 taken */
    xs_peer_run(f->server);
    pump(f);
    assert_int_equal(f->page.req_prod, f->page.req_cons);
}

static void test_reconnection(void **state)
{
    struct fixture *f = *state;
    char bytes[XENSTORE_RING_SIZE];
    domain_asks(f, XS_WATCH, "k\0t", 4);
    domain_writes(f, "half", 4);
    pump(f);
    xs_peer_run(f->server);
    f->page.connection = XENSTORE_RECONNECT;
    assert_true(pump(f));
    assert_int_equal(f->page.connection, XENSTORE_CONNECTED);
    assert_int_equal(f->page.req_prod, 0);
    assert_int_equal(f->page.rsp_prod, 0);
    domain_asks(f, XS_UNWATCH, "k\0t", 4); /* gone with the old connection */
    pump(f);
    xs_peer_run(f->server);
    pump(f);
    domain_reads(f, bytes);
    assert_string_equal(bytes + sizeof(struct xsd_sockmsg), "ENOENT");
}

static bool has_work(struct fixture *f)
{
    return xs_ring_has_work(&f->page, f->conn);
}

static void test_has_work_is_what_pump_would_do(void **state)
{
    struct fixture *f = *state;
    char bytes[XENSTORE_RING_SIZE];
    assert_false(has_work(f));
    domain_asks(f, XS_GET_DOMAIN_PATH, "17", 3);
    assert_true(has_work(f));
    assert_true(pump(f));
    assert_false(has_work(f)); /* it is the server's turn */
    xs_peer_run(f->server);
    assert_true(has_work(f));
    assert_true(pump(f));
    assert_false(has_work(f));
    assert_true(domain_reads(f, bytes) > 0);
    assert_false(has_work(f));
    f->page.rsp_cons -= XENSTORE_RING_SIZE + 1;
    assert_true(has_work(f));
    f->page.rsp_cons = f->page.rsp_prod;
    f->page.connection = XENSTORE_RECONNECT;
    assert_true(has_work(f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_request_and_reply_across_the_wrap, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reply_larger_than_the_ring, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken_indices, setup, teardown),
        cmocka_unit_test_setup_teardown(test_oversize_request, setup, teardown),
        cmocka_unit_test_setup_teardown(test_outstanding_requests_hold_the_ring, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reconnection, setup, teardown),
        cmocka_unit_test_setup_teardown(test_has_work_is_what_pump_would_do, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
