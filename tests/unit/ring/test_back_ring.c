/* SPDX-License-Identifier: MIT */
/* back_ring: the back end's half, against a front end that is played by writing the shared page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ring/back_ring.h"

enum { NR_ENTS = 32 };

static const uint32_t STARTS[] = {0, 7, 0x7ffffff8, UINT32_MAX - 3, UINT32_MAX};
enum { NR_STARTS = sizeof(STARTS) / sizeof(STARTS[0]) };

struct fixture {
    struct blkif_sring *sring;
    struct back_ring back;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    if (f == NULL || (f->sring = calloc(1, XEN_PAGE_SIZE)) == NULL)
        return -1;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    free(f->sring);
    free(f);
    return 0;
}

static void start_at(struct fixture *f, uint32_t index)
{
    memset(f->sring, 0, XEN_PAGE_SIZE);
    sring_init(f->sring, index);
    back_ring_init(&f->back, f->sring, NR_ENTS, index);
}

/* What an honest front end does, one request at a time. */
static void request(struct fixture *f, uint64_t id, uint8_t nr_segments)
{
    struct blkif_request *req = &f->sring->ring[f->sring->req_prod % NR_ENTS].req;
    *req = (struct blkif_request){
        .operation = BLKIF_OP_READ, .nr_segments = nr_segments, .handle = 5, .id = id};
    req->sector_number = id * 8;
    for (uint32_t i = 0; i < BLKIF_MAX_SEGMENTS_PER_REQUEST; i++)
        req->seg[i] = (struct blkif_request_segment){.gref = 100 + i, .last_sect = (uint8_t)i};
    f->sring->req_prod++;
}

static void take(struct fixture *f, uint32_t count)
{
    struct blkif_request req;
    while (count-- > 0)
        back_ring_take_request(&f->back, &req);
}

static void look_counts_what_waits(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < NR_STARTS; i++) {
        start_at(f, STARTS[i]);
        for (uint32_t n = 0; n <= NR_ENTS; n++) {
            assert_int_equal(back_ring_look(&f->back), n);
            if (n < NR_ENTS)
                request(f, n, 1);
        }
    }
}

static void requests_are_taken_in_order(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < NR_STARTS; i++) {
        start_at(f, STARTS[i]);
        for (uint32_t n = 0; n < NR_ENTS; n++)
            request(f, n, (uint8_t)(n % 12));
        assert_int_equal(back_ring_look(&f->back), NR_ENTS);
        for (uint32_t n = 0; n < NR_ENTS; n++) {
            struct blkif_request req;
            back_ring_take_request(&f->back, &req);
            assert_int_equal(req.operation, BLKIF_OP_READ);
            assert_int_equal(req.handle, 5);
            assert_int_equal(req.id, n);
            assert_int_equal(req.sector_number, n * 8);
            assert_int_equal(req.nr_segments, n % 12);
            for (uint32_t s = 0; s < req.nr_segments; s++) {
                assert_int_equal(req.seg[s].gref, 100 + s);
                assert_int_equal(req.seg[s].last_sect, s);
            }
            assert_int_equal(back_ring_in_flight(&f->back), n + 1);
        }
        assert_int_equal(back_ring_look(&f->back), 0);
    }
}

static void request_is_a_private_copy(void **state)
{
    struct fixture *f = *state;
    struct blkif_request req;
    start_at(f, 0);
    request(f, 9, 3);
    assert_int_equal(back_ring_look(&f->back), 1);
    back_ring_take_request(&f->back, &req);
    memset(&f->sring->ring[0], 0xff, sizeof(f->sring->ring[0]));
    assert_int_equal(req.id, 9);
    assert_int_equal(req.nr_segments, 3);
    assert_int_equal(req.seg[2].gref, 102);
}

static void too_many_segments_fill_no_more_than_the_array(void **state)
{
    struct fixture *f = *state;
    for (uint32_t nr = 12; nr <= UINT8_MAX; nr++) {
        struct {
            struct blkif_request req;
            uint64_t canary[32];
        } private_copy;
        memset(&private_copy, 0x5a, sizeof(private_copy));
        start_at(f, 0);
        request(f, 1, (uint8_t)nr);
        assert_int_equal(back_ring_look(&f->back), 1);
        back_ring_take_request(&f->back, &private_copy.req);
        assert_int_equal(private_copy.req.nr_segments, nr); /* for the validator to refuse */
        assert_int_equal(private_copy.req.seg[10].gref, 110);
        for (size_t i = 0; i < 32; i++)
            assert_int_equal(private_copy.canary[i], 0x5a5a5a5a5a5a5a5a);
    }
}

