/* SPDX-License-Identifier: MIT */
/* cache_view: what Dom0 has put is read, nothing else is; a Dom0 that lies in the file gives wrong
 * data at most. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/prng.h"
#include "fakes/valgrind.h"
#include "faults/fault_walk.h"
#include "service/block/cache/cache.h"
#include "unit/domu/blkfront/cache_view_fixture.h"

static void a_sector_that_was_put_is_read(void **state)
{
    struct fixture *f = *state;
    uint64_t seen[SECTOR_BYTES / 8], expected[SECTOR_BYTES / 8];
    put(f, 3, 77, 1);
    make_sector(77, 1, expected);
    assert_true(cache_view_read(f->view, 77, 1, seen));
    assert_memory_equal(seen, expected, SECTOR_BYTES);
    assert_false(cache_view_read(f->view, 78, 1, seen));
}

static void several_sectors_are_read_when_all_are_there(void **state)
{
    struct fixture *f = *state;
    uint64_t seen[3 * SECTOR_BYTES / 8], expected[SECTOR_BYTES / 8];
    put(f, 9, 10, 1);
    put(f, 2, 12, 1);
    assert_false(cache_view_read(f->view, 10, 3, seen));
    put(f, 5, 11, 1);
    assert_true(cache_view_read(f->view, 10, 3, seen));
    for (uint64_t i = 0; i < 3; i++) {
        make_sector(10 + i, 1, expected);
        assert_memory_equal(seen + i * SECTOR_BYTES / 8, expected, SECTOR_BYTES);
    }
}

static uint32_t noted(struct fixture *f)
{
    uint32_t index = cache_notes_first_lane((uint64_t)pthread_self());
    return load_relaxed_u32(&cache_view_notes(f->view)->lane[index].count);
}

static void as_many_slots_are_noted_as_were_hit(void **state)
{
    struct fixture *f = *state;
    uint64_t seen[2 * SECTOR_BYTES / 8];
    put(f, 9, 10, 1);
    put(f, 2, 11, 1);
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t before = noted(f);
        assert_true(cache_view_read(f->view, 10, 1, seen));
        assert_int_equal(noted(f), before + 1);
        assert_true(cache_view_read(f->view, 10, 2, seen));
        assert_int_equal(noted(f), before + 3);
    }
}

/* A domain whose disk was taken away by force may look once more before it knows. */
static void a_hint_tells_where_a_sector_is(void **state)
{
    struct fixture *f = *state;
    put(f, 3, 77, 1);
    assert_int_equal(cache_view_expect_data(f->view, 77), 3);
    assert_int_equal(cache_view_expect_data(f->view, 78), CACHE_VIEW_ANYWHERE);
    cache_view_expect_bucket(f->view, 77);
    cache_view_expect_bucket(f->view, UINT64_MAX);
}

static void whatever_the_hint_the_sector_is_read(void **state)
{
    struct fixture *f = *state;
    uint64_t seen[2 * SECTOR_BYTES / 8], expected[2 * SECTOR_BYTES / 8];
    put(f, 3, 77, 1);
    put(f, 4, 78, 1);
    make_sector(77, 1, expected);
    make_sector(78, 1, &expected[SECTOR_BYTES / 8]);
    const uint32_t hints[] = {3, 4, 5, 0, SLOTS, SLOTS + 1, CACHE_VIEW_ANYWHERE};
    for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
        memset(seen, 0, sizeof(seen));
        assert_true(cache_view_read_at(f->view, hints[i], 77, 2, seen));
        assert_memory_equal(seen, expected, sizeof(seen));
        assert_false(cache_view_read_at(f->view, hints[i], 79, 1, seen));
    }
    put(f, 3, 80, 1); /* what was there has gone */
    assert_false(cache_view_read_at(f->view, 3, 77, 1, seen));
}

static void a_cache_that_is_gone_gives_nothing(void **state)
{
    struct fixture *f = *state;
    uint64_t seen[SECTOR_BYTES / 8];
    put(f, 3, 77, 1);
    assert_true(cache_view_read(f->view, 77, 1, seen));
    shared_cache_destroy(f->shared);
    f->shared = NULL;
    assert_false(cache_view_read(f->view, 77, 1, seen));
}

