/* SPDX-License-Identifier: MIT */
/* blkif_back_ring: what is in the slots of a block back end's ring. The ring itself:
 * test_back_ring. */
#include "unit/ring/ring_page.h"

static void start_at(struct fixture *f, uint32_t index)
{
    memset(f->sring, 0, XEN_PAGE_SIZE);
    sring_init(f->sring, index);
    back_ring_init(&f->blkif_back.half, f->sring, NR_ENTS, index);
}

/* What an honest front end does, one request at a time. */
static void request(struct fixture *f, uint64_t id, uint8_t nr_segments)
{
    struct blkif_request *req = &blkif_ring_slot(f->sring, NR_ENTS, f->sring->req_prod)->req;
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
        blkif_take_request(&f->blkif_back, &req);
}

static void requests_are_taken_in_order(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < NR_STARTS; i++) {
        start_at(f, STARTS[i]);
        for (uint32_t n = 0; n < NR_ENTS; n++)
            request(f, n, (uint8_t)(n % 12));
        assert_int_equal(back_ring_look(&f->blkif_back.half), NR_ENTS);
        for (uint32_t n = 0; n < NR_ENTS; n++) {
            struct blkif_request req;
            blkif_take_request(&f->blkif_back, &req);
            assert_int_equal(req.operation, BLKIF_OP_READ);
            assert_int_equal(req.handle, 5);
            assert_int_equal(req.id, n);
            assert_int_equal(req.sector_number, n * 8);
            assert_int_equal(req.nr_segments, n % 12);
            for (uint32_t s = 0; s < req.nr_segments; s++) {
                assert_int_equal(req.seg[s].gref, 100 + s);
                assert_int_equal(req.seg[s].last_sect, s);
            }
            assert_int_equal(back_ring_in_flight(&f->blkif_back.half), n + 1);
        }
        assert_int_equal(back_ring_look(&f->blkif_back.half), 0);
    }
}

static void request_is_a_private_copy(void **state)
{
    struct fixture *f = *state;
    struct blkif_request req;
    start_at(f, 0);
    request(f, 9, 3);
    assert_int_equal(back_ring_look(&f->blkif_back.half), 1);
    blkif_take_request(&f->blkif_back, &req);
    memset(blkif_ring_slot(f->sring, NR_ENTS, 0), 0xff, sizeof(union blkif_sring_entry));
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
        assert_int_equal(back_ring_look(&f->blkif_back.half), 1);
        blkif_take_request(&f->blkif_back, &private_copy.req);
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
    assert_int_equal(back_ring_look(&f->blkif_back.half), 1);
    blkif_take_request(&f->blkif_back, &req);
    assert_int_equal(req.seg[1].gref, 101);
    assert_int_equal(req.seg[2].gref, 0x5a5a5a5a);
}

/* Discards and indirect requests: byte 1 counts no segments there, and each word is read once. */
static void other_kinds_are_taken_whole(void **state)
{
    struct fixture *f = *state;
    for (unsigned int byte1 = 0; byte1 <= UINT8_MAX; byte1++) {
        struct blkif_request req;
        memset(&req, 0x5a, sizeof(req));
        start_at(f, 0);
        for (int i = 0; i < 2; i++) {
            union blkif_sring_entry *slot = blkif_ring_slot(f->sring, NR_ENTS, f->sring->req_prod);
            for (size_t b = 0; b < sizeof(*slot); b++)
                ((uint8_t *)slot)[b] = (uint8_t)b;
            slot->req.operation = i == 0 ? BLKIF_OP_DISCARD : BLKIF_OP_INDIRECT;
            slot->req.nr_segments = (uint8_t)byte1;
            f->sring->req_prod++;
        }
        assert_int_equal(back_ring_look(&f->blkif_back.half), 2);
        assert_false(blkif_take_request(&f->blkif_back, &req));
        struct blkif_request_discard discard = blkif_as_discard(&req);
        assert_int_equal(discard.flag, byte1);
        assert_int_equal(discard.id, 0x0f0e0d0c0b0a0908);
        assert_int_equal(discard.sector_number, 0x1716151413121110);
        assert_int_equal(discard.nr_sectors, 0x1f1e1d1c1b1a1918);
        assert_int_equal(req.seg[1].gref, 0x5a5a5a5a); /* and not a word more */
        assert_false(blkif_take_request(&f->blkif_back, &req));
        memset(blkif_ring_slot(f->sring, NR_ENTS, 1), 0xff, sizeof(union blkif_sring_entry));
        struct blkif_request_indirect indirect = blkif_as_indirect(&req);
        assert_int_equal(indirect.indirect_op, byte1);
        assert_int_equal(indirect.nr_segments, 0x0302);
        assert_int_equal(indirect.handle, 0x1918);
        assert_int_equal(indirect.indirect_grefs[0], 0x1f1e1d1c);
        assert_int_equal(indirect.indirect_grefs[7], 0x3b3a3938);
        assert_int_equal(req.seg[5].gref, 0x5a5a5a5a);
    }
}

static void of_unknown_operations_the_head_is_taken(void **state)
{
    struct fixture *f = *state;
    static const uint8_t unknown[] = {7, 100, 255};
    for (size_t i = 0; i < sizeof(unknown); i++) {
        struct blkif_request req;
        memset(&req, 0x5a, sizeof(req));
        start_at(f, 0);
        request(f, 77, 5);
        blkif_ring_slot(f->sring, NR_ENTS, 0)->req.operation = unknown[i];
        assert_int_equal(back_ring_look(&f->blkif_back.half), 1);
        assert_false(blkif_take_request(&f->blkif_back, &req));
        assert_int_equal(req.operation, unknown[i]);
        assert_int_equal(req.id, 77);
        assert_int_equal(req.seg[0].gref, 0x5a5a5a5a);
    }
}

static void responses_are_complete_and_padding_is_zero(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < NR_STARTS; i++) {
        start_at(f, STARTS[i]);
        memset(f->sring->slots, 0xff, NR_ENTS * sizeof(union blkif_sring_entry));
        f->sring->req_prod += 3;
        assert_int_equal(back_ring_look(&f->blkif_back.half), 3);
        take(f, 3);
        for (uint32_t n = 0; n < 3; n++) {
            blkif_put_response(&f->blkif_back, 0x1122334455667788u + n, BLKIF_OP_WRITE,
                               BLKIF_RSP_EOPNOTSUPP);
            const uint8_t *slot =
                (const uint8_t *)blkif_ring_slot(f->sring, NR_ENTS, STARTS[i] + n);
            const uint8_t expected[16] = {
                (uint8_t)(0x88 + n), 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 1, 0, 0xfe, 0xff};
            assert_memory_equal(slot, expected, sizeof(expected));
            assert_int_equal(slot[16], 0xff); /* and not a byte more */
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_taken_in_order),
        cmocka_unit_test(request_is_a_private_copy),
        cmocka_unit_test(too_many_segments_fill_no_more_than_the_array),
        cmocka_unit_test(unused_segments_are_not_read),
        cmocka_unit_test(other_kinds_are_taken_whole),
        cmocka_unit_test(of_unknown_operations_the_head_is_taken),
        cmocka_unit_test(responses_are_complete_and_padding_is_zero),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
