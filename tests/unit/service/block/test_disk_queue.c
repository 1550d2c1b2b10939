/* SPDX-License-Identifier: MIT */
/* disk_queue: from requests to data, with a disk whose reads end when the test says so. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fakes/fake_disk.h"
#include "service/block/disk_queue.h"

enum {
    DEPTH = 4,
    CACHE_SECTORS = 16,
    IMAGE_SECTORS = 1024,
    CLIENTS = 3,
    ASKS_MAX = 64,
    NOT_DONE = 4711,
};

/* A request of the test. */
struct ask {
    struct pending p;
    uint8_t bytes[BLKIF_SECTORS_MAX * BLKIF_SECTOR_SIZE];
    uint32_t client;
    int status;
    uint32_t done_count;
    struct ask *chain; /* asked from inside this one's done */
};

struct fixture {
    struct image image;
    struct disk_queue *queue;
    struct fake_disk *disk;
    struct disk_client client[CLIENTS];
    struct ask ask[ASKS_MAX];
    uint32_t done_order[ASKS_MAX], done_total;
};

static struct fixture *f;

static void put_ask(struct ask *a, uint32_t client)
{
    a->client = client;
    disk_queue_read(f->queue, &f->client[client], &a->p, 0);
}

static void on_done(struct pending *p, int status)
{
    struct ask *a = (struct ask *)p;
    a->status = status;
    a->done_count++;
    p->state = PENDING_FREE;
    f->done_order[f->done_total++] = (uint32_t)(a - f->ask);
    if (a->chain != NULL)
        put_ask(a->chain, 0);
}

/* Request number n: in one segment per 8 sectors. */
static struct ask *fill(uint32_t n, uint64_t sector, uint32_t sector_count)
{
    struct ask *a = &f->ask[n];
    memset(a, 0, sizeof(*a));
    a->status = NOT_DONE;
    a->p.sector = sector;
    a->p.sector_count = sector_count;
    for (uint32_t at = 0; at < sector_count; at += BLKIF_SECTORS_PER_PAGE) {
        uint32_t left = sector_count - at;
        a->p.segment[a->p.nr_segments++] = (struct pending_segment){
            .to = a->bytes + (size_t)at * BLKIF_SECTOR_SIZE,
            .sector_count = left < BLKIF_SECTORS_PER_PAGE ? left : BLKIF_SECTORS_PER_PAGE};
    }
    return a;
}

static struct ask *read_one(uint32_t client, uint32_t n, uint64_t sector, uint32_t sector_count)
{
    struct ask *a = fill(n, sector, sector_count);
    put_ask(a, client);
    return a;
}

static bool is_served(const struct ask *a)
{
    return a->done_count == 1 && a->status == 0 &&
           fake_disk_holds(a->bytes, a->p.sector, a->p.sector_count);
}

static int setup_with(uint32_t block_size)
{
    char why[128];
    f = calloc(1, sizeof(*f));
    if (f == NULL)
        return -1;
    f->image = (struct image){.fd = -1,
                              .size_bytes = IMAGE_SECTORS * BLKIF_SECTOR_SIZE,
                              .block_size_bytes = block_size,
                              .memory_align_bytes = block_size};
    struct disk_queue_config config = {.image = &f->image,
                                       .engine = &fake_disk_ops,
                                       .cache_bytes = CACHE_SECTORS * BLKIF_SECTOR_SIZE,
                                       .policy = cache_policy_find("lru"),
                                       .depth = DEPTH,
                                       .depth_isolated = DEPTH};
    int rc = disk_queue_create(&config, on_done, &f->queue, why, sizeof(why));
    f->disk = fake_disk_current();
    for (int i = 0; i < CLIENTS; i++)
        disk_client_init(&f->client[i]);
    return rc;
}

static int setup(void **state)
{
    (void)state;
    return setup_with(512);
}

