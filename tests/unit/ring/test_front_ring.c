/* SPDX-License-Identifier: MIT */
/*
 * front_ring: the front end's half, against a back end that is played by writing the shared page.
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
    front_ring_init(&f->front, f->sring, NR_ENTS, index);
}

static void put(struct fixture *f, uint32_t number)
{
    memcpy(front_ring_put(&f->front, slot_bytes), &number, sizeof(number));
}

static void put_and_push(struct fixture *f, uint32_t count)
{
    for (uint32_t n = 0; n < count; n++)
        put(f, n);
    (void)front_ring_push(&f->front);
}

/* What an honest back end does: the response goes to the slot of rsp_prod. */
static void respond(struct fixture *f, uint32_t number)
{
    memcpy(sring_slot(f->sring, NR_ENTS, f->sring->rsp_prod, slot_bytes), &number, sizeof(number));
    f->sring->rsp_prod++;
}

static int take(struct fixture *f, uint32_t *number)
{
    const void *slot;
    int rc = front_ring_take(&f->front, slot_bytes, &slot);
    if (rc == 1)
        sring_copy_words(number, slot, sizeof(*number), sizeof(*number));
    return rc;
}

static void requests_land_in_consecutive_slots(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < NR_STARTS; i++) {
        start_at(f, STARTS[i]);
        for (uint32_t n = 0; n < NR_ENTS; n++) {
            const uint8_t *slot = front_ring_put(&f->front, slot_bytes);
            size_t at = (uint32_t)(STARTS[i] + n) % NR_ENTS * slot_bytes;
            assert_ptr_equal(slot, (const uint8_t *)f->sring + 64 + at);
        }
    }
}

static void nothing_is_visible_before_push(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < NR_STARTS; i++) {
        start_at(f, STARTS[i]);
        put(f, 1);
        put(f, 2);
        assert_int_equal(f->sring->req_prod, STARTS[i]);
        (void)front_ring_push(&f->front);
        assert_int_equal(f->sring->req_prod, (uint32_t)(STARTS[i] + 2));
    }
}

static void free_counts_down_to_full_and_up_again(void **state)
{
    struct fixture *f = *state;
    uint32_t number;
    for (size_t i = 0; i < NR_STARTS; i++) {
        start_at(f, STARTS[i]);
        for (uint32_t n = 0; n < NR_ENTS; n++) {
            assert_int_equal(front_ring_free(&f->front), NR_ENTS - n);
            put(f, n);
        }
        assert_int_equal(front_ring_free(&f->front), 0);
        (void)front_ring_push(&f->front);
        assert_int_equal(front_ring_free(&f->front), 0);
        respond(f, 3);
        assert_int_equal(front_ring_free(&f->front), 0); /* the slot is ours once it is taken */
        assert_int_equal(take(f, &number), 1);
        assert_int_equal(front_ring_free(&f->front), 1);
    }
}

static void push_of_nothing_never_notifies(void **state)
{
    struct fixture *f = *state;
    start_at(f, 5);
    for (uint32_t event = 0; event < 12; event++) {
        f->sring->req_event = event;
        assert_false(front_ring_push(&f->front));
    }
    assert_int_equal(f->sring->req_prod, 5);
}

static void push_notifies_when_the_event_is_passed(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < NR_STARTS; i++) {
        for (uint32_t batch = 1; batch <= 4; batch++) {
            for (uint32_t event = 0; event < 10; event++) {
                start_at(f, STARTS[i]);
                f->sring->req_event = STARTS[i] + event - 2;
                for (uint32_t n = 0; n < batch; n++)
                    put(f, n);
                bool expected = event > 2 && event <= 2 + batch;
                assert_int_equal(front_ring_push(&f->front), expected);
            }
        }
    }
}

static void push_uses_its_own_copy_of_the_index(void **state)
{
    struct fixture *f = *state;
    start_at(f, 0);
    put(f, 1);
    f->sring->req_prod = 1; /* the back end scribbles over our word: nothing seems new */
    f->sring->req_event = 1;
    assert_true(front_ring_push(&f->front));
    assert_int_equal(f->sring->req_prod, 1);
}

static void responses_come_in_order_of_the_ring(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < NR_STARTS; i++) {
        uint32_t number;
        start_at(f, STARTS[i]);
        put_and_push(f, 8);
        for (uint32_t n = 8; n-- > 0;)
            respond(f, n);
        for (uint32_t n = 8; n-- > 0;) {
            assert_int_equal(take(f, &number), 1);
            assert_int_equal(number, n);
        }
        assert_int_equal(take(f, &number), 0);
    }
}

