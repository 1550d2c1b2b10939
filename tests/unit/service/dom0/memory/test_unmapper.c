/* SPDX-License-Identifier: MIT */
/* unmapper: memory of domains that have ended, and caches, go away on a thread of its own. */
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "faults/fault_walk.h"
#include "service/block/cache/cache.h"
#include "service/dom0/memory/unmapper.h"

enum { NR_PAGES = 64, MANY = 100, HANG_S = 120 };

static struct unmapper *unmapper;

static int setup(void **state)
{
    (void)state;
    alarm(HANG_S);
    return unmapper_create(&unmapper);
}

static int teardown(void **state)
{
    (void)state;
    unmapper_destroy(unmapper);
    unmapper = NULL;
    alarm(0);
    return 0;
}

static struct segment make(uint32_t nr_pages)
{
    struct segment segment;
    int fd;
    assert_int_equal(segment_create(nr_pages, 1, &segment, &fd), 0);
    close(fd);
    return segment;
}

static uint32_t mapped_segments(void)
{
    char line[512];
    uint32_t count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps) != NULL)
        count += strstr(line, "/memfd:splitdom ") != NULL;
    fclose(maps);
    return count;
}

static void what_is_taken_goes_away(void **state)
{
    (void)state;
    for (int i = 0; i < MANY; i++) {
        struct segment segment = make(NR_PAGES);
        unmapper_take(unmapper, &segment);
        assert_null(segment.base); /* nobody can touch it by mistake */
        assert_true(unmapper_pending_bytes(unmapper) <= (uint64_t)MANY * NR_PAGES * XEN_PAGE_SIZE);
    }
    while (unmapper_pending_bytes(unmapper) > 0)
        sched_yield();
    assert_int_equal(mapped_segments(), 0);
}

static void its_end_waits_for_all_of_it(void **state)
{
    (void)state;
    for (int i = 0; i < MANY; i++) {
        struct segment segment = make(NR_PAGES);
        unmapper_take(unmapper, &segment);
    }
    unmapper_destroy(unmapper);
    unmapper = NULL;
    assert_int_equal(mapped_segments(), 0);
}

static void without_a_thread_it_is_done_at_once(void **state)
{
    (void)state;
    struct segment segment = make(NR_PAGES), none = {.base = NULL};
    unmapper_take(NULL, &segment);
    assert_int_equal(mapped_segments(), 0);
    assert_int_equal(unmapper_pending_bytes(NULL), 0);
    unmapper_take(unmapper, &none);
    assert_int_equal(unmapper_pending_bytes(unmapper), 0);
}

/* What the caller's thread spends on a large one whose pages are all there. */
static uint64_t cost_ns(struct unmapper *taker)
{
    struct segment segment = make(SEGMENT_PAGES_MAX);
    for (uint32_t pfn = 0; pfn < SEGMENT_PAGES_MAX; pfn++)
        *(volatile uint8_t *)segment_page(&segment, pfn) = 1;
    uint64_t before_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    unmapper_take(taker, &segment);
    return clock_ns(CLOCK_THREAD_CPUTIME_ID) - before_ns;
}

static void the_caller_does_not_pay(void **state)
{
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    skip(); /* their memory and their time are not what a caller pays */
#endif
    (void)state;
    uint64_t own_ns = UINT64_MAX, with_ns = UINT64_MAX;
    for (int i = 0; i < 16; i++) { /* the least of each: the machine may be busy */
        uint64_t now_ns = cost_ns(NULL);
        own_ns = now_ns < own_ns ? now_ns : own_ns;
        now_ns = cost_ns(unmapper);
        with_ns = now_ns < with_ns ? now_ns : with_ns;
    }
    print_message("%lu us at once, %lu us with a thread\n", (unsigned long)(own_ns / 1000),
                  (unsigned long)(with_ns / 1000));
    assert_true(with_ns * 4 < own_ns);
}

enum { CACHE_SECTORS = 65536, SECTOR_BYTES = 512 };

/* As full as it gets, and ended by its owner. */
static struct cache *full_cache(bool shared)
{
    static const uint8_t sector[SECTOR_BYTES];
    struct cache *cache;
    assert_int_equal(
        cache_create((size_t)CACHE_SECTORS * SECTOR_BYTES, cache_policy_find("lru"), &cache), 0);
    if (shared)
        assert_int_equal(cache_share(cache), 0);
    for (uint64_t i = 0; i < CACHE_SECTORS; i++)
        cache_insert(cache, i, sector);
    cache_retire(cache);
    return cache;
}

