/* SPDX-License-Identifier: MIT */
/* front_ring: the front end's half, against a back end that is played by writing the shared page.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ring/front_ring.h"

enum { NR_ENTS = 32 };

static const uint32_t STARTS[] = {0, 7, 0x7ffffff8, UINT32_MAX - 3, UINT32_MAX};
enum { NR_STARTS = sizeof(STARTS) / sizeof(STARTS[0]) };

struct fixture {
    struct blkif_sring *sring;
    struct front_ring front;
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
    front_ring_init(&f->front, f->sring, NR_ENTS, index);
}

static void put(struct fixture *f, uint64_t id, uint8_t nr_segments)
{
    struct blkif_request req = {
        .operation = BLKIF_OP_READ, .nr_segments = nr_segments, .id = id, .sector_number = id * 8};
    for (uint32_t i = 0; i < nr_segments; i++)
        req.seg[i] = (struct blkif_request_segment){.gref = 100 + i, .last_sect = 7};
    front_ring_put_request(&f->front, &req);
}

/* What an honest back end does: the response goes to the slot of rsp_prod. */
static void respond(struct fixture *f, uint64_t id)
{
    uint32_t slot = f->sring->rsp_prod & (NR_ENTS - 1);
    memset(&f->sring->ring[slot].rsp, 0, sizeof(struct blkif_response));
    f->sring->ring[slot].rsp.id = id;
    f->sring->ring[slot].rsp.operation = BLKIF_OP_READ;
    f->sring->ring[slot].rsp.status = BLKIF_RSP_OKAY;
    f->sring->rsp_prod++;
}

static void nothing_is_visible_before_push(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < NR_STARTS; i++) {
        start_at(f, STARTS[i]);
        put(f, 1, 1);
        put(f, 2, 1);
        assert_int_equal(f->sring->req_prod, STARTS[i]);
        front_ring_push(&f->front);
        assert_int_equal(f->sring->req_prod, (uint32_t)(STARTS[i] + 2));
    }
}

static void requests_land_in_consecutive_slots(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < NR_STARTS; i++) {
        start_at(f, STARTS[i]);
        for (uint32_t n = 0; n < NR_ENTS; n++) {
            put(f, 1000 + n, (uint8_t)(n % (BLKIF_MAX_SEGMENTS_PER_REQUEST + 1)));
            const struct blkif_request *req =
                &f->sring->ring[(uint32_t)(STARTS[i] + n) % NR_ENTS].req;
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
    memset(f->sring->ring, 0x5a, sizeof(union blkif_sring_entry));
    put(f, 1, 2);
    const uint8_t *slot = (const uint8_t *)&f->sring->ring[0];
    for (size_t i = offsetof(struct blkif_request, seg[2]); i < sizeof(struct blkif_request); i++)
        assert_int_equal(slot[i], 0x5a);
}

static void free_counts_down_to_full_and_up_again(void **state)
{
    struct fixture *f = *state;
    struct blkif_response rsp;
    for (size_t i = 0; i < NR_STARTS; i++) {
        start_at(f, STARTS[i]);
        for (uint32_t n = 0; n < NR_ENTS; n++) {
            assert_int_equal(front_ring_free(&f->front), NR_ENTS - n);
            put(f, n, 1);
        }
        assert_int_equal(front_ring_free(&f->front), 0);
        front_ring_push(&f->front);
        assert_int_equal(front_ring_free(&f->front), 0);
        respond(f, 3);
        assert_int_equal(front_ring_free(&f->front), 0); /* the slot is ours once it is taken */
        assert_int_equal(front_ring_take_response(&f->front, &rsp), 1);
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
                    put(f, n, 1);
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
    put(f, 1, 1);
    f->sring->req_prod = 1; /* the back end scribbles over our word: nothing seems new */
    f->sring->req_event = 1;
    assert_true(front_ring_push(&f->front));
    assert_int_equal(f->sring->req_prod, 1);
}

static void responses_come_in_order_of_the_ring(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < NR_STARTS; i++) {
        struct blkif_response rsp;
        start_at(f, STARTS[i]);
        for (uint32_t n = 0; n < 8; n++)
            put(f, n, 1);
        front_ring_push(&f->front);
        for (uint64_t id = 8; id-- > 0;)
            respond(f, id);
        for (uint64_t id = 8; id-- > 0;) {
            assert_int_equal(front_ring_take_response(&f->front, &rsp), 1);
            assert_int_equal(rsp.id, id);
            assert_int_equal(rsp.operation, BLKIF_OP_READ);
            assert_int_equal(rsp.status, BLKIF_RSP_OKAY);
        }
        assert_int_equal(front_ring_take_response(&f->front, &rsp), 0);
    }
}

static void response_is_a_private_copy(void **state)
{
    struct fixture *f = *state;
    struct blkif_response rsp;
    start_at(f, 0);
    put(f, 42, 1);
    front_ring_push(&f->front);
    respond(f, 42);
    assert_int_equal(front_ring_take_response(&f->front, &rsp), 1);
    f->sring->ring[0].rsp.id = 43;
    f->sring->ring[0].rsp.status = BLKIF_RSP_ERROR;
    assert_int_equal(rsp.id, 42);
    assert_int_equal(rsp.status, BLKIF_RSP_OKAY);
}

/* Every index within a window around what is in flight: exactly those in flight are believed. */
static void only_responses_in_flight_are_believed(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < NR_STARTS; i++) {
        for (uint32_t pushed = 0; pushed <= NR_ENTS; pushed += 4) {
            for (int32_t claim = -40; claim <= 80; claim++) {
                struct blkif_response rsp;
                start_at(f, STARTS[i]);
                for (uint32_t n = 0; n < pushed; n++)
                    put(f, n, 1);
                front_ring_push(&f->front);
                f->sring->rsp_prod = STARTS[i] + (uint32_t)claim;
                int expected = 1;
                if (claim == 0)
                    expected = 0;
                else if (claim < 0 || (uint32_t)claim > pushed)
                    expected = -EPROTO;
                if (front_ring_take_response(&f->front, &rsp) != expected)
                    fail_msg("start %u pushed %u claim %d: not %d", STARTS[i], pushed, claim,
                             expected);
            }
        }
    }
}

