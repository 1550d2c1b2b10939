/* SPDX-License-Identifier: MIT */
/*
 * Our ring halves and Xen's, in all four pairs, led in lockstep through the same random operations:
 * after every step each pair must have decided, delivered and written into the shared header
 * exactly what Xen's own pair has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ring_half.h"

enum {
    NR_LANES = 4,
    STEPS = 60000,
    ENTRIES_MAX = 512,
    BATCH_MAX = 48,
    HEADER_BYTES = 64,
    REQ_EVENT = 1, /* words of the shared header */
    RSP_EVENT = 3,
};

static const struct {
    const struct front_half *front;
    const struct back_half *back;
} PAIRS[NR_LANES] = {
    {&front_xen, &back_xen}, /* the reference */
    {&front_xen, &back_ours},
    {&front_ours, &back_xen},
    {&front_ours, &back_ours},
};

struct lane {
    const struct front_half *front;
    const struct back_half *back;
    uint32_t *shared;
    void *front_state;
    void *back_state;
};

struct run {
    struct lane lanes[NR_LANES];
    uint64_t random;
    uint64_t taken[ENTRIES_MAX]; /* ids that the back ends hold, to be answered in any order */
    uint32_t nr_taken;
    uint64_t next_id;
    uint32_t step;
    uint32_t notifications, sleeps, answered;
};

/* xorshift64*: the same sequence in every run */
static uint32_t draw(struct run *run, uint32_t below)
{
    run->random ^= run->random >> 12;
    run->random ^= run->random << 25;
    run->random ^= run->random >> 27;
    return (uint32_t)((run->random * 0x2545f4914f6cdd1dull) >> 33) % below;
}

static void start(struct run *run, size_t bytes, uint32_t index, uint64_t seed)
{
    *run = (struct run){.random = seed};
    for (int i = 0; i < NR_LANES; i++) {
        struct lane *lane = &run->lanes[i];
        lane->front = PAIRS[i].front;
        lane->back = PAIRS[i].back;
        assert_int_equal(posix_memalign((void **)&lane->shared, 4096, bytes), 0);
        memset(lane->shared, 0xa5, bytes);
        lane->front_state = lane->front->create(lane->shared, bytes, index);
        lane->back_state = lane->back->create(lane->shared, bytes, index);
        assert_non_null(lane->front_state);
        assert_non_null(lane->back_state);
    }
}

static void finish(struct run *run)
{
    for (int i = 0; i < NR_LANES; i++) {
        free(run->lanes[i].front_state);
        free(run->lanes[i].back_state);
        free(run->lanes[i].shared);
    }
}

static void differ(const struct run *run, int lane, const char *what)
{
    fail_msg("step %u: %s with %s: %s differs from Xen's pair", run->step,
             run->lanes[lane].front->name, run->lanes[lane].back->name, what);
}

/* How much of a slot a request of its operation fills. */
static size_t request_bytes(const uint8_t *request)
{
    switch (request[0]) {
    case 5: /* BLKIF_OP_DISCARD */
        return 32;
    case 6: /* BLKIF_OP_INDIRECT */
        return 64;
    case 7: /* nobody's: what it has in common with the others */
        return 24;
    default:
        return 24 + 8u * request[1];
    }
}

static void put_requests(struct run *run)
{
    uint32_t room = run->lanes[0].front->free_requests(run->lanes[0].front_state);
    uint32_t count = draw(run, BATCH_MAX);
    for (int i = 1; i < NR_LANES; i++) {
        if (run->lanes[i].front->free_requests(run->lanes[i].front_state) != room)
            differ(run, i, "the number of free slots");
    }
    for (uint32_t n = 0; n < count && n < room; n++) {
        uint8_t request[REQUEST_BYTES];
        for (size_t b = 0; b < sizeof(request); b++)
            request[b] = (uint8_t)draw(run, 256);
        request[0] = (uint8_t)draw(run, 8);  /* operation */
        request[1] = (uint8_t)draw(run, 12); /* nr_segments */
        request[3] &= 0x0f;                  /* nr_segments of an indirect one */
        memcpy(request + 8, &run->next_id, sizeof(run->next_id));
        run->next_id++;
        for (int i = 0; i < NR_LANES; i++)
            run->lanes[i].front->put_request(run->lanes[i].front_state, request);
    }
}

