/* SPDX-License-Identifier: MIT */
/* blkfront_trace: the domain's half of the lives of requests, as it lies in the memory that Dom0
 * and readers get. */
#include <errno.h>
#include <string.h>

#include "domu/blkfront/blkfront_private.h"
#include "service/block/cache/shared_cache.h"
#include "trace/trace_reader.h"
#include "trace/trace_set.h"
#include "unit/domu/blkfront/blkfront_fixture.h"

enum { RECORDS = 512 };

static struct trace_reader reader;
static struct trace_record found[RECORDS];
static uint32_t count;

static void keep(void *ctx, const struct trace_record *record)
{
    (void)ctx;
    if (count < RECORDS)
        found[count] = *record;
    count++;
}

/* As when Dom0 has asked for one of so many requests; 0: for none. */
static void trace(uint32_t sample)
{
    const struct domu_trace wanted = {.threshold = trace_threshold(sample)};
    pthread_mutex_lock(&bf->queue[0].lock);
    blkfront_trace_set(&bf->queue[0], &wanted);
    pthread_mutex_unlock(&bf->queue[0].lock);
}

/* The domain has a memory for records, and the test reads it. */
static void give_memory(void)
{
    int fd = trace_writer_make(TRACE_DOMAIN_LANES, TRACE_DOMAIN_RECORDS, "test");
    assert_true(fd >= 0);
    assert_int_equal(
        trace_writer_map(&bf->domu->trace.writer, TRACE_DOMAIN_LANES, TRACE_DOMAIN_RECORDS, fd), 0);
    assert_int_equal(trace_reader_open(&reader, TRACE_DOMAIN_LANES, TRACE_DOMAIN_RECORDS, fd, true),
                     0);
    close(fd);
    count = 0;
}

static void take_records(void)
{
    count = 0;
    (void)trace_reader_take(&reader, keep, NULL);
}

static void read_sectors(uint64_t first, uint32_t reads)
{
    uint8_t bytes[512];
    for (uint32_t i = 0; i < reads; i++)
        assert_int_equal(blkfront_read(bf, first + i, 1, bytes), 0);
}

static void assert_in_order(const struct trace_record *record)
{
    uint64_t before_ns = record->at_ns[TRACE_SUBMITTED];
    for (int i = 0; i < TRACE_STAGES; i++) {
        if (!trace_stage_is_front((enum trace_stage)i)) {
            assert_int_equal(record->at_ns[i], 0); /* Dom0's to say */
        } else if (i == TRACE_DOORBELL || i == TRACE_WOKEN) {
            continue; /* there need not have been any */
        } else {
            assert_true(record->at_ns[i] != 0 && record->at_ns[i] >= before_ns);
            before_ns = record->at_ns[i];
        }
    }
}

static void each_request_is_written_down_with_its_stages(void **state)
{
    (void)state;
    connect_to(&(struct fake_dom0_script){0}, (struct blkfront_options){.depth = 4});
    give_memory();
    trace(1);
    bf->queue[0].woken_ns = 1; /* as of somebody who does not look at the ring */
    read_sectors(100, 20);
    take_records();
    assert_int_equal(count, 20);
    assert_true(found[0].at_ns[TRACE_WOKEN] != 0);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(found[i].kind, TRACE_FRONT);
        assert_int_equal(found[i].operation, BLKIF_OP_READ);
        assert_int_equal(found[i].domid, bf->domu->life.segment.domid);
        assert_int_equal(found[i].devid, bf->options.vdev);
        assert_int_equal(found[i].sector, 100 + i);
        assert_int_equal(found[i].sector_count, 1);
        assert_int_equal(found[i].status, 0);
        assert_int_equal(found[i].weight, 1);
        assert_int_equal(found[i].thread, trace_writer_thread());
        assert_true(trace_wants(trace_threshold(1), found[i].id));
        assert_in_order(&found[i]);
    }
    assert_int_equal(bf->queue[0].traced, 0); /* none is under way */
    trace_reader_close(&reader);
}

