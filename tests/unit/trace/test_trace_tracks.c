/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>

#include "faults/fault_walk.h"
#include "trace/trace_tracks.h"

enum { FIRST_NS = 1000, STEP_NS = 10, MANY = 200000 };

/* A hit in the shared cache, the shortest of lives. */
static struct trace_life life_of(uint32_t number, uint16_t domid, uint32_t devid, uint64_t thread)
{
    uint64_t at_ns = FIRST_NS + (uint64_t)number * STEP_NS;
    return (struct trace_life){
        .domid = domid,
        .devid = devid,
        .thread = thread,
        .class = TRACE_CLASS_FOUND,
        .state = TRACE_WHOLE,
        .at_ns = {[TRACE_SUBMITTED] = at_ns, [TRACE_RETURNED] = at_ns + STEP_NS / 2}};
}

/* Whatever their threads call themselves, and whichever disk comes first. */
static void test_tracks_are_numbered_by_domain(void **state)
{
    struct trace_life lives[] = {life_of(0, 2, 51728, 0xb000), life_of(1, 1, 51712, 0xe000),
                                 life_of(2, 2, 51712, 0xa000), life_of(3, 1, 51712, 0xd000),
                                 life_of(4, 2, 51728, 0xb000), life_of(5, 9, 51712, 0xb000)};
    const uint32_t disk_of[] = {2, 0, 1, 0, 2, 0}, thread_of[] = {3, 1, 4, 2, 3, 0};
    struct trace_set set = {.lives = lives, .count = sizeof(lives) / sizeof(lives[0])};
    struct trace_tracks tracks;
    (void)state;
    lives[5].state = TRACE_CUT;
    assert_int_equal(trace_tracks_make(&tracks, &set), 0);
    assert_int_equal(tracks.disk_count, 3);
    assert_int_equal(tracks.thread_count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(tracks.disk_of[i], disk_of[i]);
        assert_int_equal(tracks.thread_of[i], thread_of[i]);
        assert_int_equal(tracks.disks[disk_of[i]].domid, lives[i].domid);
        assert_int_equal(tracks.disks[disk_of[i]].devid, lives[i].devid);
        assert_int_equal(tracks.threads[thread_of[i]].domid, lives[i].domid);
    }
    for (uint32_t i = 1; i < 5; i++)
        assert_int_equal(tracks.threads[i].number, 1 + (i - 1) % 2);
    trace_tracks_free(&tracks);
}

static void test_no_lives_have_no_tracks(void **state)
{
    struct trace_set set = {.count = 0};
    struct trace_tracks tracks;
    (void)state;
    assert_int_equal(trace_tracks_make(&tracks, &set), 0);
    assert_int_equal(tracks.disk_count, 0);
    assert_int_equal(tracks.thread_count, 1);
    assert_int_equal(tracks.slice_count, 0);
    trace_tracks_free(&tracks);
}

/* A domain that lies about its threads and disks: looking for each among the others would take
 * minutes. */
static void test_a_track_for_each_life_is_soon_made(void **state)
{
    struct trace_life *lives = calloc(MANY, sizeof(*lives));
    struct trace_set set = {.lives = lives, .count = MANY};
    struct trace_tracks tracks;
    (void)state;
    assert_non_null(lives);
    for (uint32_t i = 0; i < MANY; i++)
        lives[i] = life_of(i, 7, MANY - i, (uint64_t)i * 0x9e3779b1);
    assert_int_equal(trace_tracks_make(&tracks, &set), 0);
    assert_int_equal(tracks.disk_count, MANY);
    assert_int_equal(tracks.thread_count, MANY + 1);
    assert_int_equal(tracks.thread_of[MANY - 1], MANY);
    assert_int_equal(tracks.disk_of[MANY - 1], 0);
    trace_tracks_free(&tracks);
    free(lives);
}

static int make_and_free(void *arg)
{
    struct trace_life lives[] = {life_of(0, 1, 51712, 0xa000), life_of(1, 2, 51712, 0xb000)};
    struct trace_set set = {.lives = lives, .count = 2};
    struct trace_tracks tracks;
    (void)arg;
    int rc = trace_tracks_make(&tracks, &set);
    if (rc == 0)
        trace_tracks_free(&tracks);
    return rc;
}

static void test_without_memory_there_are_none(void **state)
{
    (void)state;
    assert_int_equal(fault_walk(make_and_free, NULL), 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tracks_are_numbered_by_domain),
        cmocka_unit_test(test_no_lives_have_no_tracks),
        cmocka_unit_test(test_a_track_for_each_life_is_soon_made),
        cmocka_unit_test(test_without_memory_there_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
