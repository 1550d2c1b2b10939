/* SPDX-License-Identifier: MIT */
/* cache_notes: the hits that Dom0's policy hears of. */
#include <pthread.h>

#include "unit/domu/blkfront/cache_view_fixture.h"

static void hits_are_noted_for_dom0(void **state)
{
    struct fixture *f = *state;
    uint64_t seen[2 * SECTOR_BYTES / 8];
    uint64_t reads = 0, noted = 0;
    put(f, 7, 100, 1);
    put(f, 8, 101, 1);
    assert_true(cache_view_read(f->view, 100, 2, seen));
    assert_false(cache_view_read(f->view, 200, 1, seen));
    for (int i = 0; i < SHARED_CACHE_SHARDS; i++) {
        const struct shared_cache_shard *shard = &f->claims.shard[i];
        reads += shard->reads;
        noted += shard->noted;
        if (shard->noted == 2) {
            assert_int_equal(shard->slot[0], 7);
            assert_int_equal(shard->slot[1], 8);
        }
    }
    assert_int_equal(reads, 1);
    assert_int_equal(noted, 2);
}

static bool is_marked(const struct fixture *f, uint32_t slot)
{
    return (f->claims.used[slot / 64] >> slot % 64 & 1) != 0;
}

static bool is_noted(const struct fixture *f, uint32_t slot)
{
    for (int i = 0; i < SHARED_CACHE_SHARDS; i++) {
        const struct shared_cache_shard *shard = &f->claims.shard[i];
        for (uint64_t at = 0; at < shard->noted && at < SHARED_CACHE_SHARD_SLOTS; at++) {
            if (shard->slot[at] == slot)
                return true;
        }
    }
    return false;
}

/* Slot 7 is hit first, and never again. */
static void what_dom0_did_not_hear_in_time_is_marked(void **state)
{
    struct fixture *f = *state;
    uint64_t seen[SECTOR_BYTES / 8];
    put(f, 7, 100, 1);
    put(f, 8, 101, 1);
    assert_true(cache_view_read(f->view, 100, 1, seen));
    for (int i = 0; i < SHARED_CACHE_SHARDS * SHARED_CACHE_SHARD_SLOTS / 2; i++)
        assert_true(cache_view_read(f->view, 101, 1, seen));
    cache_notes_tell_all(cache_view_notes(f->view));
    assert_true(is_noted(f, 7) && !is_marked(f, 7));
    for (int i = 0; i < SHARED_CACHE_SHARDS * SHARED_CACHE_SHARD_SLOTS; i++)
        assert_true(cache_view_read(f->view, 101, 1, seen));
    cache_notes_tell_all(cache_view_notes(f->view));
    assert_true(!is_noted(f, 7) && is_marked(f, 7));
}

static void what_dom0_has_heard_is_not_marked(void **state)
{
    struct fixture *f = *state;
    uint64_t seen[SECTOR_BYTES / 8];
    put(f, 7, 100, 1);
    for (int i = 0; i < 100 * SHARED_CACHE_SHARD_SLOTS; i++) {
        assert_true(cache_view_read(f->view, 100, 1, seen));
        for (int k = 0; k < SHARED_CACHE_SHARDS; k++)
            f->claims.shard[k].heard = f->claims.shard[k].noted;
    }
    assert_false(is_marked(f, 7));
    for (int i = 0; i < SHARED_CACHE_SHARDS; i++)
        assert_int_equal(f->claims.shard[i].spilled, 0);
}

enum { THREADS = 200, HITS = 50 };

static void *hit_and_end(void *arg)
{
    struct fixture *f = arg;
    uint64_t seen[SECTOR_BYTES / 8];
    for (int i = 0; i < HITS; i++) {
        if (!cache_view_read(f->view, 100, 1, seen))
            return NULL;
    }
    return f;
}

/* More threads than can have a lane, all at once: what each has hit is told once. */
static void every_thread_has_its_hits_noted(void **state)
{
    struct fixture *f = *state;
    pthread_t thread[THREADS];
    uint64_t reads = 0, noted = 0;
    void *ended;
    put(f, 7, 100, 1);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, hit_and_end, f), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(thread[i], &ended), 0);
        assert_non_null(ended);
    }
    cache_notes_tell_all(cache_view_notes(f->view));
    cache_notes_tell_all(cache_view_notes(f->view)); /* has nothing to tell */
    for (int i = 0; i < SHARED_CACHE_SHARDS; i++) {
        reads += f->claims.shard[i].reads;
        noted += f->claims.shard[i].noted;
    }
    assert_int_equal(reads, THREADS * HITS);
    assert_int_equal(noted, THREADS * HITS);
}

static void *pace_of_thread(void *arg)
{
    struct trace_pace *pace = cache_notes_pace(arg);
    return pace == cache_notes_pace(arg) ? pace : NULL;
}

static void each_thread_has_a_pace_of_its_own(void **state)
{
    static struct cache_notes_watch watch = {.threshold = UINT32_MAX, .serial = 1};
    static struct cache_notes notes = {.watch = &watch}; /* too large for a small stack */
    pthread_t thread;
    void *other, *mine = pace_of_thread(&notes);
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, pace_of_thread, &notes), 0);
    pthread_join(thread, &other);
    assert_non_null(mine);
    assert_non_null(other);
    assert_ptr_not_equal(mine, other);
}

/* Of threads that are more than there is room for. */
static void a_thread_without_a_place_has_no_pace(void **state)
{
    static struct cache_notes notes;
    (void)state;
    for (uint32_t i = 0; i < CACHE_NOTES_LANES; i++)
        notes.owner[i] = UINT64_MAX; /* somebody else */
    assert_null(pace_of_thread(&notes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(hits_are_noted_for_dom0, setup, teardown),
        cmocka_unit_test_setup_teardown(what_dom0_did_not_hear_in_time_is_marked, setup, teardown),
        cmocka_unit_test_setup_teardown(what_dom0_has_heard_is_not_marked, setup, teardown),
        cmocka_unit_test_setup_teardown(every_thread_has_its_hits_noted, setup, teardown),
        cmocka_unit_test(each_thread_has_a_pace_of_its_own),
        cmocka_unit_test(a_thread_without_a_place_has_no_pace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