static void asynchronous_requests_return_when_they_are_taken_off(void **state)
{
    (void)state;
    static uint8_t bytes[3][512];
    struct blkfront_completion done[3];
    connect_to(&(struct fake_dom0_script){0}, (struct blkfront_options){.depth = 4});
    give_memory();
    trace(1);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(blkfront_submit(bf, i, 1, bytes[i], bytes[i]), 0);
    for (int reaped = 0; reaped < 3;) {
        int rc = blkfront_reap(bf, done, 3, 1);
        assert_true(rc > 0);
        reaped += rc;
    }
    take_records();
    assert_int_equal(count, 3);
    for (uint32_t i = 0; i < count; i++)
        assert_in_order(&found[i]);
    assert_int_equal(bf->queue[0].traced, 0);
    trace_reader_close(&reader);
}

static uint64_t stamp_ns; /* atomic; after a request was asked for: what its answer says */

static void stamp(struct fake_dom0 *d, const struct blkif_request *req)
{
    uint64_t asked_ns = blkif_take_request_stamp(fake_dom0_ring(d));
    fake_dom0_respond(d, req->id, req->operation, BLKIF_RSP_OKAY);
    blkif_put_response_stamp(fake_dom0_ring(d), asked_ns + load_full_u64(&stamp_ns));
    fake_dom0_flush(d);
}

/* Complete a nanosecond after it was asked for, and noticed when the answer came. One that is
 * complete later is noticed from then on. */
static void what_is_complete_at_its_stamp_was_noticed_later(void **state)
{
    (void)state;
    static uint8_t bytes[512];
    struct blkfront_completion done;
    connect_to(&(struct fake_dom0_script){.virtual_completion = true, .request = stamp},
               (struct blkfront_options){.depth = 4});
    give_memory();
    trace(1);
    for (int i = 0; i < 2; i++) {
        store_full_u64(&stamp_ns, i == 0 ? 1 : 10000000);
        assert_int_equal(blkfront_submit(bf, 0, 1, bytes, NULL), 0);
        assert_int_equal(blkfront_reap(bf, &done, 1, 1), 1);
        uint64_t reaped_ns = blkfront_now_ns(bf);
        take_records();
        assert_int_equal(count, 1);
        assert_true(i > 0 || found[0].noticed_ns > 0);
        assert_true(done.completed_ns + found[0].noticed_ns <= reaped_ns);
    }
    read_sectors(0, 1); /* one that blocks is complete when it returns */
    take_records();
    assert_int_equal(count, 1);
    assert_int_equal(found[0].noticed_ns, 0);
    trace_reader_close(&reader);
}

static void of_a_sample_each_so_many_th_is_written_down(void **state)
{
    (void)state;
    connect_to(&(struct fake_dom0_script){0}, (struct blkfront_options){.depth = 4});
    give_memory();
    trace(10);
    read_sectors(0, 100);
    take_records();
    assert_true(count >= 9 && count <= 11);
    for (uint32_t i = 1; i < count; i++)
        assert_int_equal(found[i].sector, found[i - 1].sector + 10);
    trace_reader_close(&reader);
}

static void nothing_is_written_down_once_nobody_traces(void **state)
{
    (void)state;
    connect_to(&(struct fake_dom0_script){0}, (struct blkfront_options){.depth = 4});
    give_memory();
    read_sectors(0, 5);
    take_records();
    assert_int_equal(count, 0);
    trace(1);
    read_sectors(0, 5);
    trace(0);
    read_sectors(0, 5);
    take_records();
    assert_int_equal(count, 5);
    uint32_t serial = bf->watch.serial;
    trace(1); /* and again: a trace of its own */
    assert_int_equal(bf->watch.serial, serial + 1);
    trace(1); /* the same goes on */
    assert_int_equal(bf->watch.serial, serial + 1);
    read_sectors(0, 5);
    take_records();
    assert_int_equal(count, 5);
    trace_reader_close(&reader);
}

static void fail_all(struct fake_dom0 *d, const struct blkif_request *req)
{
    fake_dom0_respond(d, req->id, req->operation, BLKIF_RSP_ERROR);
    fake_dom0_flush(d);
}

static void a_failure_is_written_down_as_the_domain_saw_it(void **state)
{
    (void)state;
    uint8_t bytes[512];
    connect_to(&(struct fake_dom0_script){.request = fail_all},
               (struct blkfront_options){.depth = 4});
    give_memory();
    trace(1);
    assert_int_equal(blkfront_read(bf, 7, 1, bytes), -EIO);
    take_records();
    assert_int_equal(count, 1);
    assert_int_equal(found[0].status, -EIO);
    assert_in_order(&found[0]);
    trace_reader_close(&reader);
}

