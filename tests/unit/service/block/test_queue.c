/* SPDX-License-Identifier: MIT */
/* queue: from requests to data, with a disk whose reads end when the test says so. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/container_of.h"
#include "fakes/fake_vdisk.h"
#include "service/block/queue.h"

enum {
    DEPTH = 4,
    CACHE_SECTORS = 16,
    IMAGE_SECTORS = 1024,
    CLIENTS = 3,
    ASKS_MAX = 64,
    NOT_DONE = 4711,
    SEGMENT_SECTORS = 8,
};

/* A request of the test. */
struct ask {
    struct block_request request;
    struct block_segment segment[BLOCK_REQUEST_SECTORS_MAX / SEGMENT_SECTORS];
    uint8_t bytes[BLOCK_REQUEST_SECTORS_MAX * BLOCK_SECTOR_BYTES];
    int status;
    uint32_t done_count;
    struct ask *chain; /* asked from inside this one's done */
};

struct fixture {
    struct fake_vdisk fake;
    struct device *device; /* the fake's, as the next two */
    struct vdisk *vdisk;
    struct fake_disk *disk;
    struct block_client client[CLIENTS];
    struct ask ask[ASKS_MAX];
    uint32_t done_order[ASKS_MAX], done_total;
};

static struct fixture *f;

static void put_ask(struct ask *a, uint32_t client)
{
    block_submit(&f->client[client], &a->request, 0);
}

static void on_done(struct block_request *request, int status)
{
    struct ask *a = container_of(request, struct ask, request);
    assert_false(block_request_is_active(request));
    a->status = status;
    a->done_count++;
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
    a->request = (struct block_request){
        .sector = sector, .sector_count = sector_count, .segments = a->segment, .done = on_done};
    for (uint32_t at = 0; at < sector_count; at += SEGMENT_SECTORS) {
        uint32_t left = sector_count - at;
        a->segment[a->request.segment_count++] =
            (struct block_segment){.address = a->bytes + (size_t)at * BLOCK_SECTOR_BYTES,
                                   .sector_count = left < SEGMENT_SECTORS ? left : SEGMENT_SECTORS};
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
           fake_disk_holds(a->bytes, a->request.sector, (uint32_t)a->request.sector_count);
}

static int setup_with(uint32_t block_size)
{
    f = calloc(1, sizeof(*f));
    if (f == NULL)
        return -1;
    fake_vdisk_create(&f->fake, &(struct fake_vdisk_config){.sector_count = IMAGE_SECTORS,
                                                            .block_size_bytes = block_size,
                                                            .cache_sectors = CACHE_SECTORS,
                                                            .depth = DEPTH});
    f->device = f->fake.device;
    f->vdisk = f->fake.vdisk;
    f->disk = f->fake.disk;
    for (int i = 0; i < CLIENTS; i++)
        block_client_open(&f->client[i], f->vdisk);
    return 0;
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
        block_cancel(&f->ask[i].request);
    for (int i = 0; i < CLIENTS; i++)
        block_client_close(&f->client[i]);
    fake_vdisk_destroy(&f->fake);
    free(f);
    return 0;
}

static void a_miss_goes_to_the_disk_and_then_hits(void **state)
{
    (void)state;
    struct ask *a = read_one(0, 0, 5, 1);
    assert_int_equal(f->disk->submitted, 0); /* takes its turn first */
    assert_int_equal(device_dispatch(f->device, 0), 1);
    assert_true(f->disk->unkicked < 2); /* the rest of a chunk goes with the next poller_run */
    assert_int_equal(a->done_count, 0);
    assert_int_equal(device_in_flight(f->device), 1);
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(a));
    a = read_one(1, 1, 5, 1); /* anybody's */
    assert_true(is_served(a));
    assert_int_equal(f->vdisk->stats.hits, 1);
    assert_int_equal(f->vdisk->stats.misses, 1);
    assert_int_equal(device_stats(f->device)->reads, 1);
    assert_int_equal(device_stats(f->device)->bytes, 512);
    assert_int_equal(device_stats(f->device)->in_flight_peak, 1);
    assert_int_equal(device_in_flight(f->device), 0);
}

