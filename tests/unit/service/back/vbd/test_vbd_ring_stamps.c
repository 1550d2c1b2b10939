/* SPDX-License-Identifier: MIT */
/* vbd_ring: completion in virtual time: which stamps of requests count, and what answers carry. */
#include "unit/service/back/vbd/vbd_ring_fixture.h"

enum { START_NS = 50000000 };

static struct tdf factor;
static struct tdf_source source;
static struct tdf_clock domain_clock;

static int begin(void **state)
{
    if (setup(state) < 0)
        return -1;
    factor = (struct tdf){1, 1};
    if (tdf_source_manual(&source, 1000000000, START_NS - 1000000, 0) < 0 ||
        tdf_clock_init(&domain_clock, &source, NULL, 0, factor) < 0)
        return -1;
    tdf_source_advance_ns(&source, 1000000);
    f->ends.config.virtual_completion = true;
    f->ends.config.clock = &domain_clock;
    f->ends.config.tdf = &factor;
    connect_ring(0, 1, 0);
    return 0;
}

/* 0: without a stamp. */
static void put_stamped(const struct blkif_request *req, uint64_t stamp_ns)
{
    blkif_put_request(&f->ends.front, req);
    if (stamp_ns != 0)
        blkif_put_request_stamp(&f->ends.front, stamp_ns);
    (void)front_ring_push(&f->ends.front.half);
    consume(1);
}

/* Of the request that was taken last. */
static const struct pending *under_way(uint64_t id)
{
    for (uint32_t i = 0; i < f->ends.ring->ring.half.nr_ents; i++) {
        const struct pending *p = &f->ends.ring->pool[i];
        if (block_request_is_active(&p->request) && p->request.id == id)
            return p;
    }
    fail_msg("no request %u is under way", (unsigned int)id);
    return NULL;
}

/* The disk ends it as a model does that says when it was due. Returns the answer's stamp. */
static uint64_t answered(uint64_t id, uint64_t due_ns)
{
    f->disk->waiting[0]->due_ns = due_ns;
    disk_ends(0, 0);
    expect(id, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    return blkif_take_response_stamp(&f->ends.front);
}

static void an_answer_says_when_it_was_due(void **state)
{
    (void)state;
    struct blkif_request req = read_request(1, 20);
    put_stamped(&req, START_NS - 500);
    assert_int_equal(under_way(1)->asked_ns, START_NS - 500);
    assert_int_equal(answered(1, START_NS + 1500), START_NS - 500 + 2000);
    req = read_request(2, 40); /* in no time at all */
    put_stamped(&req, START_NS - 500);
    assert_int_equal(answered(2, START_NS - 600), START_NS - 500);
}

static void what_the_model_took_counts_on_the_domains_clock(void **state)
{
    (void)state;
    factor = (struct tdf){10, 1};
    assert_int_equal(tdf_clock_set_tdf(&domain_clock, factor), 0);
    tdf_source_advance_ns(&source, 1000000);
    uint64_t now_ns = tdf_clock_now_ns(&domain_clock);
    struct blkif_request req = read_request(1, 20);
    put_stamped(&req, now_ns);
    assert_int_equal(answered(1, under_way(1)->asked_ns + 5000), now_ns + 500);
}

static void without_a_model_an_answer_has_no_stamp(void **state)
{
    (void)state;
    struct blkif_request req = read_request(1, 20);
    put_stamped(&req, START_NS - 500);
    assert_int_equal(answered(1, 0), 0);
    req = read_request(2, 20); /* in the cache */
    put_stamped(&req, START_NS - 500);
    expect(2, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    assert_int_equal(blkif_take_response_stamp(&f->ends.front), 0);
}

/* Two looks at one clock may differ a little; what is further ahead is a lie. */
static void a_stamp_of_the_future_counts_as_now(void **state)
{
    (void)state;
    struct blkif_request req = read_request(1, 20);
    put_stamped(&req, START_NS + 1);
    assert_int_equal(under_way(1)->stamp_ns, START_NS + 1);
    req = read_request(2, 40);
    put_stamped(&req, START_NS + UINT64_C(1000000000));
    assert_int_equal(under_way(2)->stamp_ns, START_NS);
    disk_ends_all(0);
}

/* The stamp lies where the last segments would. */
static void a_request_with_too_many_segments_has_no_stamp(void **state)
{
    (void)state;
    for (uint8_t count = BLKIF_STAMPED_SEGMENTS_MAX; count <= BLKIF_STAMPED_SEGMENTS_MAX + 1;
         count++) {
        struct blkif_request req = read_request(count, 64u * count);
        req.nr_segments = count;
        for (uint8_t i = 0; i < count; i++)
            req.seg[i] = (struct blkif_request_segment){.gref = DATA_REF + i};
        bool has_room = count == BLKIF_STAMPED_SEGMENTS_MAX;
        put_stamped(&req, has_room ? START_NS - 500 : 0);
        assert_int_equal(under_way(count)->stamp_ns, has_room ? START_NS - 500 : START_NS);
    }
    disk_ends_all(0);
}

#define STAMP_TEST(name) cmocka_unit_test_setup_teardown(name, begin, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAMP_TEST(an_answer_says_when_it_was_due),
        STAMP_TEST(what_the_model_took_counts_on_the_domains_clock),
        STAMP_TEST(without_a_model_an_answer_has_no_stamp),
        STAMP_TEST(a_stamp_of_the_future_counts_as_now),
        STAMP_TEST(a_request_with_too_many_segments_has_no_stamp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
