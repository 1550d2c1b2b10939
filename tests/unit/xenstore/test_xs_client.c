/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "fakes/xs_peer.h"
#include "faults/fault_walk.h"
#include "xenstore/server/xs_local.h"
#include "xenstore/server/xs_ring.h"
#include "xenstore/xs_client.h"

/* The store runs inside the client's wait callback: one thread, no time passes. */
struct fixture {
    struct xs_server *server;
    struct xs_conn *conn;
    struct xenstore_domain_interface page;
    struct xs_client *client;
    int notified;                   /* times that the store was told */
    void (*lie)(struct fixture *f); /* instead of the store */
};

static void notify(void *ctx)
{
    struct fixture *f = ctx;
    f->notified++;
}

static int wait_for_store(void *ctx, int timeout_ms)
{
    struct fixture *f = ctx;
    assert_true(timeout_ms > 0);
    if (f->lie != NULL) {
        f->lie(f);
        return 0;
    }
    bool told = false;
    assert_int_equal(xs_ring_pump(&f->page, f->conn, &told), 0);
    xs_peer_run(f->server);
    assert_int_equal(xs_ring_pump(&f->page, f->conn, &told), 0);
    return told ? 0 : -ENOTCONN; /* nothing will ever come */
}

static const struct xs_client_ops ops = {notify, wait_for_store};

static int setup(void **state)
{
    static const char *const perms[] = {"n1"};
    struct fixture *f = calloc(1, sizeof(*f));
    *state = f;
    assert_int_equal(xs_server_create(NULL, &f->server), 0);
    assert_int_equal(xs_server_introduce(f->server, 1), 0);
    xs_local_write(f->server, "/local/domain/1", "");
    xs_local_set_perms(f->server, "/local/domain/1", perms, 1);
    xs_ring_init(&f->page);
    assert_int_equal(xs_conn_open(f->server, 1, false, NULL, NULL, &f->conn), 0);
    return xs_client_create(&f->page, &ops, f, &f->client);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    xs_client_destroy(f->client);
    xs_client_destroy(NULL);
    xs_server_destroy(f->server);
    free(f);
    return 0;
}