static void unused_segments_are_not_read(void **state)
{
    struct fixture *f = *state;
    struct blkif_request req;
    memset(&req, 0x5a, sizeof(req));
    start_at(f, 0);
    request(f, 1, 2);
    assert_int_equal(back_ring_look(&f->back), 1);
    back_ring_take_request(&f->back, &req);
    assert_int_equal(req.seg[1].gref, 101);
    assert_int_equal(req.seg[2].gref, 0x5a5a5a5a);
}

/*
 * Exhaustive around the window: with `taken` requests in flight, an index is believed exactly when
 * it announces 0 .. nr_ents - taken new requests.
 */
static void look_believes_only_free_slots(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < NR_STARTS; i++) {
        for (uint32_t taken = 0; taken <= NR_ENTS; taken++) {
            for (int32_t claim = -70; claim <= 70; claim++) {
                start_at(f, STARTS[i]);
                f->sring->req_prod = STARTS[i] + taken;
                assert_int_equal(back_ring_look(&f->back), taken);
                take(f, taken);
                f->sring->req_prod = STARTS[i] + taken + (uint32_t)claim;
                int expected = claim;
                if (claim < 0 || claim > (int32_t)(NR_ENTS - taken))
                    expected = -EPROTO;
                if (back_ring_look(&f->back) != expected)
                    fail_msg("start %u taken %u claim %d: not %d", STARTS[i], taken, claim,
                             expected);
            }
        }
    }
}

/* rsp_prod_pvt 10, req_cons 20, hostile req_prod 15: RING_REQUEST_PROD_OVERFLOW lets it pass. */
static void an_index_that_moves_backwards_is_refused(void **state)
{
    struct fixture *f = *state;
    start_at(f, 10);
    f->sring->req_prod = 20;
    assert_int_equal(back_ring_look(&f->back), 10);
    take(f, 10);
    f->sring->req_prod = 15;
    assert_int_equal(back_ring_look(&f->back), -EPROTO);
    assert_int_equal(f->back.req_cons, 20);
    assert_int_equal(f->back.req_prod, 20);
    /* Nothing of it sticks: the right index is believed again. */
    f->sring->req_prod = 21;
    assert_int_equal(back_ring_look(&f->back), 1);
}

static void far_indices_are_refused(void **state)
{
    struct fixture *f = *state;
    static const uint32_t claims[] = {33, 64, 1000, 0x7fffffff, 0x80000000, 0xffffffff};
    for (size_t i = 0; i < NR_STARTS; i++) {
        for (size_t c = 0; c < sizeof(claims) / sizeof(claims[0]); c++) {
            start_at(f, STARTS[i]);
            f->sring->req_prod = STARTS[i] + claims[c];
            assert_int_equal(back_ring_look(&f->back), -EPROTO);
        }
    }
}

/* A response frees its slot as soon as it is filled, before it is pushed. */
static void filled_responses_make_room(void **state)
{
    struct fixture *f = *state;
    start_at(f, UINT32_MAX - 3);
    f->sring->req_prod += NR_ENTS;
    assert_int_equal(back_ring_look(&f->back), NR_ENTS);
    take(f, NR_ENTS);
    f->sring->req_prod += 1;
    assert_int_equal(back_ring_look(&f->back), -EPROTO);
    back_ring_put_response(&f->back, 1, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    assert_int_equal(back_ring_look(&f->back), 1);
    f->sring->req_prod += 1;
    assert_int_equal(back_ring_look(&f->back), -EPROTO);
}

static void responses_are_complete_and_padding_is_zero(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < NR_STARTS; i++) {
        start_at(f, STARTS[i]);
        memset(f->sring->ring, 0xff, NR_ENTS * sizeof(union blkif_sring_entry));
        f->sring->req_prod += 3;
        assert_int_equal(back_ring_look(&f->back), 3);
        take(f, 3);
        for (uint32_t n = 0; n < 3; n++) {
            back_ring_put_response(&f->back, 0x1122334455667788u + n, BLKIF_OP_WRITE,
                                   BLKIF_RSP_EOPNOTSUPP);
            const uint8_t *slot =
                (const uint8_t *)&f->sring->ring[(uint32_t)(STARTS[i] + n) % NR_ENTS];
            const uint8_t expected[16] = {(uint8_t)(0x88 + n),
                                          0x77,
                                          0x66,
                                          0x55,
                                          0x44,
                                          0x33,
                                          0x22,
                                          0x11,
                                          1,
                                          0,
                                          0xfe,
                                          0xff,
                                          0,
                                          0,
                                          0,
                                          0};
            assert_memory_equal(slot, expected, sizeof(expected));
            assert_int_equal(slot[16], 0xff); /* and not a byte more */
        }
    }
}