static void take_requests(struct run *run)
{
    uint32_t count = draw(run, BATCH_MAX);
    for (uint32_t n = 0; n < count; n++) {
        uint8_t expected[REQUEST_BYTES], request[REQUEST_BYTES];
        bool any = run->lanes[0].back->take_request(run->lanes[0].back_state, expected);
        for (int i = 1; i < NR_LANES; i++) {
            if (run->lanes[i].back->take_request(run->lanes[i].back_state, request) != any)
                differ(run, i, "whether there is a request");
            if (any && memcmp(request, expected, request_bytes(expected)) != 0)
                differ(run, i, "a request");
        }
        if (!any)
            return;
        assert_true(run->nr_taken < ENTRIES_MAX);
        memcpy(&run->taken[run->nr_taken++], expected + 8, sizeof(uint64_t));
    }
}

static void put_responses(struct run *run)
{
    for (uint32_t n = draw(run, BATCH_MAX); n > 0 && run->nr_taken > 0; n--) {
        uint32_t pick = draw(run, run->nr_taken);
        uint64_t id = run->taken[pick];
        run->taken[pick] = run->taken[--run->nr_taken];
        uint8_t operation = (uint8_t)draw(run, 7);
        int16_t status = (int16_t) - (int)draw(run, 3);
        for (int i = 0; i < NR_LANES; i++)
            run->lanes[i].back->put_response(run->lanes[i].back_state, id, operation, status);
    }
}

static void take_responses(struct run *run)
{
    for (uint32_t n = draw(run, BATCH_MAX); n > 0; n--) {
        uint8_t expected[RESPONSE_BYTES], response[RESPONSE_BYTES];
        bool any = run->lanes[0].front->take_response(run->lanes[0].front_state, expected);
        for (int i = 1; i < NR_LANES; i++) {
            if (run->lanes[i].front->take_response(run->lanes[i].front_state, response) != any)
                differ(run, i, "whether there is a response");
            if (any && memcmp(response, expected, sizeof(expected)) != 0)
                differ(run, i, "a response");
        }
        run->answered += any;
    }
}

/* The four yes-or-no steps. */
enum decision { FRONT_PUSH, BACK_PUSH, FRONT_FINAL_CHECK, BACK_FINAL_CHECK };

static bool decide(const struct lane *lane, enum decision decision)
{
    switch (decision) {
    case FRONT_PUSH:
        return lane->front->push(lane->front_state);
    case BACK_PUSH:
        return lane->back->push(lane->back_state);
    case FRONT_FINAL_CHECK:
        return lane->front->final_check(lane->front_state);
    default:
        return lane->back->final_check(lane->back_state);
    }
}

static bool decide_all(struct run *run, enum decision decision)
{
    static const char *const names[] = {"notify after push of requests",
                                        "notify after push of responses",
                                        "final check for responses", "final check for requests"};
    bool expected = decide(&run->lanes[0], decision);
    for (int i = 1; i < NR_LANES; i++) {
        if (decide(&run->lanes[i], decision) != expected)
            differ(run, i, names[decision]);
    }
    return expected;
}

/* Batching consumers, and hostile ones, ask for other events than the next. */
static void disturb_events(struct run *run)
{
    uint32_t word = draw(run, 2) ? REQ_EVENT : RSP_EVENT;
    uint32_t event = run->lanes[0].shared[word - 1] + draw(run, 64) - 16;
    for (int i = 0; i < NR_LANES; i++)
        run->lanes[i].shared[word] = event;
}