static void a_large_read_fills_all_its_segments(void **state)
{
    (void)state;
    struct ask *a = read_one(0, 0, 3, BLOCK_REQUEST_SECTORS_MAX);
    device_dispatch(f->device, 0);
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(a));
}

static void several_sectors_hit_only_together(void **state)
{
    (void)state;
    (void)read_one(0, 0, 10, 4);
    device_dispatch(f->device, 0);
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(read_one(0, 1, 11, 3)));
    struct ask *a = read_one(0, 2, 12, 3); /* 14 is not there */
    assert_int_equal(a->done_count, 0);
    device_dispatch(f->device, 0);
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(a));
}

static void clients_share_a_read_in_flight(void **state)
{
    (void)state;
    struct ask *a = read_one(0, 0, 16, 8);
    device_dispatch(f->device, 0);
    struct ask *b = read_one(1, 1, 16, 8), *c = read_one(2, 2, 17, 1);
    assert_int_equal(device_dispatch(f->device, 0), 0);
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(a) && is_served(b) && is_served(c));
    assert_int_equal(f->disk->submitted, 1);
    assert_int_equal(f->vdisk->stats.shared, 2);
    assert_int_equal(f->vdisk->stats.misses, 3);
}

/* Two that wait for their turns with the same sector: the second one's turn finds the first's. */
static void a_turn_may_join_or_hit_instead(void **state)
{
    (void)state;
    struct ask *a = read_one(0, 0, 40, 1), *b = read_one(1, 1, 40, 1);
    assert_int_equal(device_dispatch(f->device, 0), 1);
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(a) && is_served(b));
    /* Waiting for the same block in different ways: the second one's turn finds a read. */
    struct ask *large = read_one(0, 2, 80, 8), *small = read_one(1, 3, 81, 1);
    assert_int_equal(device_dispatch(f->device, 0), 1);
    assert_int_equal(device_in_flight(f->device), 1);
    assert_int_equal(f->vdisk->stats.shared, 2);
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(large) && is_served(small));
}

/* The joiner has had its share: whoever has not goes first. */
static void a_joined_read_is_paid_for(void **state)
{
    (void)state;
    (void)read_one(2, 0, 500, 1);
    assert_int_equal(device_dispatch(f->device, 0), 1);
    for (uint32_t i = 1; i <= DEPTH; i++)
        (void)read_one(0, i, 500, 1);
    fake_disk_complete(f->disk, 0, 0);
    assert_int_equal(f->done_total, 1 + DEPTH);
    for (uint32_t i = 0; i < DEPTH; i++) {
        (void)read_one(0, 10 + i, 300 + 10 * i, 1);
        (void)read_one(1, 20 + i, 600 + 10 * i, 1);
    }
    uint32_t sent = device_dispatch(f->device, 0);
    assert_in_range(sent, 2, DEPTH);
    for (uint32_t i = 0; i < sent; i++)
        assert_int_equal(f->disk->waiting[i]->offset_bytes / BLOCK_SECTOR_BYTES, 600 + 10 * i);
}

static void the_block_around_a_sector_is_read(void **state)
{
    (void)state;
    struct ask *a = read_one(0, 0, 13, 1);
    device_dispatch(f->device, 0);
    assert_int_equal(f->disk->waiting[0]->offset_bytes, 8 * 512);
    assert_int_equal(f->disk->waiting[0]->length_bytes, 4096);
    struct ask *b = read_one(1, 1, 9, 2); /* same block */
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(a) && is_served(b));
    struct ask *c = read_one(0, 2, 7, 2); /* across two blocks */
    device_dispatch(f->device, 0);
    assert_int_equal(f->disk->waiting[0]->length_bytes, 8192);
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(c));
    struct ask *d = read_one(0, 3, 7, BLOCK_REQUEST_SECTORS_MAX); /* the widest span there is */
    device_dispatch(f->device, 0);
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(d));
}

