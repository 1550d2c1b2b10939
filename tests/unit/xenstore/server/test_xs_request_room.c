/* SPDX-License-Identifier: MIT */
/* xs_request: what is answered where memory or the room for an answer is too short. */
#include "fakes/xs_three.h"
#include "faults/fault.h"
#include "xenstore/server/xs_local.h"

/* Memory is short for the nth call: the answer is ENOMEM, or it went well without. */
static bool fails(struct xs_peer *peer, uint32_t type, const char *payload, size_t len, uint64_t n)
{
    xs_peer_send(peer, type, 0, payload, len);
    fault_arm(n, FAULT_ONCE);
    xs_peer_run(peer->server);
    const bool has_failed = fault_disarm() != NULL;
    assert_true(xs_peer_take(peer));
    if (has_failed)
        xs_peer_expect_error(peer, "ENOMEM");
    else
        xs_peer_expect_ok(peer, type);
    return has_failed;
}

static void test_without_memory_a_request_says_so(void **state)
{
    static const struct {
        uint32_t type;
        const char *payload;
        size_t len;
        uint64_t calls; /* at least */
    } requests[] = {
        {XS_WRITE, "new\0value", 9, 4},
        {XS_MKDIR, "dir", 4, 3},
        {XS_SET_PERMS, "new\0n1\0r2", 10, 3},
        {XS_RM, "new", 4, 1},
    };
    struct xs_three *f = *state;
    (void)xs_peer_begin(&f->dom0); /* a snapshot: every change is a copy */
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        uint64_t n = 1;
        while (fails(&f->one, requests[i].type, requests[i].payload, requests[i].len, n))
            n++;
        assert_true(n > requests[i].calls);
    }
}

/* Dom0's own drivers may write lists that are too long for an answer. */
static void test_permissions_that_do_not_fit_are_not_told(void **state)
{
    enum { COUNT = XENSTORE_PAYLOAD_MAX / 3 + 1 };
    struct xs_three *f = *state;
    const char *perms[COUNT];
    for (int i = 0; i < COUNT; i++)
        perms[i] = i == 0 ? "n1" : "r2";
    assert_int_equal(xs_local_set_perms(f->server, "/local/domain/1", perms, COUNT), 0);
    xs_peer_ask(&f->one, XS_GET_PERMS, 0, "/local/domain/1");
    xs_peer_expect_error(&f->one, "E2BIG");
    assert_int_equal(xs_local_set_perms(f->server, "/local/domain/1", perms, COUNT - 1), 0);
    xs_peer_ask(&f->one, XS_GET_PERMS, 0, "/local/domain/1");
    assert_int_equal(f->one.hdr.type, XS_GET_PERMS);
    assert_int_equal(f->one.hdr.len, (COUNT - 1) * 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_without_memory_a_request_says_so, xs_three_setup,
                                        xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_permissions_that_do_not_fit_are_not_told,
                                        xs_three_setup, xs_three_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
