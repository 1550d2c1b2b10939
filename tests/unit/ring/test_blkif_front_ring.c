/* SPDX-License-Identifier: MIT */
/* blkif_front_ring: what is in the slots of a block front end's ring. The ring itself:
 * test_front_ring.
 */
#include "fakes/dies.h"
#include "unit/ring/ring_page.h"

static void start_at(struct fixture *f, uint32_t index)
{
    memset(f->sring, 0, XEN_PAGE_SIZE);
    sring_init(f->sring, index);
    front_ring_init(&f->blkif_front.half, f->sring, NR_ENTS, index);
}

static void put(struct fixture *f, uint64_t id, uint8_t nr_segments)
{
    struct blkif_request req = {
        .operation = BLKIF_OP_READ, .nr_segments = nr_segments, .id = id, .sector_number = id * 8};
    for (uint32_t i = 0; i < nr_segments; i++)
        req.seg[i] = (struct blkif_request_segment){.gref = 100 + i, .last_sect = 7};
    blkif_put_request(&f->blkif_front, &req);
}

/* What an honest back end does: the response goes to the slot of rsp_prod. */
static void respond(struct fixture *f, uint64_t id)
{
    blkif_ring_slot(f->sring, NR_ENTS, f->sring->rsp_prod)->rsp =
        (struct blkif_response){.id = id, .operation = BLKIF_OP_READ, .status = BLKIF_RSP_OKAY};
    f->sring->rsp_prod++;
}

static void requests_land_in_consecutive_slots(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < NR_STARTS; i++) {
        start_at(f, STARTS[i]);
        for (uint32_t n = 0; n < NR_ENTS; n++) {
            put(f, 1000 + n, (uint8_t)(n % (BLKIF_MAX_SEGMENTS_PER_REQUEST + 1)));
            const struct blkif_request *req =
                &blkif_ring_slot(f->sring, NR_ENTS, STARTS[i] + n)->req;
            assert_int_equal(req->id, 1000 + n);
            assert_int_equal(req->sector_number, (1000 + n) * 8);
            assert_int_equal(req->nr_segments, n % (BLKIF_MAX_SEGMENTS_PER_REQUEST + 1));
            for (uint32_t s = 0; s < req->nr_segments; s++)
                assert_int_equal(req->seg[s].gref, 100 + s);
        }
    }
}

static void put_writes_only_the_used_segments(void **state)
{
    struct fixture *f = *state;
    start_at(f, 0);
    memset(f->sring->slots, 0x5a, sizeof(union blkif_sring_entry));
    put(f, 1, 2);
    const uint8_t *slot = (const uint8_t *)blkif_ring_slot(f->sring, NR_ENTS, 0);
    for (size_t i = offsetof(struct blkif_request, seg[2]); i < sizeof(struct blkif_request); i++)
        assert_int_equal(slot[i], 0x5a);
}

static void other_kinds_fill_their_part_of_a_slot(void **state)
{
    struct fixture *f = *state;
    struct blkif_request_discard discard;
    struct blkif_request_indirect indirect;
    start_at(f, 0);
    memset(&discard, 0x11, sizeof(discard));
    memset(&indirect, 0x22, sizeof(indirect));
    memset(f->sring->slots, 0x5a, 2 * sizeof(union blkif_sring_entry));
    discard.operation = BLKIF_OP_DISCARD;
    indirect.operation = BLKIF_OP_INDIRECT;
    indirect.nr_segments = BLKIF_MAX_INDIRECT_SEGMENTS;
    blkif_put_discard(&f->blkif_front, &discard);
    blkif_put_request_stamp(&f->blkif_front, 0x3333333333333333);
    blkif_put_indirect(&f->blkif_front, &indirect);
    blkif_put_request_stamp(&f->blkif_front, 0x4444444444444444);
    const uint8_t *slot = (const uint8_t *)blkif_ring_slot(f->sring, NR_ENTS, 0);
    assert_memory_equal(slot, &discard, sizeof(discard));
    assert_int_equal(slot[sizeof(discard)], 0x5a);
    assert_int_equal(slot[BLKIF_REQUEST_STAMP_BYTE], 0x33);
    slot = (const uint8_t *)blkif_ring_slot(f->sring, NR_ENTS, 1);
    assert_memory_equal(slot, &indirect, sizeof(indirect));
    assert_int_equal(slot[sizeof(indirect)], 0x5a);
    assert_int_equal(slot[BLKIF_REQUEST_STAMP_BYTE], 0x44);
}

