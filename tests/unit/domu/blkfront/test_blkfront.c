/* SPDX-License-Identifier: MIT */
/* blkfront: reads by threads and asynchronously, from a good Dom0; the end. */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <time.h>

#include "domu/blkfront/blkfront_private.h"
#include "fakes/fake_probes.h"
#include "unit/domu/blkfront/blkfront_fixture.h"

static void reads_bring_the_sectors_asked_for(void **state)
{
    (void)state;
    static uint8_t bytes[88 * 512];
    connect_to(&(struct fake_dom0_script){.max_order = 4, .sectors = 1000},
               (struct blkfront_options){.depth = 1, .sectors_per_request = 88});
    struct blkfront_geometry geometry;
    struct blkfront_stats stats;
    blkfront_stats(bf, &stats);
    assert_int_equal(stats.domid, 3); /* as the fake Dom0 numbers it */
    assert_int_equal(blkfront_geometry(bf, &geometry), 0);
    assert_int_equal(geometry.last_sector, 999);
    assert_int_equal(geometry.sector_size, 512);
    assert_int_equal(geometry.physical_sector_size, 4096);
    assert_int_equal(geometry.sectors_per_request, 88);
    assert_true(geometry.read_only && !geometry.flush && !geometry.discard);
    for (uint32_t count = 1; count <= 88; count += 3) {
        assert_int_equal(blkfront_read(bf, 1000 - count, count, bytes), 0);
        assert_true(fake_disk_holds(bytes, 1000 - count, count));
    }
    assert_int_equal(blkfront_read(bf, 999, 2, bytes), -EINVAL);
    assert_int_equal(blkfront_read(bf, UINT64_MAX, 1, bytes), -EINVAL);
    assert_int_equal(blkfront_read(bf, 0, 1001, bytes), -EINVAL);
    assert_int_equal(blkfront_read(bf, 0, 0, bytes), -EINVAL);
    assert_int_equal(blkfront_submit(bf, 999, 2, bytes, bytes), -EINVAL);
    assert_int_equal(blkfront_submit(bf, 0, 0, bytes, bytes), -EINVAL);
    struct blkfront_completion none;
    assert_int_equal(blkfront_reap(bf, &none, 0, 1), -EINVAL);
    assert_string_equal(blkfront_failure(bf), "");
}

/* Keeps requests and answers them last first when the ring has run empty. */
struct keeper {
    struct blkif_request kept[BLKIF_RING_ENTRIES_MAX];
    uint32_t count;
};

static void keep(struct fake_dom0 *d, const struct blkif_request *req)
{
    struct keeper *keeper = fake_dom0_ctx(d);
    keeper->kept[keeper->count++] = *req;
}

static void answer_kept(struct fake_dom0 *d)
{
    struct keeper *keeper = fake_dom0_ctx(d);
    while (keeper->count > 0)
        fake_dom0_serve(d, &keeper->kept[--keeper->count]);
}

/* The ring has 32 slots. */
static void more_threads_than_slots_all_get_their_data(void **state)
{
    (void)state;
    static struct keeper keeper;
    static struct reader readers[48];
    keeper.count = 0;
    connect_to(&(struct fake_dom0_script){.request = keep, .idle = answer_kept, .ctx = &keeper},
               (struct blkfront_options){.depth = 1, .sectors_per_request = 1});
    struct blkfront_stats stats;
    blkfront_stats(bf, &stats);
    assert_int_equal(stats.ring_entries, 32);
    start_readers(readers, 48, 40);
    join_readers(readers, 48, 0);
    blkfront_stats(bf, &stats);
    assert_int_equal(stats.requests, 48 * 40);
    assert_int_equal(stats.responses, 48 * 40);
}

/* Keeps the reads of two threads, and answers one of them when it is told to. */
struct in_turn {
    struct blkif_request kept[2]; /* by thread */
    uint32_t count;               /* atomic */
    uint32_t answers;             /* atomic: 1 + the thread that is next; 0: nobody */
};

static void keep_by_thread(struct fake_dom0 *d, const struct blkif_request *req)
{
    struct in_turn *turn = fake_dom0_ctx(d);
    turn->kept[req->sector_number / 10000] = *req;
    store_full_u32(&turn->count, load_full_u32(&turn->count) + 1);
}