/* The child is Dom0: makes a cache, puts a sector, tells the descriptor and waits to be killed. */
static void be_dom0(int tell)
{
    struct shared_cache *shared;
    uint64_t word[SECTOR_BYTES / 8] = {1};
    if (shared_cache_create(SLOTS, &shared) < 0)
        _exit(1);
    shared_cache_fill(shared, 0, 77, word);
    shared_cache_show(shared, 0, 77);
    int fd = shared_cache_fd(shared);
    if (write(tell, &fd, sizeof(fd)) != sizeof(fd))
        _exit(1);
    for (;;)
        pause();
}

/* Nobody need have noticed yet: a thread that goes on after a pause may look there first. */
static void a_killed_dom0s_cache_gives_nothing(void **state)
{
    struct fixture *f = *state;
    int pipe_fds[2], fd;
    char path[64];
    uint64_t seen[SECTOR_BYTES / 8];
    struct cache_view *view;
    if (under_qemu())
        return; /* which has no robust futexes: the kernel is told of none */
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t child = fork();
    if (child == 0)
        be_dom0(pipe_fds[1]);
    assert_int_equal(read(pipe_fds[0], &fd, sizeof(fd)), sizeof(fd));
    snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)child, fd);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(cache_view_open(fd, &f->claims, &view), 0);
    assert_true(cache_view_read(view, 77, 1, seen));
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_false(cache_view_read(view, 77, 1, seen));
    cache_view_retire(view, &f->retired);
    close(fd);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

/* Random changes against an array: sector by slot, version by sector. A sector that is there may be
 * missed, where its bucket is full, but seldom. */
static void what_is_read_is_what_a_model_has(void **state)
{
    struct fixture *f = *state;
    struct prng prng;
    uint64_t holds[SLOTS];
    uint32_t version[SECTORS] = {0}, there = 0, found = 0;
    memset(holds, 0xff, sizeof(holds));
    prng_init(&prng, 20261129, 0);
    for (int step = 0; step < 200000; step++) {
        uint32_t slot = (uint32_t)prng_below(&prng, SLOTS);
        uint64_t sector = prng_below(&prng, SECTORS);
        uint32_t held_by = 0;
        while (held_by < SLOTS && holds[held_by] != sector)
            held_by++;
        switch (prng_below(&prng, 100)) {
        case 0:
            shared_cache_clear(f->shared);
            memset(holds, 0xff, sizeof(holds));
            break;
        case 1 ... 9:
            shared_cache_drop(f->shared, slot);
            holds[slot] = UINT64_MAX;
            break;
        case 10 ... 49:
            slot = held_by < SLOTS ? held_by : slot; /* in one slot at most */
            put(f, slot, sector, ++version[sector]);
            holds[slot] = sector;
            break;
        default: {
            uint64_t seen[SECTOR_BYTES / 8], expected[SECTOR_BYTES / 8];
            make_sector(sector, version[sector], expected);
            bool hit = cache_view_read(f->view, sector, 1, seen);
            if (held_by == SLOTS)
                assert_false(hit);
            if (hit)
                assert_memory_equal(seen, expected, SECTOR_BYTES);
            there += held_by < SLOTS;
            found += hit;
        }
        }
    }
    assert_true(found > there - there / 1000);
}

/* A cache of any policy that is shared, from random changes: the view has what the cache has, and
 * nothing else. */