static int setup_4k(void **state)
{
    (void)state;
    return setup_with(4096);
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < ASKS_MAX; i++)
        disk_queue_cancel(f->queue, &f->client[f->ask[i].client], &f->ask[i].p);
    fake_disk_complete_all(f->disk, 0);
    for (int i = 0; i < CLIENTS; i++)
        disk_client_detach(f->queue, &f->client[i]);
    disk_queue_destroy(f->queue);
    disk_queue_destroy(NULL);
    free(f);
    return 0;
}

static void a_miss_goes_to_the_disk_and_then_hits(void **state)
{
    (void)state;
    struct ask *a = read_one(0, 0, 5, 1);
    assert_int_equal(f->disk->submitted, 0); /* takes its turn first */
    assert_int_equal(disk_queue_dispatch(f->queue, 0), 1);
    assert_true(f->disk->unkicked < 2); /* the rest of a chunk goes with the next poller_run */
    assert_int_equal(a->done_count, 0);
    assert_int_equal(disk_queue_in_flight(f->queue), 1);
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(a));
    a = read_one(1, 1, 5, 1); /* anybody's */
    assert_true(is_served(a));
    const struct disk_queue_stats *stats = disk_queue_stats(f->queue);
    assert_int_equal(stats->hits, 1);
    assert_int_equal(stats->misses, 1);
    assert_int_equal(stats->disk_reads, 1);
    assert_int_equal(stats->disk_bytes, 512);
    assert_int_equal(stats->in_flight_peak, 1);
    assert_int_equal(disk_queue_in_flight(f->queue), 0);
}

static void a_large_read_fills_all_its_segments(void **state)
{
    (void)state;
    struct ask *a = read_one(0, 0, 3, BLKIF_SECTORS_MAX);
    disk_queue_dispatch(f->queue, 0);
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(a));
}

static void several_sectors_hit_only_together(void **state)
{
    (void)state;
    (void)read_one(0, 0, 10, 4);
    disk_queue_dispatch(f->queue, 0);
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(read_one(0, 1, 11, 3)));
    struct ask *a = read_one(0, 2, 12, 3); /* 14 is not there */
    assert_int_equal(a->done_count, 0);
    disk_queue_dispatch(f->queue, 0);
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(a));
}

static void clients_share_a_read_in_flight(void **state)
{
    (void)state;
    struct ask *a = read_one(0, 0, 16, 8);
    disk_queue_dispatch(f->queue, 0);
    struct ask *b = read_one(1, 1, 16, 8), *c = read_one(2, 2, 17, 1);
    assert_int_equal(disk_queue_dispatch(f->queue, 0), 0);
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(a) && is_served(b) && is_served(c));
    assert_int_equal(f->disk->submitted, 1);
    assert_int_equal(disk_queue_stats(f->queue)->shared, 2);
    assert_int_equal(disk_queue_stats(f->queue)->misses, 3);
}

/* Two that wait for their turns with the same sector: the second one's turn finds the first's. */
static void a_turn_may_join_or_hit_instead(void **state)
{
    (void)state;
    struct ask *a = read_one(0, 0, 40, 1), *b = read_one(1, 1, 40, 1);
    assert_int_equal(disk_queue_dispatch(f->queue, 0), 1);
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(a) && is_served(b));
    /* Waiting for the same block in different ways: the second one's turn finds a read. */
    struct ask *large = read_one(0, 2, 80, 8), *small = read_one(1, 3, 81, 1);
    assert_int_equal(disk_queue_dispatch(f->queue, 0), 1);
    assert_int_equal(disk_queue_in_flight(f->queue), 1);
    assert_int_equal(disk_queue_stats(f->queue)->shared, 2);
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(large) && is_served(small));
}