static void answer_next(struct fake_dom0 *d)
{
    struct in_turn *turn = fake_dom0_ctx(d);
    uint32_t answers = load_full_u32(&turn->answers);
    if (answers == 0)
        return;
    store_full_u32(&turn->answers, 0);
    fake_dom0_serve(d, &turn->kept[answers - 1]);
}

/* One thread sleeps for both. When that one is answered, the other one sleeps for itself. */
static void a_thread_that_is_left_alone_is_woken(bool by_dom0)
{
    static struct in_turn turn;
    struct reader readers[2];
    turn = (struct in_turn){.count = 0};
    connect_to(
        &(struct fake_dom0_script){
            .request = keep_by_thread, .idle = answer_next, .wakes_nobody = !by_dom0, .ctx = &turn},
        (struct blkfront_options){.depth = 2, .sectors_per_request = 1, .no_spin = true});
    for (uint32_t first = 0; first < 2; first++) {
        store_full_u32(&turn.count, 0);
        start_readers(readers, 2, 1);
        while (load_full_u32(&turn.count) < 2 || !is_asleep(&readers[0]) || !is_asleep(&readers[1]))
            sched_yield();
        for (uint32_t i = 0; i < 2; i++) {
            uint32_t next = (first + i) % 2;
            store_full_u32(&turn.answers, next + 1);
            fake_dom0_wake(dom0);
            join_readers(&readers[next], 1, 0);
        }
    }
}

static void a_thread_that_is_left_alone_is_woken_all_the_same(void **state)
{
    (void)state;
    a_thread_that_is_left_alone_is_woken(true);
    part();
    a_thread_that_is_left_alone_is_woken(false);
}

static void asynchronous_and_blocking_reads_mix(void **state)
{
    (void)state;
    enum { DEPTH = 8, TOTAL = 400 };
    static struct keeper keeper;
    static uint8_t bytes[DEPTH][512];
    struct reader readers[4];
    keeper.count = 0;
    connect_to(&(struct fake_dom0_script){.request = keep, .idle = answer_kept, .ctx = &keeper},
               (struct blkfront_options){.depth = DEPTH, .sectors_per_request = 1});
    start_readers(readers, 4, 200);
    uint32_t submitted = 0, reaped = 0;
    bool slot_used[DEPTH] = {false};
    while (reaped < TOTAL) {
        struct blkfront_completion done[DEPTH];
        for (uint32_t i = 0; i < DEPTH && submitted < TOTAL; i++) {
            if (slot_used[i])
                continue;
            int rc = blkfront_submit(bf, 500000 + submitted, 1, bytes[i], bytes[i]);
            if (rc == -EAGAIN)
                break;
            assert_int_equal(rc, 0);
            slot_used[i] = true;
            submitted++;
        }
        int count = blkfront_reap(bf, done, DEPTH, 1);
        assert_true(count >= 0);
        for (int i = 0; i < count; i++) {
            assert_int_equal(done[i].status, 0);
            assert_true(fake_disk_holds(done[i].cookie, done[i].sector, 1));
            assert_true(done[i].completed_ns >= done[i].submitted_ns);
            slot_used[((uint8_t *)done[i].cookie - bytes[0]) / 512] = false;
        }
        reaped += (uint32_t)count;
    }
    join_readers(readers, 4, 0);
}

static void answer_error(struct fake_dom0 *d, const struct blkif_request *req)
{
    const int16_t status[] = {BLKIF_RSP_ERROR, BLKIF_RSP_EOPNOTSUPP, BLKIF_RSP_OKAY};
    fake_dom0_respond(d, req->id, req->operation, status[req->sector_number]);
    fake_dom0_flush(d);
}

static void errors_are_told_and_the_disk_lives_on(void **state)
{
    (void)state;
    uint8_t bytes[512];
    connect_to(&(struct fake_dom0_script){.request = answer_error}, (struct blkfront_options){0});
    for (int i = 0; i < 100; i++)
        assert_int_equal(blkfront_read(bf, 0, 1, bytes), -EIO);
    assert_int_equal(blkfront_read(bf, 1, 1, bytes), -EOPNOTSUPP);
    assert_int_equal(blkfront_read(bf, 2, 1, bytes), 0);
    struct blkfront_stats stats;
    blkfront_stats(bf, &stats);
    assert_int_equal(stats.responses, 102);
    assert_int_equal(stats.errors, 101);
    assert_string_equal(blkfront_failure(bf), "");
}