static uint64_t cache_cost_ns(struct unmapper *taker)
{
    struct cache *cache = full_cache(true);
    uint64_t before_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    unmapper_take_cache(taker, cache);
    return clock_ns(CLOCK_THREAD_CPUTIME_ID) - before_ns;
}

static void nor_for_the_cache_of_a_disk(void **state)
{
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    skip();
#endif
    (void)state;
    uint64_t own_ns = UINT64_MAX, with_ns = UINT64_MAX;
    for (int i = 0; i < 16; i++) {
        uint64_t now_ns = cache_cost_ns(NULL);
        own_ns = now_ns < own_ns ? now_ns : own_ns;
        now_ns = cache_cost_ns(unmapper);
        with_ns = now_ns < with_ns ? now_ns : with_ns;
    }
    print_message("a cache: %lu us at once, %lu us with a thread\n", (unsigned long)(own_ns / 1000),
                  (unsigned long)(with_ns / 1000));
    assert_true(with_ns * 4 < own_ns);
}

static void caches_and_segments_go_in_any_order(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct segment segment = make(NR_PAGES);
        unmapper_take_cache(unmapper, full_cache(i % 2 == 0));
        unmapper_take(unmapper, &segment);
    }
    unmapper_destroy(unmapper); /* the leak checker sees what it has left */
    unmapper = NULL;
    assert_int_equal(mapped_segments(), 0);
}

static int create(void *unused)
{
    struct unmapper *other;
    (void)unused;
    int rc = unmapper_create(&other);
    assert_true((rc < 0) == (other == NULL));
    unmapper_destroy(other);
    return rc;
}

static void without_memory_or_a_thread_there_is_none(void **state)
{
    (void)state;
    assert_int_equal(fault_walk(create, NULL), 2);
}

/* A mapping and a descriptor, as of a file that nobody wants any more. */
static struct unmapper_file make_file(void)
{
    struct unmapper_file file = {.bytes = XEN_PAGE_SIZE, .fd = open("/dev/null", O_RDONLY)};
    file.base = mmap(NULL, file.bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(file.base, MAP_FAILED);
    assert_true(file.fd >= 0);
    return file;
}

static void assert_is_gone(const struct unmapper_file *file)
{
    assert_int_equal(fcntl(file->fd, F_GETFD), -1);
    assert_int_equal(msync(file->base, file->bytes, MS_ASYNC), -1);
    assert_int_equal(errno, ENOMEM);
}

static void a_file_goes_away_with_its_descriptor(void **state)
{
    (void)state;
    struct unmapper_file file = make_file();
    unmapper_take_file(unmapper, &file);
    unmapper_destroy(unmapper); /* which waits for it */
    unmapper = NULL;
    assert_is_gone(&file);
}

/* No memory for a job, or no thread: the caller waits for it then. */
static void what_cannot_be_handed_over_goes_away_at_once(void **state)
{
    (void)state;
    struct unmapper *const takers[] = {unmapper, NULL};
    for (int i = 0; i < 2; i++) {
        struct unmapper_file file = make_file();
        struct segment segment = make(NR_PAGES);
        struct cache *cache;
        assert_int_equal(cache_create(4096, cache_policy_at(0), &cache), 0);
        int64_t blocks = fault_live_blocks();
        fault_arm_call("calloc", 0, ENOMEM);
        unmapper_take_file(takers[i], &file);
        unmapper_take(takers[i], &segment);
        unmapper_take_cache(takers[i], cache);
        fault_disarm();
        assert_is_gone(&file);
        assert_int_equal(mapped_segments(), 0);
        assert_true(fault_live_blocks() < blocks);
        assert_int_equal(unmapper_pending_bytes(takers[i]), 0);
    }
}

int main(void)
{
#define UNMAPPER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        UNMAPPER_TEST(what_is_taken_goes_away),
        UNMAPPER_TEST(its_end_waits_for_all_of_it),
        UNMAPPER_TEST(without_a_thread_it_is_done_at_once),
        UNMAPPER_TEST(the_caller_does_not_pay),
        UNMAPPER_TEST(nor_for_the_cache_of_a_disk),
        UNMAPPER_TEST(caches_and_segments_go_in_any_order),
        UNMAPPER_TEST(without_memory_or_a_thread_there_is_none),
        UNMAPPER_TEST(a_file_goes_away_with_its_descriptor),
        UNMAPPER_TEST(what_cannot_be_handed_over_goes_away_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