static void follow_cache(const struct cache_policy *policy)
{
    struct shared_cache_claims claims = {0};
    struct cache_view *view, *retired = NULL;
    struct cache *cache;
    struct prng prng;
    struct cache_removal removal;
    uint32_t looks;
    uint64_t word[SECTOR_BYTES / 8], seen[SECTOR_BYTES / 8];
    assert_int_equal(cache_create(SLOTS * SECTOR_BYTES, policy, &cache), 0);
    assert_int_equal(cache_share(cache), 0);
    assert_int_equal(cache_view_open(cache_shared_fd(cache), &claims, &view), 0);
    prng_init(&prng, 20261130, 0);
    for (uint32_t step = 0; step < 30000; step++) {
        uint64_t sector = prng_below(&prng, SECTORS);
        switch (prng_below(&prng, 200)) {
        case 0:
            cache_clear(cache);
            break;
        case 1 ... 9:
            cache_remove_begin(cache, &removal, sector, prng_below(&prng, 2 * SLOTS));
            looks = UINT32_MAX;
            assert_true(cache_remove_on(cache, &removal, &looks));
            break;
        case 10 ... 19:
            cache_use_slot(cache, (uint32_t)prng_below(&prng, 2 * SLOTS));
            break;
        default:
            make_sector(sector, step, word);
            cache_insert(cache, sector, word);
        }
        sector = prng_below(&prng, SECTORS);
        const void *held = cache_peek(cache, sector);
        if (cache_view_read(view, sector, 1, seen)) {
            assert_non_null(held);
            assert_memory_equal(seen, held, SECTOR_BYTES);
        }
    }
    cache_view_retire(view, &retired);
    cache_view_free_all(&retired);
    cache_destroy(cache);
}

static void a_view_has_what_the_cache_has(void **state)
{
    const struct cache_policy *policy;
    (void)state;
    for (uint32_t i = 0; (policy = cache_policy_at(i)) != NULL; i++)
        follow_cache(policy);
}

static void a_retired_view_serves_nobody(void **state)
{
    struct fixture *f = *state;
    uint64_t seen[SECTOR_BYTES / 8];
    struct cache_view *view = f->view;
    put(f, 0, 0, 1);
    assert_true(cache_view_read(view, 0, 1, seen));
    cache_view_retire(view, &f->retired);
    f->view = NULL;
    assert_false(cache_view_read(view, 0, 1, seen));
}

static void a_domain_can_neither_write_nor_cut_the_file(void **state)
{
    struct fixture *f = *state;
    int fd = shared_cache_fd(f->shared);
    char byte = 1;
    assert_true(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
    assert_int_equal(pwrite(fd, &byte, 1, 0), -1);
    assert_int_equal(ftruncate(fd, 0), -1);
    void *mapped = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    assert_true(mapped != MAP_FAILED);
    assert_int_equal(mprotect(mapped, 4096, PROT_READ | PROT_WRITE), -1);
    munmap(mapped, 4096);
}

static int open_and_free(void *arg)
{
    struct fixture *f = arg;
    struct cache_view *view, *retired = NULL;
    int rc = cache_view_open(shared_cache_fd(f->shared), &f->claims, &view);
    assert_true((rc < 0) == (view == NULL));
    if (rc < 0)
        return rc;
    cache_view_retire(view, &retired); /* whatever fails there changes nothing */
    cache_view_free_all(&retired);
    return 0;
}

static void without_memory_there_is_no_view(void **state)
{
    assert_true(fault_walk_may_do_without(open_and_free, *state) >= 2);
}

static void a_view_without_zeros_in_its_place_is_freed_later(void **state)
{
    static const char *const calls[] = {"mmap", "mremap"};
    struct fixture *f = *state;
    for (int i = 0; i < 2; i++) {
        struct cache_view *view, *retired = NULL;
        assert_int_equal(cache_view_open(shared_cache_fd(f->shared), &f->claims, &view), 0);
        fault_arm_call(calls[i], 1, ENOMEM);
        cache_view_retire(view, &retired);
        assert_string_equal(fault_disarm(), calls[i]);
        assert_ptr_equal(retired, view);
        cache_view_free_all(&retired);
        assert_null(retired);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_sector_that_was_put_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(several_sectors_are_read_when_all_are_there, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_hint_tells_where_a_sector_is, setup, teardown),
        cmocka_unit_test_setup_teardown(whatever_the_hint_the_sector_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cache_that_is_gone_gives_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_killed_dom0s_cache_gives_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_read_is_what_a_model_has, setup, teardown),
        cmocka_unit_test(a_view_has_what_the_cache_has),
        cmocka_unit_test_setup_teardown(a_retired_view_serves_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(a_domain_can_neither_write_nor_cut_the_file, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(without_memory_there_is_no_view, setup, teardown),
        cmocka_unit_test_setup_teardown(a_view_without_zeros_in_its_place_is_freed_later, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(as_many_slots_are_noted_as_were_hit, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