/* Every index within a window around what is in flight: exactly those in flight are believed. */
static void only_responses_in_flight_are_believed(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < NR_STARTS; i++) {
        for (uint32_t pushed = 0; pushed <= NR_ENTS; pushed += 4) {
            for (int32_t claim = -40; claim <= 80; claim++) {
                uint32_t number;
                start_at(f, STARTS[i]);
                put_and_push(f, pushed);
                f->sring->rsp_prod = STARTS[i] + (uint32_t)claim;
                int expected = 1;
                if (claim == 0)
                    expected = 0;
                else if (claim < 0 || (uint32_t)claim > pushed)
                    expected = -EPROTO;
                if (take(f, &number) != expected)
                    fail_msg("start %u pushed %u claim %d: not %d", STARTS[i], pushed, claim,
                             expected);
            }
        }
    }
}

static void filled_but_unpushed_requests_are_not_in_flight(void **state)
{
    struct fixture *f = *state;
    uint32_t number;
    start_at(f, 0);
    put(f, 1);
    f->sring->rsp_prod = 1;
    assert_int_equal(take(f, &number), -EPROTO);
}

static void an_index_that_moves_backwards_is_refused(void **state)
{
    struct fixture *f = *state;
    uint32_t number;
    start_at(f, 0);
    put_and_push(f, 8);
    for (uint32_t n = 0; n < 4; n++)
        respond(f, n);
    for (uint32_t n = 0; n < 4; n++)
        assert_int_equal(take(f, &number), 1);
    f->sring->rsp_prod = 3;
    assert_int_equal(take(f, &number), -EPROTO);
    assert_int_equal(f->front.rsp_cons, 4);
}

/* The index is read once per batch: what comes later can't stretch a batch that was checked. */
static void an_index_is_checked_before_each_use(void **state)
{
    struct fixture *f = *state;
    uint32_t number;
    start_at(f, UINT32_MAX - 1);
    put_and_push(f, 4);
    respond(f, 0);
    respond(f, 1);
    assert_int_equal(take(f, &number), 1);
    f->sring->rsp_prod += 100;
    assert_int_equal(take(f, &number), 1); /* was checked already */
    assert_int_equal(take(f, &number), -EPROTO);
}

static void final_check_arms_one_ahead(void **state)
{
    struct fixture *f = *state;
    uint32_t number;
    for (size_t i = 0; i < NR_STARTS; i++) {
        start_at(f, STARTS[i]);
        put_and_push(f, 2);
        f->sring->rsp_event = 0xdead;
        assert_false(front_ring_final_check(&f->front));
        assert_int_equal(f->sring->rsp_event, (uint32_t)(STARTS[i] + 1));
        respond(f, 1);
        assert_true(front_ring_final_check(&f->front));
        assert_int_equal(take(f, &number), 1);
        assert_false(front_ring_final_check(&f->front));
        assert_int_equal(f->sring->rsp_event, (uint32_t)(STARTS[i] + 2));
    }
}

static void hint_follows_the_shared_index(void **state)
{
    struct fixture *f = *state;
    uint32_t number;
    start_at(f, UINT32_MAX);
    put_and_push(f, 1);
    assert_false(front_ring_has_hint(&f->front));
    respond(f, 1);
    assert_true(front_ring_has_hint(&f->front));
    assert_int_equal(take(f, &number), 1);
    assert_false(front_ring_has_hint(&f->front));
}

static void put_one(void *arg)
{
    put(arg, 0);
}

/* It would be written over a request or a response that is still of use. */
static void a_request_too_many_ends_the_program(void **state)
{
    struct fixture *f = *state;
    uint32_t number;
    start_at(f, UINT32_MAX);
    put_and_push(f, NR_ENTS);
    assert_true(dies(put_one, f));
    respond(f, 0);
    assert_true(dies(put_one, f));
    assert_int_equal(take(f, &number), 1);
    assert_false(dies(put_one, f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_land_in_consecutive_slots),
        cmocka_unit_test(nothing_is_visible_before_push),
        cmocka_unit_test(free_counts_down_to_full_and_up_again),
        cmocka_unit_test(push_of_nothing_never_notifies),
        cmocka_unit_test(push_notifies_when_the_event_is_passed),
        cmocka_unit_test(push_uses_its_own_copy_of_the_index),
        cmocka_unit_test(responses_come_in_order_of_the_ring),
        cmocka_unit_test(only_responses_in_flight_are_believed),
        cmocka_unit_test(filled_but_unpushed_requests_are_not_in_flight),
        cmocka_unit_test(an_index_that_moves_backwards_is_refused),
        cmocka_unit_test(an_index_is_checked_before_each_use),
        cmocka_unit_test(final_check_arms_one_ahead),
        cmocka_unit_test(hint_follows_the_shared_index),
        cmocka_unit_test(a_request_too_many_ends_the_program),
    };
    static const size_t sizes[] = {8, 12, 112};
    int failed = 0;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        slot_bytes = sizes[i];
        failed += cmocka_run_group_tests(tests, setup, teardown);
    }
    return failed;
}
