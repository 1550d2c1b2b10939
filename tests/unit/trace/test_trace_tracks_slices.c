/* SPDX-License-Identifier: MIT */
/* trace_tracks: how long the work of each stage is drawn, and what is drawn as one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "trace/trace_tracks.h"

enum { FRONT = 3, THREAD = 1, PUBLISH_NS = 1000 };

static struct trace_tracks tracks;

/* A life whose stages have the times that the test sets; 0: it has not been there. */
static struct trace_life life(void)
{
    return (struct trace_life){.domid = FRONT,
                               .devid = 51712,
                               .thread = 1,
                               .state = TRACE_WHOLE,
                               .at_ns = {[TRACE_SUBMITTED] = 100,
                                         [TRACE_ON_RING] = 150,
                                         [TRACE_TAKEN] = 200,
                                         [TRACE_JUDGED] = 230,
                                         [TRACE_QUEUED] = 260,
                                         [TRACE_COMPLETED] = 300,
                                         [TRACE_ANSWERED] = 350,
                                         [TRACE_PUBLISHED] = 400,
                                         [TRACE_TAKEN_OFF] = 5000,
                                         [TRACE_RETURNED] = 5500}};
}

static void make(struct trace_life *lives, size_t count)
{
    const struct trace_set set = {.lives = lives, .count = count};
    assert_int_equal(trace_tracks_make(&tracks, &set), 0);
}

static void assert_slice(size_t at, uint32_t domid, enum trace_stage stage, uint64_t begin_ns,
                         uint64_t end_ns, uint32_t requests)
{
    const struct trace_slice *slice = &tracks.slices[at];
    assert_true(at < tracks.slice_count);
    assert_int_equal(slice->domid, domid);
    assert_int_equal(slice->thread, domid == 0 ? 0 : THREAD);
    assert_int_equal(slice->stage, stage);
    assert_int_equal(slice->begin_ns, begin_ns);
    assert_int_equal(slice->end_ns, end_ns);
    assert_int_equal(slice->requests, requests);
}

static void each_work_lasts_until_what_follows_it(void **state)
{
    struct trace_life one = life();
    (void)state;
    make(&one, 1);
    assert_int_equal(tracks.slice_count, 4);
    assert_slice(0, 0, TRACE_TAKEN, 200, 260, 1);
    assert_slice(1, 0, TRACE_PUBLISHED, 400, 400 + PUBLISH_NS, 1);
    assert_slice(2, FRONT, TRACE_SUBMITTED, 100, 150, 1);
    assert_slice(3, FRONT, TRACE_TAKEN_OFF, 5000, 5500, 1);
    trace_tracks_free(&tracks);
}

/* A hit of Dom0's cache is answered while it is judged; what the disk did was queued, or not. */
static void the_taking_ends_where_the_next_stage_is(void **state)
{
    struct trace_life one = life();
    (void)state;
    one.at_ns[TRACE_QUEUED] = 0;
    make(&one, 1);
    assert_slice(0, 0, TRACE_TAKEN, 200, 230, 1);
    trace_tracks_free(&tracks);
    one.at_ns[TRACE_COMPLETED] = 0;
    make(&one, 1);
    assert_slice(0, 0, TRACE_TAKEN, 200, 350, 1);
    trace_tracks_free(&tracks);
}

/* A hit of the shared cache is on no ring. */
static void a_life_without_dom0_is_one_slice(void **state)
{
    struct trace_life one = {.domid = FRONT,
                             .state = TRACE_WHOLE,
                             .at_ns = {[TRACE_SUBMITTED] = 100, [TRACE_RETURNED] = 170}};
    (void)state;
    make(&one, 1);
    assert_int_equal(tracks.slice_count, 1);
    assert_slice(0, FRONT, TRACE_SUBMITTED, 100, 170, 1);
    trace_tracks_free(&tracks);
}

static void what_began_together_is_one_slice_until_the_last_end(void **state)
{
    struct trace_life lives[3] = {life(), life(), life()};
    (void)state;
    lives[1].at_ns[TRACE_ON_RING] = 190;
    lives[2].at_ns[TRACE_ON_RING] = 170;
    make(lives, 3);
    assert_int_equal(tracks.slice_count, 4);
    assert_slice(2, FRONT, TRACE_SUBMITTED, 100, 190, 3);
    trace_tracks_free(&tracks);
}

/* Nor is any so short that nobody sees it. */
static void no_slice_lasts_beyond_the_next_one(void **state)
{
    struct trace_life lives[2] = {life(), life()};
    (void)state;
    lives[0].at_ns[TRACE_ON_RING] = 130;
    lives[1].at_ns[TRACE_SUBMITTED] = 120;
    lives[1].at_ns[TRACE_ON_RING] = 120; /* no time at all */
    lives[1].at_ns[TRACE_TAKEN] = 201;
    lives[1].at_ns[TRACE_PUBLISHED] = 400 + PUBLISH_NS / 2;
    make(lives, 2);
    assert_int_equal(tracks.slice_count, 7);
    assert_slice(0, 0, TRACE_TAKEN, 200, 201, 1);
    assert_slice(1, 0, TRACE_TAKEN, 201, 260, 1);
    assert_slice(2, 0, TRACE_PUBLISHED, 400, 400 + PUBLISH_NS / 2, 1);
    assert_slice(3, 0, TRACE_PUBLISHED, 400 + PUBLISH_NS / 2, 400 + PUBLISH_NS / 2 + PUBLISH_NS, 1);
    assert_slice(4, FRONT, TRACE_SUBMITTED, 100, 120, 1);
    assert_slice(5, FRONT, TRACE_SUBMITTED, 120, 121, 1);
    assert_slice(6, FRONT, TRACE_TAKEN_OFF, 5000, 5500, 2);
    trace_tracks_free(&tracks);
}

/* Its begin says when, its end nothing: it has not come. */
static void a_life_that_was_cut_has_no_slices(void **state)
{
    struct trace_life one = life();
    (void)state;
    one.state = TRACE_CUT;
    make(&one, 1);
    assert_int_equal(tracks.slice_count, 0);
    trace_tracks_free(&tracks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_work_lasts_until_what_follows_it),
        cmocka_unit_test(the_taking_ends_where_the_next_stage_is),
        cmocka_unit_test(a_life_without_dom0_is_one_slice),
        cmocka_unit_test(what_began_together_is_one_slice_until_the_last_end),
        cmocka_unit_test(no_slice_lasts_beyond_the_next_one),
        cmocka_unit_test(a_life_that_was_cut_has_no_slices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