static void closing_ends_the_domain(void **state)
{
    (void)state;
    const struct timespec pause = {.tv_nsec = 1000000};
    connect_to(&(struct fake_dom0_script){0}, (struct blkfront_options){0});
    assert_int_equal(fake_dom0_domains(dom0), 1);
    blkfront_close(bf);
    bf = NULL;
    while (fake_dom0_domains(dom0) != 0)
        nanosleep(&pause, NULL);
}

static void reads_that_nobody_reaps_do_not_hinder_closing(void **state)
{
    (void)state;
    struct quiet_liar counter = {0};
    static uint8_t bytes[4][512];
    connect_to(&(struct fake_dom0_script){.request = ignore, .ctx = &counter},
               (struct blkfront_options){.depth = 4});
    for (int i = 0; i < 4; i++)
        assert_int_equal(blkfront_submit(bf, (uint64_t)i, 1, bytes[i], NULL), 0);
    assert_int_equal(blkfront_submit(bf, 9, 1, bytes[0], NULL), -EAGAIN);
    assert_int_equal(blkfront_kick(bf), 0);
    wait_until_seen(&counter, 4);
}

static void note_handle(struct fake_dom0 *d, const struct blkif_request *req)
{
    uint32_t *handle = fake_dom0_ctx(d);
    if (req->operation == BLKIF_OP_INDIRECT)
        store_full_u32(handle, blkif_as_indirect(req).handle);
    fake_dom0_serve(d, req);
}

static void a_large_request_names_its_disk(void **state)
{
    (void)state;
    enum { SECTORS = 128 };
    static uint8_t bytes[SECTORS * 512];
    static uint32_t handle; /* the thread of Dom0 outlives this function */
    connect_to(
        &(struct fake_dom0_script){
            .sectors = 1000, .indirect_segments = 256, .request = note_handle, .ctx = &handle},
        (struct blkfront_options){.depth = 1, .sectors_per_request = SECTORS});
    assert_int_equal(blkfront_read(bf, 7, SECTORS, bytes), 0);
    assert_true(fake_disk_holds(bytes, 7, SECTORS));
    assert_int_equal(load_full_u32(&handle), 51712);
}

static bool is_ready(int fd, int wait_ms)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    return poll(&ready, 1, wait_ms) == 1;
}

static void the_descriptor_is_readable_while_there_is_something_to_reap(void **state)
{
    (void)state;
    static uint8_t bytes[512];
    struct blkfront_completion done;
    connect_to(&(struct fake_dom0_script){0}, (struct blkfront_options){.depth = 1});
    int fd = blkfront_fd(bf);
    assert_true(fd >= 0);
    for (uint64_t sector = 0; sector < 3; sector++) {
        assert_false(is_ready(fd, 0));
        assert_int_equal(blkfront_submit(bf, sector, 1, bytes, bytes), 0);
        assert_int_equal(blkfront_kick(bf), 0);
        assert_true(is_ready(fd, HANG_S * 1000));
        assert_int_equal(blkfront_reap(bf, &done, 1, 1), 1);
    }
    assert_false(is_ready(fd, 0));
}

/* By operation: when the last request of it was asked. Atomic. */
static void note_stamp(struct fake_dom0 *d, const struct blkif_request *req)
{
    uint64_t *asked_ns = fake_dom0_ctx(d), stamp_ns = blkif_take_request_stamp(fake_dom0_ring(d));
    store_relaxed_u64(&asked_ns[req->operation], stamp_ns);
    fake_dom0_respond(d, req->id, req->operation, fake_dom0_do(d, req));
    blkif_put_response_stamp(fake_dom0_ring(d), stamp_ns + 1);
    fake_dom0_flush(d);
}