static void responses_are_visible_only_after_push(void **state)
{
    struct fixture *f = *state;
    start_at(f, UINT32_MAX);
    f->sring->req_prod += 2;
    assert_int_equal(back_ring_look(&f->back), 2);
    take(f, 2);
    back_ring_put_response(&f->back, 0, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    assert_int_equal(f->sring->rsp_prod, UINT32_MAX);
    back_ring_push(&f->back);
    assert_int_equal(f->sring->rsp_prod, 0);
    assert_int_equal(back_ring_in_flight(&f->back), 1);
}

static void push_notifies_when_the_event_is_passed(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < NR_STARTS; i++) {
        for (uint32_t batch = 0; batch <= 4; batch++) {
            for (uint32_t event = 0; event < 10; event++) {
                start_at(f, STARTS[i]);
                f->sring->req_prod += batch;
                assert_int_equal(back_ring_look(&f->back), batch);
                take(f, batch);
                f->sring->rsp_event = STARTS[i] + event - 2;
                for (uint32_t n = 0; n < batch; n++)
                    back_ring_put_response(&f->back, n, BLKIF_OP_READ, BLKIF_RSP_OKAY);
                bool expected = event > 2 && event <= 2 + batch;
                assert_int_equal(back_ring_push(&f->back), expected);
            }
        }
    }
}

static void push_uses_its_own_copy_of_the_index(void **state)
{
    struct fixture *f = *state;
    start_at(f, 0);
    f->sring->req_prod = 1;
    assert_int_equal(back_ring_look(&f->back), 1);
    take(f, 1);
    back_ring_put_response(&f->back, 0, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    f->sring->rsp_prod = 1; /* the front end scribbles over our word: nothing seems new */
    assert_true(back_ring_push(&f->back));
    assert_int_equal(f->sring->rsp_prod, 1);
}

static void final_check_arms_one_ahead(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < NR_STARTS; i++) {
        start_at(f, STARTS[i]);
        f->sring->req_event = 0xdead;
        assert_false(back_ring_final_check(&f->back));
        assert_int_equal(f->sring->req_event, (uint32_t)(STARTS[i] + 1));
        request(f, 1, 1);
        assert_true(back_ring_final_check(&f->back));
        assert_int_equal(back_ring_look(&f->back), 1);
        take(f, 1);
        assert_false(back_ring_final_check(&f->back));
        assert_int_equal(f->sring->req_event, (uint32_t)(STARTS[i] + 2));
    }
}

static void final_check_does_not_sleep_on_a_broken_index(void **state)
{
    struct fixture *f = *state;
    start_at(f, 10);
    f->sring->req_prod = 5;
    assert_true(back_ring_final_check(&f->back));
    assert_int_equal(back_ring_look(&f->back), -EPROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(look_counts_what_waits),
        cmocka_unit_test(requests_are_taken_in_order),
        cmocka_unit_test(request_is_a_private_copy),
        cmocka_unit_test(too_many_segments_fill_no_more_than_the_array),
        cmocka_unit_test(unused_segments_are_not_read),
        cmocka_unit_test(look_believes_only_free_slots),
        cmocka_unit_test(an_index_that_moves_backwards_is_refused),
        cmocka_unit_test(far_indices_are_refused),
        cmocka_unit_test(filled_responses_make_room),
        cmocka_unit_test(responses_are_complete_and_padding_is_zero),
        cmocka_unit_test(responses_are_visible_only_after_push),
        cmocka_unit_test(push_notifies_when_the_event_is_passed),
        cmocka_unit_test(push_uses_its_own_copy_of_the_index),
        cmocka_unit_test(final_check_arms_one_ahead),
        cmocka_unit_test(final_check_does_not_sleep_on_a_broken_index),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