static void the_block_around_a_sector_is_read(void **state)
{
    (void)state;
    struct ask *a = read_one(0, 0, 13, 1);
    disk_queue_dispatch(f->queue, 0);
    assert_int_equal(f->disk->waiting[0]->offset_bytes, 8 * 512);
    assert_int_equal(f->disk->waiting[0]->length_bytes, 4096);
    struct ask *b = read_one(1, 1, 9, 2); /* same block */
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(a) && is_served(b));
    struct ask *c = read_one(0, 2, 7, 2); /* across two blocks */
    disk_queue_dispatch(f->queue, 0);
    assert_int_equal(f->disk->waiting[0]->length_bytes, 8192);
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(c));
    struct ask *d = read_one(0, 3, 7, BLKIF_SECTORS_MAX); /* the widest span there is */
    disk_queue_dispatch(f->queue, 0);
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(d));
}

static void an_error_reaches_those_who_waited_and_nobody_else(void **state)
{
    (void)state;
    struct ask *a = read_one(0, 0, 16, 8), *other = read_one(0, 1, 200, 1);
    disk_queue_dispatch(f->queue, 0);
    struct ask *b = read_one(1, 2, 20, 1);
    fake_disk_complete(f->disk, 0, -EIO);
    assert_int_equal(a->status, -EIO);
    assert_int_equal(b->status, -EIO);
    assert_int_equal(a->done_count + b->done_count, 2);
    assert_int_equal(other->done_count, 0);
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(other));
    assert_int_equal(disk_queue_stats(f->queue)->disk_errors, 1);
    struct ask *again = read_one(2, 3, 20, 1); /* nothing of it was kept */
    assert_int_equal(again->done_count, 0);
    disk_queue_dispatch(f->queue, 0);
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(again));
}

static void reads_may_end_in_any_order(void **state)
{
    (void)state;
    struct ask *a[DEPTH];
    for (uint32_t i = 0; i < DEPTH; i++)
        a[i] = read_one(i % CLIENTS, i, 300 + 10 * i, 1);
    assert_int_equal(disk_queue_dispatch(f->queue, 0), DEPTH);
    static const uint32_t order[DEPTH] = {2, 0, 1, 0};
    for (uint32_t i = 0; i < DEPTH; i++)
        fake_disk_complete(f->disk, order[i], 0);
    for (uint32_t i = 0; i < DEPTH; i++)
        assert_true(is_served(a[i]));
}

/* The engine aborts when more than DEPTH reads are sent to it. */
static void the_depth_is_kept(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3 * DEPTH; i++)
        (void)read_one(i % CLIENTS, i, 300 + 10 * i, 1);
    assert_int_equal(disk_queue_dispatch(f->queue, 0), DEPTH);
    assert_int_equal(disk_queue_dispatch(f->queue, 0), 0);
    fake_disk_complete(f->disk, 0, 0);
    assert_int_equal(disk_queue_dispatch(f->queue, 0), 1);
    while (f->done_total < 3 * DEPTH) {
        fake_disk_complete_all(f->disk, 0);
        (void)disk_queue_dispatch(f->queue, 0);
    }
    assert_int_equal(disk_queue_stats(f->queue)->in_flight_peak, DEPTH);
}

static void a_turn_finds_what_came_into_the_cache_while_it_waited(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < DEPTH; i++)
        (void)read_one(2, i, 300 + 10 * i, 1);
    assert_int_equal(disk_queue_dispatch(f->queue, 0), DEPTH);
    struct ask *a = read_one(0, DEPTH, 900, 1), *b = read_one(1, DEPTH + 1, 900, 1);
    fake_disk_complete(f->disk, 0, 0);
    assert_int_equal(disk_queue_dispatch(f->queue, 0), 1); /* a's, and all places are taken again */
    fake_disk_complete(f->disk, DEPTH - 1, 0);
    assert_true(is_served(a));
    assert_int_equal(disk_queue_dispatch(f->queue, 0), 0);
    assert_true(is_served(b));
    assert_int_equal(disk_queue_stats(f->queue)->disk_reads, DEPTH + 1);
    fake_disk_complete_all(f->disk, 0);
}