static void requests_tell_when_they_were_asked(void **state)
{
    (void)state;
    static uint8_t disk[64 * 512], bytes[512];
    static uint64_t asked_ns[256]; /* the thread of Dom0 outlives this function */
    connect_to(&(struct fake_dom0_script){.disk = disk,
                                          .sectors = 64,
                                          .request = note_stamp,
                                          .virtual_completion = true,
                                          .ctx = asked_ns},
               (struct blkfront_options){.depth = 1});
    struct blkfront_geometry geometry;
    assert_int_equal(blkfront_geometry(bf, &geometry), 0);
    assert_true(!geometry.read_only && geometry.flush && geometry.discard);
    const uint8_t operations[] = {BLKIF_OP_READ, BLKIF_OP_WRITE, BLKIF_OP_FLUSH_DISKCACHE,
                                  BLKIF_OP_DISCARD};
    for (size_t i = 0; i < sizeof(operations); i++) {
        uint64_t before_ns = blkfront_now_ns(bf);
        const struct blkfront_io io = {.operation = (enum blkfront_operation)operations[i],
                                       .sector = 3,
                                       .sector_count = 1,
                                       .buffer = bytes};
        struct blkfront_completion done;
        assert_int_equal(blkfront_submit_io(bf, &io), 0);
        assert_int_equal(blkfront_reap(bf, &done, 1, 1), 1);
        assert_int_equal(done.status, 0);
        assert_in_range(load_relaxed_u64(&asked_ns[operations[i]]), before_ns, blkfront_now_ns(bf));
    }
}

/* Each counter under its own name. */
static void statistics_are_of_all_queues(void **state)
{
    (void)state;
    struct blkfront_stats stats;
    connect_to(&(struct fake_dom0_script){.queues = 3},
               (struct blkfront_options){.queues = 3, .depth = 1});
    assert_int_equal(blkfront_queues(bf), 3);
    for (uint64_t i = 0, times = 1; i < 3; i++, times *= 10) {
        struct blkfront_queue *queue = &bf->queue[i];
        pthread_mutex_lock(&queue->lock);
        queue->stats.requests = times, queue->stats.responses = 2 * times;
        queue->stats.errors = 3 * times, queue->stats.kicks = 4 * times;
        queue->stats.upcalls = 5 * times, queue->stats.spins_won = 6 * times;
        queue->stats.spins_lost = 7 * times;
        pthread_mutex_unlock(&queue->lock);
    }
    blkfront_stats(bf, &stats);
    assert_int_equal(stats.requests, 111);
    assert_int_equal(stats.responses, 222);
    assert_int_equal(stats.errors, 333);
    assert_int_equal(stats.kicks, 444);
    assert_int_equal(stats.upcalls, 555);
    assert_int_equal(stats.spins_won, 666);
    assert_int_equal(stats.spins_lost, 777);
    assert_int_equal(stats.reconnects, 0);
}

static void stages_can_be_looked_at(void **state)
{
    (void)state;
    enum { READS = 4 };
    static uint8_t bytes[512];
    connect_to(&(struct fake_dom0_script){0}, (struct blkfront_options){.depth = 1});
    if (!fake_probes_begin())
        skip();
    for (uint64_t i = 0; i < READS; i++)
        assert_int_equal(blkfront_read(bf, i, 1, bytes), 0);
    uint32_t submitted = fake_probes_passed("submitted"), on_ring = fake_probes_passed("on_ring");
    uint32_t doorbell = fake_probes_passed("doorbell"), taken_off = fake_probes_passed("taken_off");
    uint32_t returned = fake_probes_passed("returned");
    fake_probes_end();
    assert_true(submitted == READS && taken_off == READS && returned == READS);
    assert_true(on_ring >= READS && doorbell >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRONT_TEST(reads_bring_the_sectors_asked_for),
        FRONT_TEST(more_threads_than_slots_all_get_their_data),
        FRONT_TEST(a_thread_that_is_left_alone_is_woken_all_the_same),
        FRONT_TEST(asynchronous_and_blocking_reads_mix),
        FRONT_TEST(errors_are_told_and_the_disk_lives_on),
        FRONT_TEST(the_descriptor_is_readable_while_there_is_something_to_reap),
        FRONT_TEST(a_large_request_names_its_disk),
        FRONT_TEST(requests_tell_when_they_were_asked),
        FRONT_TEST(closing_ends_the_domain),
        FRONT_TEST(reads_that_nobody_reaps_do_not_hinder_closing),
        FRONT_TEST(statistics_are_of_all_queues),
        FRONT_TEST(stages_can_be_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