/* A cache of Dom0's that has the sectors from 1000 on, and the domain sees. */
static struct shared_cache *share_cache(struct shared_cache_claims *claims)
{
    enum { CACHED = 8 };
    static const uint8_t data[512] = {7};
    struct shared_cache *shared;
    struct cache_view *view;
    assert_int_equal(shared_cache_create(CACHED, &shared), 0);
    for (uint32_t i = 0; i < CACHED; i++) {
        shared_cache_fill(shared, i, 1000 + i, data);
        shared_cache_show(shared, i, 1000 + i);
    }
    assert_int_equal(cache_view_open(shared_cache_fd(shared), claims, &view), 0);
    cache_view_notes(view)->watch = &bf->watch;
    (void)exchange_full_ptr(&bf->view, view);
    return shared;
}

static void hits_in_the_shared_cache_are_written_down_as_found(void **state)
{
    (void)state;
    static struct shared_cache_claims claims;
    connect_to(&(struct fake_dom0_script){0}, (struct blkfront_options){.depth = 4});
    give_memory();
    struct shared_cache *shared = share_cache(&claims);
    read_sectors(1000, 8); /* nobody traces */
    trace(1);
    read_sectors(1000, 8);
    read_sectors(5, 1); /* a miss has a life of its own kind */
    take_records();
    assert_int_equal(count, 9);
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(found[i].kind, TRACE_FOUND);
        assert_int_equal(found[i].operation, BLKIF_OP_READ);
        assert_int_equal(found[i].domid, bf->domu->life.segment.domid);
        assert_int_equal(found[i].devid, bf->options.vdev);
        assert_int_equal(found[i].sector, 1000 + i);
        assert_int_equal(found[i].sector_count, 1);
        assert_int_equal(found[i].weight, 1);
        assert_int_equal(found[i].thread, trace_writer_thread());
        assert_true(trace_wants(trace_threshold(1), found[i].id));
        for (int k = 0; k < TRACE_STAGES; k++)
            assert_int_equal(found[i].at_ns[k] != 0, k == TRACE_SUBMITTED || k == TRACE_RETURNED);
        assert_true(found[i].at_ns[TRACE_SUBMITTED] <= found[i].at_ns[TRACE_RETURNED]);
    }
    assert_int_equal(found[8].kind, TRACE_FRONT);
    assert_in_order(&found[8]);
    trace(0);
    read_sectors(1000, 8);
    take_records();
    assert_int_equal(count, 0);
    trace_reader_close(&reader);
    shared_cache_destroy(shared);
}

/* Also where far more pass by than a thread notes before it tells Dom0. */
static void of_hits_each_so_many_th_is_written_down_for_the_others(void **state)
{
    (void)state;
    static struct shared_cache_claims claims;
    static const uint32_t samples[] = {4, 100};
    connect_to(&(struct fake_dom0_script){0}, (struct blkfront_options){.depth = 4});
    give_memory();
    struct shared_cache *shared = share_cache(&claims);
    for (size_t k = 0; k < sizeof(samples) / sizeof(samples[0]); k++) {
        trace(samples[k]);
        for (uint32_t i = 0; i < 10 * samples[k]; i += 4)
            read_sectors(1000 + i % 8, 4);
        take_records();
        assert_in_range(count, 9, 11);
        for (uint32_t i = 1; i < count; i++)
            assert_int_equal(found[i].weight, samples[k]);
    }
    read_sectors(1000, 8);
    assert_int_equal(bf->watch.near, 0); /* far from the next one no hit looks at anything */
    trace_reader_close(&reader);
    shared_cache_destroy(shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRONT_TEST(each_request_is_written_down_with_its_stages),
        FRONT_TEST(asynchronous_requests_return_when_they_are_taken_off),
        FRONT_TEST(what_is_complete_at_its_stamp_was_noticed_later),
        FRONT_TEST(of_a_sample_each_so_many_th_is_written_down),
        FRONT_TEST(nothing_is_written_down_once_nobody_traces),
        FRONT_TEST(a_failure_is_written_down_as_the_domain_saw_it),
        FRONT_TEST(hits_in_the_shared_cache_are_written_down_as_found),
        FRONT_TEST(of_hits_each_so_many_th_is_written_down_for_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