static void a_cancelled_request_is_never_answered(void **state)
{
    (void)state;
    struct ask *queued = read_one(0, 0, 50, 1);
    disk_queue_cancel(f->queue, &f->client[0], &queued->p);
    assert_int_equal(queued->p.state, PENDING_FREE);
    assert_int_equal(disk_queue_dispatch(f->queue, 0), 0);

    struct ask *reading = read_one(0, 1, 60, 1);
    disk_queue_dispatch(f->queue, 0);
    struct ask *joined = read_one(1, 2, 60, 1), *stays = read_one(2, 3, 60, 1);
    disk_queue_cancel(f->queue, &f->client[0], &reading->p);
    disk_queue_cancel(f->queue, &f->client[1], &joined->p);
    disk_queue_cancel(f->queue, &f->client[1], &joined->p); /* free already: nothing happens */
    fake_disk_complete(f->disk, 0, 0);
    assert_int_equal(queued->done_count + reading->done_count + joined->done_count, 0);
    assert_true(is_served(stays));
}

static void a_read_that_nobody_waits_for_ends_quietly(void **state)
{
    (void)state;
    struct ask *a = read_one(0, 0, 60, 1);
    disk_queue_dispatch(f->queue, 0);
    disk_queue_cancel(f->queue, &f->client[0], &a->p);
    struct ask *b = read_one(1, 1, 60, 1); /* may still join */
    fake_disk_complete(f->disk, 0, -EIO);
    assert_int_equal(a->done_count, 0);
    assert_int_equal(b->status, -EIO);
}

static void a_client_may_leave_while_its_reads_are_under_way(void **state)
{
    (void)state;
    struct ask *a[3];
    for (uint32_t i = 0; i < 3; i++)
        a[i] = read_one(0, i, 70 + 10 * i, 1);
    struct ask *other = read_one(1, 3, 70, 1);
    disk_queue_dispatch(f->queue, 0);
    for (uint32_t i = 0; i < 3; i++)
        disk_queue_cancel(f->queue, &f->client[0], &a[i]->p);
    disk_client_detach(f->queue, &f->client[0]);
    memset(&f->client[0], 0xee, sizeof(f->client[0])); /* its memory is gone */
    fake_disk_complete_all(f->disk, 0);
    assert_true(is_served(other));
    disk_client_init(&f->client[0]); /* the next one at the same address */
    struct ask *next = read_one(0, 4, 400, 1);
    assert_int_equal(disk_queue_dispatch(f->queue, 0), 1);
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(next));
}

static void done_may_ask_again(void **state)
{
    (void)state;
    struct ask *a = fill(0, 80, 1), *chained = fill(1, 80, 1), *miss = fill(2, 90, 1);
    a->chain = chained; /* a hit by then */
    chained->chain = miss;
    put_ask(a, 0);
    disk_queue_dispatch(f->queue, 0);
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(a) && is_served(chained));
    assert_int_equal(disk_queue_dispatch(f->queue, 0), 1);
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(miss));
}

static void the_cache_keeps_to_its_bound(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3 * CACHE_SECTORS; i++) {
        (void)read_one(0, 0, i, 1);
        disk_queue_dispatch(f->queue, 0);
        fake_disk_complete_all(f->disk, 0);
        assert_true(cache_used(disk_queue_cache(f->queue)) <= CACHE_SECTORS);
    }
    assert_int_equal(cache_capacity(disk_queue_cache(f->queue)), CACHE_SECTORS);
    assert_true(is_served(read_one(0, 0, 3 * CACHE_SECTORS - 1, 1)));
    assert_int_equal(read_one(0, 1, 0, 1)->done_count, 0);
}