static void step(struct run *run)
{
    switch (draw(run, 20)) {
    case 0:
    case 1:
    case 2:
        put_requests(run);
        break;
    case 3:
    case 4:
    case 5:
        run->notifications += decide_all(run, FRONT_PUSH);
        break;
    case 6:
    case 7:
    case 8:
        take_requests(run);
        break;
    case 9:
    case 10:
        put_responses(run);
        break;
    case 11:
    case 12:
        run->notifications += decide_all(run, BACK_PUSH);
        break;
    case 13:
    case 14:
    case 15:
        take_responses(run);
        break;
    case 16:
    case 17:
        run->sleeps += !decide_all(run, FRONT_FINAL_CHECK);
        break;
    case 18:
        run->sleeps += !decide_all(run, BACK_FINAL_CHECK);
        break;
    default:
        if (draw(run, 8) == 0)
            disturb_events(run);
    }
    for (int i = 1; i < NR_LANES; i++) {
        if (memcmp(run->lanes[i].shared, run->lanes[0].shared, HEADER_BYTES) != 0)
            differ(run, i, "the shared header");
    }
}

static void pairs_stay_in_lockstep(size_t pages, uint32_t index)
{
    struct run run;
    start(&run, pages * 4096, index, 0x9e3779b97f4a7c15ull + index + pages);
    for (; run.step < STEPS; run.step++)
        step(&run);
    /* The walk was a real one. */
    assert_true(run.answered > STEPS / 2);
    assert_true(run.notifications > STEPS / 100);
    assert_true(run.sleeps > STEPS / 100);
    finish(&run);
}

static void in_lockstep_from_zero(void **state)
{
    (void)state;
    for (size_t pages = 1; pages <= 16; pages *= 2)
        pairs_stay_in_lockstep(pages, 0);
}

static void in_lockstep_over_the_wrap(void **state)
{
    (void)state;
    pairs_stay_in_lockstep(1, UINT32_MAX - 3);
    pairs_stay_in_lockstep(1, UINT32_MAX - 20000);
    pairs_stay_in_lockstep(4, UINT32_MAX - 1000);
    pairs_stay_in_lockstep(16, UINT32_MAX);
}

static void in_lockstep_over_the_sign_bit(void **state)
{
    (void)state;
    pairs_stay_in_lockstep(1, INT32_MAX - 3);
}

/* Ours believes a subset of what Xen's believes: what is left out moved backwards. */
static void our_index_check_only_adds_the_backwards_case(void **state)
{
    (void)state;
    static const uint32_t bases[] = {0, 10, INT32_MAX, UINT32_MAX - 16};
    uint32_t backwards = 0;
    for (size_t b = 0; b < sizeof(bases) / sizeof(bases[0]); b++) {
        for (uint32_t taken = 0; taken <= 32; taken++) {
            for (int32_t claim = -100; claim <= 100; claim++) {
                uint32_t prod = bases[b] + (uint32_t)claim;
                bool xen = back_xen.believes(32, bases[b], bases[b] + taken, prod);
                bool ours = back_ours.believes(32, bases[b], bases[b] + taken, prod);
                bool moved_back = claim >= 0 && (uint32_t)claim < taken;
                assert_int_equal(ours, xen && !moved_back);
                backwards += moved_back;
            }
        }
    }
    assert_true(backwards > 0);
}

/* The same for responses: Xen's bound is the ring, ours what is in flight. */
static void our_response_check_is_bounded_by_what_is_in_flight(void **state)
{
    (void)state;
    static const uint32_t bases[] = {0, 10, INT32_MAX, UINT32_MAX - 16};
    for (size_t b = 0; b < sizeof(bases) / sizeof(bases[0]); b++) {
        for (uint32_t pushed = 0; pushed <= 32; pushed++) {
            for (int32_t claim = -100; claim <= 100; claim++) {
                uint32_t prod = bases[b] + (uint32_t)claim;
                bool xen = front_xen.believes(32, bases[b], bases[b] + pushed, prod);
                bool ours = front_ours.believes(32, bases[b], bases[b] + pushed, prod);
                assert_int_equal(xen, claim >= 0 && claim <= 32);
                assert_int_equal(ours, xen && (uint32_t)claim <= pushed);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_lockstep_from_zero),
        cmocka_unit_test(in_lockstep_over_the_wrap),
        cmocka_unit_test(in_lockstep_over_the_sign_bit),
        cmocka_unit_test(our_index_check_only_adds_the_backwards_case),
        cmocka_unit_test(our_response_check_is_bounded_by_what_is_in_flight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