static void an_error_reaches_those_who_waited_and_nobody_else(void **state)
{
    (void)state;
    struct ask *a = read_one(0, 0, 16, 8), *other = read_one(0, 1, 200, 1);
    device_dispatch(f->device, 0);
    struct ask *b = read_one(1, 2, 20, 1);
    fake_disk_complete(f->disk, 0, -EIO);
    assert_int_equal(a->status, -EIO);
    assert_int_equal(b->status, -EIO);
    assert_int_equal(a->done_count + b->done_count, 2);
    assert_int_equal(other->done_count, 0);
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(other));
    assert_int_equal(device_stats(f->device)->errors, 1);
    struct ask *again = read_one(2, 3, 20, 1); /* nothing of it was kept */
    assert_int_equal(again->done_count, 0);
    device_dispatch(f->device, 0);
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(again));
}

static void reads_may_end_in_any_order(void **state)
{
    (void)state;
    struct ask *a[DEPTH];
    for (uint32_t i = 0; i < DEPTH; i++)
        a[i] = read_one(i % CLIENTS, i, 300 + 10 * i, 1);
    assert_int_equal(device_dispatch(f->device, 0), DEPTH);
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
    assert_int_equal(device_dispatch(f->device, 0), DEPTH);
    assert_int_equal(device_dispatch(f->device, 0), 0);
    fake_disk_complete(f->disk, 0, 0);
    assert_int_equal(device_dispatch(f->device, 0), 1);
    while (f->done_total < 3 * DEPTH) {
        fake_disk_complete_all(f->disk, 0);
        (void)device_dispatch(f->device, 0);
    }
    assert_int_equal(device_stats(f->device)->in_flight_peak, DEPTH);
}

static void a_turn_finds_what_came_into_the_cache_while_it_waited(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < DEPTH; i++)
        (void)read_one(2, i, 300 + 10 * i, 1);
    assert_int_equal(device_dispatch(f->device, 0), DEPTH);
    struct ask *a = read_one(0, DEPTH, 900, 1), *b = read_one(1, DEPTH + 1, 900, 1);
    fake_disk_complete(f->disk, 0, 0);
    assert_int_equal(device_dispatch(f->device, 0), 1); /* a's, and all places are taken again */
    fake_disk_complete(f->disk, DEPTH - 1, 0);
    assert_true(is_served(a));
    assert_int_equal(device_dispatch(f->device, 0), 1); /* b's, from the cache */
    assert_true(is_served(b));
    assert_int_equal(device_dispatch(f->device, 0), 0);
    assert_int_equal(device_stats(f->device)->reads, DEPTH + 1);
    fake_disk_complete_all(f->disk, 0);
}

static void a_cancelled_request_is_never_answered(void **state)
{
    (void)state;
    struct ask *queued = read_one(0, 0, 50, 1);
    block_cancel(&queued->request);
    assert_int_equal(queued->request.state, BLOCK_REQUEST_IDLE);
    assert_int_equal(device_dispatch(f->device, 0), 0);

    struct ask *reading = read_one(0, 1, 60, 1);
    device_dispatch(f->device, 0);
    struct ask *joined = read_one(1, 2, 60, 1), *stays = read_one(2, 3, 60, 1);
    block_cancel(&reading->request);
    block_cancel(&joined->request);
    block_cancel(&joined->request); /* free already: nothing happens */
    fake_disk_complete(f->disk, 0, 0);
    assert_int_equal(queued->done_count + reading->done_count + joined->done_count, 0);
    assert_true(is_served(stays));
}

static void a_read_that_nobody_waits_for_ends_quietly(void **state)
{
    (void)state;
    struct ask *a = read_one(0, 0, 60, 1);
    device_dispatch(f->device, 0);
    block_cancel(&a->request);
    struct ask *b = read_one(1, 1, 60, 1); /* may still join */
    fake_disk_complete(f->disk, 0, -EIO);
    assert_int_equal(a->done_count, 0);
    assert_int_equal(b->status, -EIO);
}

static void done_may_ask_again(void **state)
{
    (void)state;
    struct ask *a = fill(0, 80, 1), *chained = fill(1, 80, 1), *miss = fill(2, 90, 1);
    a->chain = chained; /* a hit by then */
    chained->chain = miss;
    put_ask(a, 0);
    device_dispatch(f->device, 0);
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(a) && is_served(chained));
    assert_int_equal(device_dispatch(f->device, 0), 1);
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(miss));
}

