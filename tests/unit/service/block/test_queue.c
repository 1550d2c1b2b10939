/* SPDX-License-Identifier: MIT */
/* queue: from requests to data. */
#include <errno.h>

#include "fakes/fake_probes.h"
#include "splitdom/trace.h"
#include "unit/service/block/queue_fixture.h"

static int setup_4k(void **state)
{
    (void)state;
    return setup_with(4096);
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

static void a_traced_request_has_a_time_for_each_stage(void **state)
{
    uint64_t at_ns[TRACE_STAGES] = {0};
    (void)state;
    block_client_trace(&f->client[0], true);
    struct ask *a = fill(0, 7, 1);
    a->request.at_ns = at_ns;
    put_ask(a, 0);
    assert_int_equal(at_ns[TRACE_PICKED], 0);
    (void)read_one(1, 1, 9, 1); /* which nobody traces */
    assert_int_equal(device_dispatch(f->device, 0), 2);
    assert_int_not_equal(at_ns[TRACE_PICKED], 0);
    assert_true(at_ns[TRACE_SENT] >= at_ns[TRACE_PICKED]);
    assert_int_equal(at_ns[TRACE_COMPLETED], 0);
    fake_disk_complete_all(f->disk, 0);
    assert_true(is_served(a) && is_served(&f->ask[1]));
    block_client_trace(&f->client[0], false);
    memset(at_ns, 0, sizeof(at_ns)); /* nobody traces any more: nobody looks */
    a = fill(2, 11, 1);
    a->request.at_ns = at_ns;
    put_ask(a, 0);
    assert_int_equal(device_dispatch(f->device, 0), 1);
    assert_int_equal(at_ns[TRACE_PICKED], 0);
    fake_disk_complete_all(f->disk, 0);
}

static void a_read_passes_the_probes_of_its_stages(void **state)
{
    (void)state;
    if (!fake_probes_begin())
        skip();
    read_one(0, 0, 5, 1);
    uint32_t queued = fake_probes_passed("queued"), early = fake_probes_passed("picked");
    (void)device_dispatch(f->device, 0);
    uint32_t picked = fake_probes_passed("picked"), sent = fake_probes_passed("sent");
    fake_disk_complete_all(f->disk, 0);
    uint32_t completed = fake_probes_passed("completed");
    read_one(0, 1, 5, 1); /* from the cache */
    uint32_t again = fake_probes_passed("queued");
    fake_probes_end();
    assert_true(queued == 1 && early == 0 && picked == 1 && sent == 1 && completed == 1);
    assert_int_equal(again, 1);
}

int main(void)
{
#define QUEUE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        QUEUE_TEST(a_read_passes_the_probes_of_its_stages),
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
        QUEUE_TEST(a_traced_request_has_a_time_for_each_stage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