static void test_nodes(void **state)
{
    struct fixture *f = *state;
    char text[8];
    uint64_t n = 1;
    assert_int_equal(xs_client_writef(f->client, 0, "device/k", "%d", 42), 0);
    assert_int_equal(xs_client_read(f->client, 0, "device/k", text, sizeof(text)), 2);
    assert_string_equal(text, "42");
    assert_int_equal(xs_client_read(f->client, 0, "device/k", text, 2), -E2BIG);
    assert_int_equal(xs_client_read_u64(f->client, 0, "/local/domain/1/device/k", 42, &n), 0);
    assert_int_equal(n, 42);
    assert_int_equal(xs_client_read_u64(f->client, 0, "device/k", 41, &n), -ERANGE);
    assert_int_equal(xs_client_write(f->client, 0, "device/k", "0"), 0);
    assert_int_equal(xs_client_read_u64(f->client, 0, "device/k", 0, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(xs_client_read(f->client, 0, "none", text, sizeof(text)), -ENOENT);
    assert_int_equal(xs_client_write(f->client, 0, "/tool/x", ""), -EACCES);
    assert_int_equal(xs_client_write(f->client, 0, "dir", ""), 0);
    assert_int_equal(xs_client_rm(f->client, 0, "dir"), 0);
    assert_int_equal(xs_client_rm(f->client, 0, "dir/x"), -ENOENT);
    assert_true(f->notified > 0);
}

static void test_messages_larger_than_the_ring(void **state)
{
    struct fixture *f = *state;
    char value[2001], back[2001];
    memset(value, 'v', 2000);
    value[2000] = '\0';
    for (int i = 0; i < 20; i++) {
        assert_int_equal(xs_client_write(f->client, 0, "big", value), 0);
        assert_int_equal(xs_client_read(f->client, 0, "big", back, sizeof(back)), 2000);
        assert_string_equal(back, value);
    }
    char huge[5000];
    memset(huge, 'h', sizeof(huge) - 1);
    huge[sizeof(huge) - 1] = '\0';
    assert_int_equal(xs_client_write(f->client, 0, "big", huge), -E2BIG);
    assert_int_equal(xs_client_writef(f->client, 0, "big", "%s", huge), -E2BIG);
    assert_int_equal(xs_client_rm(f->client, 0, huge), -E2BIG);
    assert_int_equal(xs_client_write(f->client, 0, "big", "small"), 0);
}

static void test_transaction_with_a_retry(void **state)
{
    struct fixture *f = *state;
    uint64_t n = 0;
    int tries = 0, rc;
    xs_client_write(f->client, 0, "n", "1");
    do {
        uint32_t tx = 0;
        assert_int_equal(xs_client_transaction_start(f->client, &tx), 0);
        assert_int_equal(xs_client_read_u64(f->client, tx, "n", 100, &n), 0);
        if (tries++ == 0)
            xs_local_write(f->server, "/local/domain/1/n", "10");
        assert_int_equal(xs_client_writef(f->client, tx, "n", "%d", (int)n + 1), 0);
        rc = xs_client_transaction_end(f->client, tx, true);
    } while (rc == -EAGAIN);
    assert_int_equal(rc, 0);
    assert_int_equal(tries, 2);
    assert_int_equal(xs_local_read_u64(f->server, "/local/domain/1/n", 100, &n), 0);
    assert_int_equal(n, 11);
}

static void test_events(void **state)
{
    struct fixture *f = *state;
    char path[64], token[16];
    assert_int_equal(xs_client_watch(f->client, "w", "t"), 0);
    assert_int_equal(xs_client_next_event(f->client, 1000, path, 64, token, 16), 0);
    assert_string_equal(path, "w");
    assert_string_equal(token, "t");
    assert_int_equal(xs_client_next_event(f->client, 0, path, 64, token, 16), -ETIMEDOUT);
    xs_local_write(f->server, "/local/domain/1/w/x", "");
    assert_int_equal(xs_client_next_event(f->client, 1000, path, 64, token, 16), 0);
    assert_string_equal(path, "w/x");
    xs_local_write(f->server, "/local/domain/1/w/x", "");
    assert_int_equal(xs_client_write(f->client, 0, "other", ""),
                     0); /* the event comes in between */
    assert_int_equal(xs_client_next_event(f->client, 0, path, 3, token, 16), -E2BIG);
    assert_int_equal(xs_client_next_event(f->client, 0, path, 64, token, 16), -ETIMEDOUT);
}

static void test_death_of_the_store_is_final(void **state)
{
    struct fixture *f = *state;
    char path[64], token[16];
    assert_int_equal(xs_client_next_event(f->client, 1000, path, 64, token, 16), -ENOTCONN);
    assert_int_equal(xs_client_write(f->client, 0, "d", ""), -ENOTCONN);
}

static void put_reply(struct fixture *f, struct xsd_sockmsg hdr, const char *payload, size_t n)
{
    for (size_t i = 0; i < sizeof(hdr); i++)
        f->page.rsp[f->page.rsp_prod++ % XENSTORE_RING_SIZE] = ((char *)&hdr)[i];
    for (size_t i = 0; i < n; i++)
        f->page.rsp[f->page.rsp_prod++ % XENSTORE_RING_SIZE] = payload[i];
}

/* A fine reply, but the index says that there is more than a ring holds. */
static void lie_index(struct fixture *f)
{
    put_reply(f, (struct xsd_sockmsg){XS_WRITE, 1, 0, 3}, "OK", 3);
    f->page.rsp_prod = XENSTORE_RING_SIZE + 1;
}

static void lie_backwards(struct fixture *f)
{
    f->page.req_cons--;
}

static void lie_length(struct fixture *f)
{
    put_reply(f, (struct xsd_sockmsg){XS_WRITE, 1, 0, XENSTORE_PAYLOAD_MAX + 1}, "", 0);
}

static void lie_type(struct fixture *f)
{
    put_reply(f, (struct xsd_sockmsg){XS_READ, 1, 0, 3}, "OK", 3);
}

static void lie_id(struct fixture *f)
{
    put_reply(f, (struct xsd_sockmsg){XS_WRITE, 2, 0, 3}, "OK", 3);
}

static void lie_transaction(struct fixture *f)
{
    put_reply(f, (struct xsd_sockmsg){XS_WRITE, 1, 9, 3}, "OK", 3);
}

static void lie_text(struct fixture *f)
{
    put_reply(f, (struct xsd_sockmsg){XS_WRITE, 1, 0, 2}, "OK", 2);
}

static void lie_nothing(struct fixture *f)
{
    put_reply(f, (struct xsd_sockmsg){XS_WRITE, 1, 0, 0}, "", 0);
}

static void lie_error(struct fixture *f)
{
    put_reply(f, (struct xsd_sockmsg){XS_ERROR, 1, 0, 6}, "ENOENT", 6);
}

static void lie_empty_error(struct fixture *f)
{
    put_reply(f, (struct xsd_sockmsg){XS_ERROR, 1, 0, 0}, "", 0);
}

static void lie_event(struct fixture *f)
{
    put_reply(f, (struct xsd_sockmsg){XS_WATCH_EVENT, 0, 0, 4}, "path", 4);
}

static void lie_event_without_token(struct fixture *f)
{
    put_reply(f, (struct xsd_sockmsg){XS_WATCH_EVENT, 0, 0, 5}, "path", 5);
}

static void lie_event_of_three(struct fixture *f)
{
    put_reply(f, (struct xsd_sockmsg){XS_WATCH_EVENT, 0, 0, 6}, "p\0t\0x", 6);
}

static void lie_error_word(struct fixture *f)
{
    f->page.error = XENSTORE_ERROR_COMM;
}

static void lie_flood(struct fixture *f)
{
    char event[16];
    int n = snprintf(event, sizeof(event), "p%d%ct", f->notified++, '\0');
    put_reply(f, (struct xsd_sockmsg){XS_WATCH_EVENT, 0, 0, (uint32_t)n + 1}, event, (size_t)n + 1);
}

static void test_a_lying_store(void **state)
{
    static void (*const lies[])(struct fixture *) = {
        lie_index, lie_backwards,           lie_length,         lie_type,
        lie_id,    lie_transaction,         lie_text,           lie_nothing,
        lie_error, lie_empty_error,         lie_event,          lie_error_word,
        lie_flood, lie_event_without_token, lie_event_of_three,
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        xs_client_destroy(f->client);
        xs_ring_init(&f->page);
        assert_int_equal(xs_client_create(&f->page, &ops, f, &f->client), 0);
        f->lie = lies[i];
        assert_int_equal(xs_client_write(f->client, 0, "d", ""), -EPROTO);
        f->lie = NULL;
        assert_int_equal(xs_client_write(f->client, 0, "d", ""), -EPROTO); /* for good */
    }
}

static void lie_early(struct fixture *f)
{
    put_reply(f, (struct xsd_sockmsg){XS_WRITE, 1, 0, 3}, "OK", 3);
}

/* A reply to a request that is not even sent. */
static void test_reply_before_the_request(void **state)
{
    struct fixture *f = *state;
    char value[2001];
    memset(value, 'v', 2000);
    value[2000] = '\0';
    f->lie = lie_early;
    assert_int_equal(xs_client_write(f->client, 0, "k", value), -EPROTO);
}

static void lie_transaction_id(struct fixture *f)
{
    put_reply(f, (struct xsd_sockmsg){XS_TRANSACTION_START, 1, 0, 2}, "0", 2);
}

static void test_transaction_number_zero(void **state)
{
    struct fixture *f = *state;
    uint32_t tx;
    f->lie = lie_transaction_id;
    assert_int_equal(xs_client_transaction_start(f->client, &tx), -EPROTO);
}

static int begin_and_end(void *arg)
{
    struct fixture *f = arg;
    struct xs_client *client;
    int rc = xs_client_create(&f->page, &ops, f, &client);
    if (rc == 0)
        xs_client_destroy(client);
    return rc;
}

static void test_without_memory_there_is_no_client(void **state)
{
    assert_int_equal(fault_walk(begin_and_end, *state), 1);
}

static void test_without_memory_for_an_event_all_ends(void **state)
{
    struct fixture *f = *state;
    char path[64], token[16];
    f->lie = lie_flood; /* an event, as the store sends them */
    fault_arm_call("malloc", 1, ENOMEM);
    assert_int_equal(xs_client_next_event(f->client, 1000, path, 64, token, 16), -ENOMEM);
    assert_string_equal(fault_disarm(), "malloc");
    assert_int_equal(xs_client_next_event(f->client, 1000, path, 64, token, 16), -ENOMEM);
}

static void test_equal_events_are_merged(void **state)
{
    struct fixture *f = *state;
    char path[64], token[16];
    const struct xsd_sockmsg hdr = {XS_WATCH_EVENT, 0, 0, 4};
    put_reply(f, hdr, "p\0t", 4);
    put_reply(f, hdr, "p\0u", 4);
    put_reply(f, hdr, "p\0t", 4);
    assert_int_equal(xs_client_write(f->client, 0, "k", ""), 0); /* takes them all in */
    assert_int_equal(xs_client_next_event(f->client, 1000, path, 64, token, 16), 0);
    assert_string_equal(token, "t");
    assert_int_equal(xs_client_next_event(f->client, 1000, path, 64, token, 16), 0);
    assert_string_equal(token, "u");
    assert_int_equal(xs_client_next_event(f->client, 1000, path, 64, token, 16), -ENOTCONN);
}

static void test_an_answer_instead_of_an_event_ends_all(void **state)
{
    struct fixture *f = *state;
    char path[64], token[16];
    f->lie = lie_early;
    assert_int_equal(xs_client_next_event(f->client, 1000, path, 64, token, 16), -EPROTO);
    assert_int_equal(xs_client_write(f->client, 0, "k", ""), -EPROTO);
}

static void test_a_value_with_a_nul_is_no_text(void **state)
{
    struct fixture *f = *state;
    struct xs_peer dom0;
    char text[8];
    xs_peer_open(&dom0, f->server, 0);
    xs_peer_call(&dom0, XS_WRITE, 0, "/local/domain/1/k\0a\0b", 21);
    assert_int_equal(xs_client_read(f->client, 0, "k", text, sizeof(text)), -EINVAL);
}

/* The page is mapped elsewhere, and who waits has another context. */
static void test_a_client_moves_with_its_page(void **state)
{
    struct fixture *f = *state;
    struct fixture elsewhere = *f;
    xs_ring_init(&f->page);
    f->page.req_prod = f->page.req_cons = 77; /* where it was before: not the protocol's */
    xs_client_move(f->client, &elsewhere.page, &elsewhere);
    assert_int_equal(xs_client_write(f->client, 0, "k", ""), 0);
    assert_int_equal(f->notified, 0);
    assert_true(elsewhere.notified > 0);
    assert_int_equal(f->page.req_prod, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nodes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_messages_larger_than_the_ring, setup, teardown),
        cmocka_unit_test_setup_teardown(test_transaction_with_a_retry, setup, teardown),
        cmocka_unit_test_setup_teardown(test_events, setup, teardown),
        cmocka_unit_test_setup_teardown(test_death_of_the_store_is_final, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_lying_store, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reply_before_the_request, setup, teardown),
        cmocka_unit_test_setup_teardown(test_transaction_number_zero, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_memory_there_is_no_client, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_memory_for_an_event_all_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_equal_events_are_merged, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_answer_instead_of_an_event_ends_all, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_value_with_a_nul_is_no_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_client_moves_with_its_page, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