/* One greedy client and two modest ones: turns, not arrival. */
static void turns_go_round(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 20; i++)
        (void)read_one(0, i, 300 + 10 * i, 1);
    for (uint32_t i = 20; i < 23; i++)
        (void)read_one(1, i, 300 + 10 * i, 1);
    for (uint32_t i = 23; i < 26; i++)
        (void)read_one(2, i, 300 + 10 * i, 1);
    for (int turn = 0; turn < 20 && f->done_total < 26; turn++) {
        (void)disk_queue_dispatch(f->queue, 0);
        fake_disk_complete_all(f->disk, 0);
    }
    assert_int_equal(f->done_total, 26);
    uint32_t greedy_in_first_nine = 0, last_greedy = 0;
    for (uint32_t i = 0; i < 26; i++) {
        bool greedy = f->done_order[i] < 20;
        greedy_in_first_nine += i < 9 && greedy;
        if (greedy) { /* each client's own order holds */
            assert_true(f->done_order[i] >= last_greedy);
            last_greedy = f->done_order[i];
        }
    }
    assert_int_equal(greedy_in_first_nine, 3);
}

static void a_changed_image_empties_the_cache(void **state)
{
    (void)state;
    (void)read_one(0, 0, 5, 1);
    disk_queue_dispatch(f->queue, 0);
    fake_disk_complete(f->disk, 0, 0);
    disk_queue_image_changed(f->queue);
    assert_int_equal(read_one(0, 1, 5, 1)->done_count, 0);
}

/* It was inside when it was asked for, and is not any more when its turn comes. */
static void a_request_that_the_shrunken_image_lacks_is_an_error(void **state)
{
    (void)state;
    uint64_t last = f->image.size_bytes / BLKIF_SECTOR_SIZE - 1;
    struct ask *gone = read_one(0, 0, last, 1);
    struct ask *kept = read_one(1, 1, last - 1, 1);
    f->image.size_bytes -= BLKIF_SECTOR_SIZE;
    disk_queue_image_changed(f->queue);
    assert_int_equal(disk_queue_dispatch(f->queue, 0), 1);
    assert_int_equal(gone->done_count, 1);
    assert_int_equal(gone->status, -EINVAL);
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(kept));
}

/* What was read before the change must not be kept, nor given to those who ask after it. */
static void a_read_under_way_when_the_image_changes_is_old(void **state)
{
    (void)state;
    struct ask *before = read_one(0, 0, 5, 1);
    disk_queue_dispatch(f->queue, 0);
    disk_queue_image_changed(f->queue);
    struct ask *after = read_one(1, 1, 5, 1);
    assert_int_equal(disk_queue_dispatch(f->queue, 0), 1);
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(before));
    assert_int_equal(after->done_count, 0);
    struct ask *later = read_one(2, 2, 5, 1);
    assert_int_equal(later->done_count, 0); /* not in the cache */
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(after) && is_served(later));
    assert_true(is_served(read_one(0, 3, 5, 1)));
}

int main(void)
{
#define QUEUE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        QUEUE_TEST(a_miss_goes_to_the_disk_and_then_hits),
        QUEUE_TEST(a_large_read_fills_all_its_segments),
        QUEUE_TEST(several_sectors_hit_only_together),
        QUEUE_TEST(clients_share_a_read_in_flight),
        QUEUE_TEST(a_turn_may_join_or_hit_instead),
        cmocka_unit_test_setup_teardown(the_block_around_a_sector_is_read, setup_4k, teardown),
        QUEUE_TEST(an_error_reaches_those_who_waited_and_nobody_else),
        QUEUE_TEST(reads_may_end_in_any_order),
        QUEUE_TEST(the_depth_is_kept),
        QUEUE_TEST(a_turn_finds_what_came_into_the_cache_while_it_waited),
        QUEUE_TEST(a_cancelled_request_is_never_answered),
        QUEUE_TEST(a_read_that_nobody_waits_for_ends_quietly),
        QUEUE_TEST(a_client_may_leave_while_its_reads_are_under_way),
        QUEUE_TEST(done_may_ask_again),
        QUEUE_TEST(the_cache_keeps_to_its_bound),
        QUEUE_TEST(turns_go_round),
        QUEUE_TEST(a_changed_image_empties_the_cache),
        QUEUE_TEST(a_request_that_the_shrunken_image_lacks_is_an_error),
        QUEUE_TEST(a_read_under_way_when_the_image_changes_is_old),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