static void responses_come_in_order_of_the_ring(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < NR_STARTS; i++) {
        struct blkif_response rsp;
        start_at(f, STARTS[i]);
        for (uint32_t n = 0; n < 8; n++)
            put(f, n, 1);
        (void)front_ring_push(&f->blkif_front.half);
        for (uint64_t id = 8; id-- > 0;)
            respond(f, id);
        for (uint64_t id = 8; id-- > 0;) {
            assert_int_equal(blkif_take_response(&f->blkif_front, &rsp), 1);
            assert_int_equal(rsp.id, id);
            assert_int_equal(rsp.operation, BLKIF_OP_READ);
            assert_int_equal(rsp.status, BLKIF_RSP_OKAY);
        }
        assert_int_equal(blkif_take_response(&f->blkif_front, &rsp), 0);
    }
}

static void response_is_a_private_copy(void **state)
{
    struct fixture *f = *state;
    struct blkif_response rsp;
    start_at(f, 0);
    put(f, 42, 1);
    (void)front_ring_push(&f->blkif_front.half);
    respond(f, 42);
    assert_int_equal(blkif_take_response(&f->blkif_front, &rsp), 1);
    blkif_ring_slot(f->sring, NR_ENTS, 0)->rsp.id = 43;
    blkif_ring_slot(f->sring, NR_ENTS, 0)->rsp.status = BLKIF_RSP_ERROR;
    assert_int_equal(rsp.id, 42);
    assert_int_equal(rsp.status, BLKIF_RSP_OKAY);
}

static void stamps_go_with_their_slots(void **state)
{
    struct fixture *f = *state;
    struct blkif_response rsp;
    start_at(f, UINT32_MAX);
    for (uint64_t n = 1; n <= 2; n++) {
        put(f, n, BLKIF_STAMPED_SEGMENTS_MAX);
        blkif_put_request_stamp(&f->blkif_front, n << 40 | 3);
        const uint8_t *slot =
            (const uint8_t *)blkif_ring_slot(f->sring, NR_ENTS, UINT32_MAX + (uint32_t)n - 1);
        uint64_t expected = n << 40 | 3;
        assert_memory_equal(slot + BLKIF_REQUEST_STAMP_BYTE, &expected, sizeof(expected));
    }
    (void)front_ring_push(&f->blkif_front.half);
    for (uint64_t n = 1; n <= 2; n++) {
        uint64_t stamp = n << 41 | 5;
        uint8_t *slot = (uint8_t *)blkif_ring_slot(f->sring, NR_ENTS, f->sring->rsp_prod);
        respond(f, n);
        memcpy(slot + BLKIF_RESPONSE_STAMP_BYTE, &stamp, sizeof(stamp));
        assert_int_equal(blkif_take_response(&f->blkif_front, &rsp), 1);
        assert_int_equal(blkif_take_response_stamp(&f->blkif_front), stamp);
    }
}

static void put_twelve_segments(void *arg)
{
    struct fixture *f = arg;
    struct blkif_request req[2] = {{.nr_segments = BLKIF_MAX_SEGMENTS_PER_REQUEST + 1}};
    blkif_put_request(&f->blkif_front, req);
}

/* They would be written over the next slot: our own mistake, so it ends the program. */
static void put_refuses_more_segments_than_a_slot_holds(void **state)
{
    struct fixture *f = *state;
    start_at(f, 0);
    assert_true(dies(put_twelve_segments, f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_land_in_consecutive_slots),
        cmocka_unit_test(put_writes_only_the_used_segments),
        cmocka_unit_test(other_kinds_fill_their_part_of_a_slot),
        cmocka_unit_test(responses_come_in_order_of_the_ring),
        cmocka_unit_test(response_is_a_private_copy),
        cmocka_unit_test(stamps_go_with_their_slots),
        cmocka_unit_test(put_refuses_more_segments_than_a_slot_holds),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