static void the_cache_keeps_to_its_bound(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3 * CACHE_SECTORS; i++) {
        (void)read_one(0, 0, i, 1);
        device_dispatch(f->device, 0);
        fake_disk_complete_all(f->disk, 0);
        assert_true(cache_used(f->vdisk->cache) <= CACHE_SECTORS);
    }
    assert_int_equal(cache_capacity(f->vdisk->cache), CACHE_SECTORS);
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
        (void)device_dispatch(f->device, 0);
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
    device_dispatch(f->device, 0);
    fake_disk_complete(f->disk, 0, 0);
    vdisk_image_changed(f->vdisk);
    assert_int_equal(read_one(0, 1, 5, 1)->done_count, 0);
}

/* It was inside when it was asked for, and is not any more when its turn comes. */
static void a_request_that_the_shrunken_image_lacks_is_an_error(void **state)
{
    (void)state;
    uint64_t last = f->vdisk->image.size_bytes / BLOCK_SECTOR_BYTES - 1;
    struct ask *gone = read_one(0, 0, last, 1);
    struct ask *kept = read_one(1, 1, last - 1, 1);
    f->vdisk->image.size_bytes -= BLOCK_SECTOR_BYTES;
    vdisk_image_changed(f->vdisk);
    assert_int_equal(device_dispatch(f->device, 0), 2); /* one answered, one sent */
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
    device_dispatch(f->device, 0);
    vdisk_image_changed(f->vdisk);
    struct ask *after = read_one(1, 1, 5, 1);
    assert_int_equal(device_dispatch(f->device, 0), 1);
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(before));
    assert_int_equal(after->done_count, 0);
    struct ask *later = read_one(2, 2, 5, 1);
    assert_int_equal(later->done_count, 0); /* not in the cache */
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(after) && is_served(later));
    assert_true(is_served(read_one(0, 3, 5, 1)));
}

/* The field is of the request's last use, until it is asked again. */
static void an_answer_from_the_cache_has_no_time_of_a_disk(void **state)
{
    (void)state;
    (void)read_one(0, 0, 5, 1);
    assert_int_equal(device_dispatch(f->device, 0), 1);
    fake_disk_complete(f->disk, 0, 0);
    struct ask *hit = fill(1, 5, 1);
    hit->request.due_ns = 77;
    put_ask(hit, 1);
    assert_true(is_served(hit));
    assert_int_equal(hit->request.due_ns, 0);
}

int main(void)
{
#define QUEUE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        QUEUE_TEST(a_miss_goes_to_the_disk_and_then_hits),
        QUEUE_TEST(an_answer_from_the_cache_has_no_time_of_a_disk),
        QUEUE_TEST(a_large_read_fills_all_its_segments),
        QUEUE_TEST(several_sectors_hit_only_together),
        QUEUE_TEST(clients_share_a_read_in_flight),
        QUEUE_TEST(a_turn_may_join_or_hit_instead),
        QUEUE_TEST(a_joined_read_is_paid_for),
        cmocka_unit_test_setup_teardown(the_block_around_a_sector_is_read, setup_4k, teardown),
        QUEUE_TEST(an_error_reaches_those_who_waited_and_nobody_else),
        QUEUE_TEST(reads_may_end_in_any_order),
        QUEUE_TEST(the_depth_is_kept),
        QUEUE_TEST(a_turn_finds_what_came_into_the_cache_while_it_waited),
        QUEUE_TEST(a_cancelled_request_is_never_answered),
        QUEUE_TEST(a_read_that_nobody_waits_for_ends_quietly),
        QUEUE_TEST(done_may_ask_again),
        QUEUE_TEST(the_cache_keeps_to_its_bound),
        QUEUE_TEST(turns_go_round),
        QUEUE_TEST(a_changed_image_empties_the_cache),
        QUEUE_TEST(a_request_that_the_shrunken_image_lacks_is_an_error),
        QUEUE_TEST(a_read_under_way_when_the_image_changes_is_old),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
