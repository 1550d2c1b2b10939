/* SPDX-License-Identifier: MIT */
/* vbd_ring: what a trace tells of its requests. */
#include "service/back/vbd/vbd_trace.h"
#include "trace/trace_reader.h"
#include "unit/service/back/vbd/vbd_ring_fixture.h"

enum { RECORDS = 64, RANK = 1 << TRACE_RANK_SHIFT };

struct seen {
    struct trace_writer writer;
    struct trace_reader reader;
    struct trace_record record[RECORDS];
    uint32_t count;
};

static void start_sample(struct seen *seen, uint32_t sample)
{
    *seen = (struct seen){.count = 0};
    int fd = trace_writer_make(1, RECORDS, "test");
    assert_true(fd >= 0);
    assert_int_equal(trace_writer_map(&seen->writer, 1, RECORDS, fd), 0);
    assert_int_equal(trace_reader_open(&seen->reader, 1, RECORDS, fd, true), 0);
    close(fd);
    const struct back_trace to = {.threshold = trace_threshold(sample), .writer = &seen->writer};
    assert_int_equal(vbd_trace_set(f->ends.ring, &to), 0);
}

static void start_trace(struct seen *seen)
{
    start_sample(seen, 1);
}

static void stop_trace(struct seen *seen)
{
    if (f->ends.ring != NULL)
        assert_int_equal(vbd_trace_set(f->ends.ring, &(struct back_trace){.threshold = 0}), 0);
    trace_reader_close(&seen->reader);
    trace_writer_unmap(&seen->writer);
}

static void see(void *ctx, const struct trace_record *record)
{
    struct seen *seen = ctx;
    seen->record[seen->count++] = *record;
}

static uint32_t look(struct seen *seen)
{
    seen->count = 0;
    (void)trace_reader_take(&seen->reader, see, seen);
    return seen->count;
}

static void assert_stages(const struct trace_record *record, bool disk)
{
    uint64_t before_ns = 0;
    for (int i = TRACE_TAKEN; i <= TRACE_PUBLISHED; i++) {
        bool is_disks = i >= TRACE_QUEUED && i <= TRACE_COMPLETED;
        assert_int_equal(record->at_ns[i] != 0, !is_disks || disk);
        assert_true(record->at_ns[i] == 0 || record->at_ns[i] >= before_ns);
        before_ns = record->at_ns[i] != 0 ? record->at_ns[i] : before_ns;
    }
    assert_int_equal(record->at_ns[TRACE_ON_RING], 0);
}

static void a_traced_read_has_its_stages(void **state)
{
    struct seen seen;
    (void)state;
    f->ends.config.devid = 51712;
    f->ends.config.trace_ranks = true;
    connect_ring(0, 1, 0);
    start_trace(&seen);
    struct blkif_request req = read_request(7 | RANK, 100);
    put(&req);
    consume(1);
    assert_int_equal(look(&seen), 0);
    disk_ends(0, 0);
    assert_int_equal(look(&seen), 1);
    const struct trace_record *record = &seen.record[0];
    assert_stages(record, true);
    assert_int_equal(record->kind, TRACE_BACK);
    assert_int_equal(record->domid, DOMID);
    assert_int_equal(record->devid, 51712);
    assert_int_equal(record->id, 7 | RANK);
    assert_int_equal(record->sector, 100);
    put(&req); /* a hit now */
    consume(1);
    assert_int_equal(look(&seen), 1);
    assert_stages(record, false);
    req.nr_segments = 0; /* refused */
    put(&req);
    consume(1);
    assert_int_equal(look(&seen), 1);
    assert_int_equal(record->status, BLKIF_RSP_ERROR);
    stop_trace(&seen);
}

static void requests_outlive_their_trace(void **state)
{
    struct seen seen;
    (void)state;
    f->ends.config.trace_ranks = true;
    connect_ring(0, 1, 0);
    start_trace(&seen);
    struct blkif_request req = read_request(7 | RANK, 100);
    put(&req);
    consume(1);
    stop_trace(&seen);
    disk_ends(0, 0);
    expect(7 | RANK, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    start_trace(&seen); /* one that is older than the trace */
    req = read_request(8 | RANK, 200);
    put(&req);
    consume(1);
    disconnect_ring();
    stop_trace(&seen);
}

/* So many hits, one after the other; id_of_number: what a front end of its own kind calls them. */
static void read_hits(uint64_t (*id_of_number)(uint64_t number), int count)
{
    for (int i = 0; i < count; i++) {
        struct blkif_request req = read_request(id_of_number((uint64_t)i), 100);
        put(&req);
        consume(1);
        expect(req.id, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    }
}

static uint64_t one_slot(uint64_t number)
{
    (void)number;
    return 3;
}

/* As one whose ids are addresses: all have the same bits 16 to 31, and they mean "never". */
static uint64_t address(uint64_t number)
{
    return UINT64_C(0x7fffffff0000) | number % 32 * 64;
}

/* Whatever its ids are, each tenth request is looked at, and each stands for ten. */
static void ids_of_foreign_front_ends_mean_nothing(void **state)
{
    uint64_t (*const ids[])(uint64_t number) = {one_slot, address};
    struct seen seen;
    (void)state;
    connect_ring(0, 1, 0);
    struct blkif_request req = read_request(1, 100);
    put(&req);
    consume(1);
    disk_ends(0, 0);
    expect(1, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        uint64_t weight = 0;
        start_sample(&seen, 10);
        read_hits(ids[i], 200);
        assert_in_range(look(&seen), 20, 21);
        for (uint32_t k = 0; k < seen.count; k++) {
            const struct trace_record *record = &seen.record[k];
            assert_int_equal(record->kind, TRACE_ALONE);
            assert_true(trace_wants(trace_threshold(10), record->id));
            assert_stages(record, false);
            weight += record->weight;
        }
        assert_in_range(weight, 190, 200);
        stop_trace(&seen);
    }
}

static void a_request_without_a_rank_is_not_looked_at(void **state)
{
    struct seen seen;
    (void)state;
    f->ends.config.trace_ranks = true;
    connect_ring(0, 1, 0);
    start_trace(&seen);
    struct blkif_request req = read_request(7, 100);
    put(&req);
    consume(1);
    disk_ends(0, 0);
    assert_int_equal(look(&seen), 0);
    stop_trace(&seen);
}

int main(void)
{
#define RING_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        RING_TEST(a_traced_read_has_its_stages),
        RING_TEST(requests_outlive_their_trace),
        RING_TEST(ids_of_foreign_front_ends_mean_nothing),
        RING_TEST(a_request_without_a_rank_is_not_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