static void filled_but_unpushed_requests_are_not_in_flight(void **state)
{
    struct fixture *f = *state;
    struct blkif_response rsp;
    start_at(f, 0);
    put(f, 1, 1);
    f->sring->rsp_prod = 1;
    assert_int_equal(front_ring_take_response(&f->front, &rsp), -EPROTO);
}

static void an_index_that_moves_backwards_is_refused(void **state)
{
    struct fixture *f = *state;
    struct blkif_response rsp;
    start_at(f, 0);
    for (uint32_t n = 0; n < 8; n++)
        put(f, n, 1);
    front_ring_push(&f->front);
    for (uint32_t n = 0; n < 4; n++)
        respond(f, n);
    for (uint32_t n = 0; n < 4; n++)
        assert_int_equal(front_ring_take_response(&f->front, &rsp), 1);
    f->sring->rsp_prod = 3;
    assert_int_equal(front_ring_take_response(&f->front, &rsp), -EPROTO);
    assert_int_equal(f->front.rsp_cons, 4);
}

/* The index is read once per batch: what comes later can't stretch a batch that was checked. */
static void an_index_is_checked_before_each_use(void **state)
{
    struct fixture *f = *state;
    struct blkif_response rsp;
    start_at(f, UINT32_MAX - 1);
    for (uint32_t n = 0; n < 4; n++)
        put(f, n, 1);
    front_ring_push(&f->front);
    respond(f, 0);
    respond(f, 1);
    assert_int_equal(front_ring_take_response(&f->front, &rsp), 1);
    f->sring->rsp_prod += 100;
    assert_int_equal(front_ring_take_response(&f->front, &rsp), 1); /* was checked already */
    assert_int_equal(front_ring_take_response(&f->front, &rsp), -EPROTO);
}

static void final_check_arms_one_ahead(void **state)
{
    struct fixture *f = *state;
    struct blkif_response rsp;
    for (size_t i = 0; i < NR_STARTS; i++) {
        start_at(f, STARTS[i]);
        put(f, 1, 1);
        put(f, 2, 1);
        front_ring_push(&f->front);
        f->sring->rsp_event = 0xdead;
        assert_false(front_ring_final_check(&f->front));
        assert_int_equal(f->sring->rsp_event, (uint32_t)(STARTS[i] + 1));
        respond(f, 1);
        assert_true(front_ring_final_check(&f->front));
        assert_int_equal(front_ring_take_response(&f->front, &rsp), 1);
        assert_false(front_ring_final_check(&f->front));
        assert_int_equal(f->sring->rsp_event, (uint32_t)(STARTS[i] + 2));
    }
}

static void hint_follows_the_shared_index(void **state)
{
    struct fixture *f = *state;
    struct blkif_response rsp;
    start_at(f, UINT32_MAX);
    put(f, 1, 1);
    front_ring_push(&f->front);
    assert_false(front_ring_has_hint(&f->front));
    respond(f, 1);
    assert_true(front_ring_has_hint(&f->front));
    assert_int_equal(front_ring_take_response(&f->front, &rsp), 1);
    assert_false(front_ring_has_hint(&f->front));
}

/* Twelve segments would be written over the next slot: our own mistake, so it ends the program. */
static void put_refuses_more_segments_than_a_slot_holds(void **state)
{
    struct fixture *f = *state;
    int status;
    sring_init(f->sring, 0);
    front_ring_init(&f->front, f->sring, NR_ENTS, 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit no_core = {0, 0};
        struct blkif_request req[2] = {{.nr_segments = BLKIF_MAX_SEGMENTS_PER_REQUEST + 1}};
        (void)setrlimit(RLIMIT_CORE, &no_core);
        (void)signal(SIGABRT, SIG_DFL);
        (void)freopen("/dev/null", "w", stderr);
        front_ring_put_request(&f->front, req);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_visible_before_push),
        cmocka_unit_test(requests_land_in_consecutive_slots),
        cmocka_unit_test(put_writes_only_the_used_segments),
        cmocka_unit_test(free_counts_down_to_full_and_up_again),
        cmocka_unit_test(push_of_nothing_never_notifies),
        cmocka_unit_test(push_notifies_when_the_event_is_passed),
        cmocka_unit_test(push_uses_its_own_copy_of_the_index),
        cmocka_unit_test(responses_come_in_order_of_the_ring),
        cmocka_unit_test(response_is_a_private_copy),
        cmocka_unit_test(only_responses_in_flight_are_believed),
        cmocka_unit_test(filled_but_unpushed_requests_are_not_in_flight),
        cmocka_unit_test(an_index_that_moves_backwards_is_refused),
        cmocka_unit_test(an_index_is_checked_before_each_use),
        cmocka_unit_test(final_check_arms_one_ahead),
        cmocka_unit_test(hint_follows_the_shared_index),
        cmocka_unit_test(put_refuses_more_segments_than_a_slot_holds),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
