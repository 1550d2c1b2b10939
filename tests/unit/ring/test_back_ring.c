/* SPDX-License-Identifier: MIT */
/*
 * back_ring: the back end's half, against a front end that is played by writing the shared page.
 * Every test runs with slots of several sizes; a slot holds a number in its first four bytes.
 */
#include "fakes/dies.h"
#include "unit/ring/ring_page.h"

/* netif's receive ring has 8 bytes, its transmit ring 12, blkif 112. */
static size_t slot_bytes;

static void start_at(struct fixture *f, uint32_t index)
{
    memset(f->sring, 0, XEN_PAGE_SIZE);
    sring_init(f->sring, index);
    back_ring_init(&f->back, f->sring, NR_ENTS, index);
}

/* What an honest front end does, one request at a time. */
static void request(struct fixture *f, uint32_t number)
{
    memcpy(sring_slot(f->sring, NR_ENTS, f->sring->req_prod, slot_bytes), &number, sizeof(number));
    f->sring->req_prod++;
}

static uint32_t take_number(struct fixture *f)
{
    uint32_t number;
    sring_copy_words(&number, back_ring_take(&f->back, slot_bytes), sizeof(number), sizeof(number));
    return number;
}

static void take(struct fixture *f, uint32_t count)
{
    while (count-- > 0)
        (void)take_number(f);
}

static void respond(struct fixture *f, uint32_t count)
{
    while (count-- > 0)
        (void)back_ring_put(&f->back, slot_bytes);
}

static void look_counts_what_waits(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < NR_STARTS; i++) {
        start_at(f, STARTS[i]);
        for (uint32_t n = 0; n <= NR_ENTS; n++) {
            assert_int_equal(back_ring_look(&f->back), n);
            if (n < NR_ENTS)
                request(f, n);
        }
    }
}

static void requests_are_taken_in_order(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < NR_STARTS; i++) {
        start_at(f, STARTS[i]);
        for (uint32_t n = 0; n < NR_ENTS; n++)
            request(f, n);
        assert_int_equal(back_ring_look(&f->back), NR_ENTS);
        for (uint32_t n = 0; n < NR_ENTS; n++) {
            assert_int_equal(take_number(f), n);
            assert_int_equal(back_ring_in_flight(&f->back), n + 1);
        }
        assert_int_equal(back_ring_look(&f->back), 0);
    }
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
                assert_int_equal(back_ring_waiting(&f->back), expected < 0 ? 0 : expected);
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
    respond(f, 1);
    assert_int_equal(back_ring_look(&f->back), 1);
    f->sring->req_prod += 1;
    assert_int_equal(back_ring_look(&f->back), -EPROTO);
}

static void responses_land_in_consecutive_slots(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < NR_STARTS; i++) {
        start_at(f, STARTS[i]);
        f->sring->req_prod += NR_ENTS;
        assert_int_equal(back_ring_look(&f->back), NR_ENTS);
        take(f, NR_ENTS);
        for (uint32_t n = 0; n < NR_ENTS; n++) {
            const uint8_t *slot = back_ring_put(&f->back, slot_bytes);
            size_t at = (uint32_t)(STARTS[i] + n) % NR_ENTS * slot_bytes;
            assert_ptr_equal(slot, (const uint8_t *)f->sring + 64 + at);
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
    respond(f, 1);
    assert_int_equal(f->sring->rsp_prod, UINT32_MAX);
    (void)back_ring_push(&f->back);
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
                respond(f, batch);
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
    respond(f, 1);
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
        request(f, 1);
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

/* What is there is not enough: the event is for what comes after that. */
static void asking_for_more_arms_behind_what_was_seen(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < NR_STARTS; i++) {
        start_at(f, STARTS[i]);
        for (uint32_t n = 0; n < 3; n++)
            request(f, n);
        assert_int_equal(back_ring_look(&f->back), 3);
        take(f, 1);
        assert_false(back_ring_ask_for_more(&f->back, 1));
        assert_int_equal(f->sring->req_event, (uint32_t)(STARTS[i] + 4));
        request(f, 3);
        assert_true(back_ring_ask_for_more(&f->back, 1));
        assert_false(back_ring_ask_for_more(&f->back, 2));
        assert_int_equal(f->sring->req_event, (uint32_t)(STARTS[i] + 5));
        request(f, 4);
        assert_true(back_ring_ask_for_more(&f->back, 2));
    }
}

static void take_one(void *arg)
{
    take(arg, 1);
}

static void respond_once(void *arg)
{
    respond(arg, 1);
}

/* Whatever the front end claims: what counts is what back_ring_look found. */
static void a_take_beyond_the_look_ends_the_program(void **state)
{
    struct fixture *f = *state;
    start_at(f, UINT32_MAX);
    request(f, 1);
    assert_true(dies(take_one, f));
    assert_int_equal(back_ring_look(&f->back), 1);
    take(f, 1);
    request(f, 2);
    assert_true(dies(take_one, f));
}

static void a_response_to_nothing_ends_the_program(void **state)
{
    struct fixture *f = *state;
    start_at(f, UINT32_MAX);
    request(f, 1);
    assert_int_equal(back_ring_look(&f->back), 1);
    assert_true(dies(respond_once, f));
    take(f, 1);
    respond(f, 1);
    assert_true(dies(respond_once, f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(look_counts_what_waits),
        cmocka_unit_test(requests_are_taken_in_order),
        cmocka_unit_test(look_believes_only_free_slots),
        cmocka_unit_test(an_index_that_moves_backwards_is_refused),
        cmocka_unit_test(far_indices_are_refused),
        cmocka_unit_test(filled_responses_make_room),
        cmocka_unit_test(responses_land_in_consecutive_slots),
        cmocka_unit_test(responses_are_visible_only_after_push),
        cmocka_unit_test(push_notifies_when_the_event_is_passed),
        cmocka_unit_test(push_uses_its_own_copy_of_the_index),
        cmocka_unit_test(final_check_arms_one_ahead),
        cmocka_unit_test(asking_for_more_arms_behind_what_was_seen),
        cmocka_unit_test(final_check_does_not_sleep_on_a_broken_index),
        cmocka_unit_test(a_take_beyond_the_look_ends_the_program),
        cmocka_unit_test(a_response_to_nothing_ends_the_program),
    };
    static const size_t sizes[] = {8, 12, 112};
    int failed = 0;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        slot_bytes = sizes[i];
        failed += cmocka_run_group_tests(tests, setup, teardown);
    }
    return failed;
}
