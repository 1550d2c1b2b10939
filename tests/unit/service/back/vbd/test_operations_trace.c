/* SPDX-License-Identifier: MIT */
/* operations: what a trace tells of writes, of barriers, and of what is refused. */
#include <errno.h>

#include "service/back/vbd/vbd_trace.h"
#include "trace/trace_reader.h"
#include "unit/service/back/vbd/operations_fixture.h"

enum { RECORDS = 8, RANK = 1 << TRACE_RANK_SHIFT };

static struct trace_writer writer;
static struct trace_reader reader;
static struct trace_record seen[RECORDS];
static uint32_t seen_count;

static void start_trace(void)
{
    int fd = trace_writer_make(1, RECORDS, "test");
    assert_true(fd >= 0);
    assert_int_equal(trace_writer_map(&writer, 1, RECORDS, fd), 0);
    assert_int_equal(trace_reader_open(&reader, 1, RECORDS, fd, true), 0);
    close(fd);
    const struct back_trace to = {.threshold = UINT32_MAX, .writer = &writer};
    assert_int_equal(vbd_trace_set(f->ends.ring, &to), 0);
}

static void stop_trace(void)
{
    assert_int_equal(vbd_trace_set(f->ends.ring, &(struct back_trace){.threshold = 0}), 0);
    trace_reader_close(&reader);
    trace_writer_unmap(&writer);
}

static void see(void *ctx, const struct trace_record *record)
{
    (void)ctx;
    assert_true(seen_count < RECORDS);
    seen[seen_count++] = *record;
}

static uint32_t look(void)
{
    seen_count = 0;
    (void)trace_reader_take(&reader, see, NULL);
    return seen_count;
}

static void a_traced_write_is_told_when_it_is_answered(void **state)
{
    (void)state;
    f->ends.config.trace_ranks = true;
    connect();
    start_trace();
    const struct blkif_request req = one_page(BLKIF_OP_WRITE, 7 | RANK, 100);
    put(&req);
    consume(1);
    assert_int_equal(look(), 0);
    end(0, 0);
    assert_int_equal(look(), 1);
    assert_int_equal(seen[0].operation, BLKIF_OP_WRITE);
    assert_int_equal(seen[0].id, 7 | RANK);
    assert_int_equal(seen[0].sector, 100);
    assert_int_equal(seen[0].sector_count, 8);
    assert_int_equal(seen[0].status, BLKIF_RSP_OKAY);
    put(&req);
    consume(1);
    end(0, -EIO);
    assert_int_equal(look(), 1);
    assert_int_equal(seen[0].status, BLKIF_RSP_ERROR);
    stop_trace();
}

static void what_is_refused_is_told_as_well(void **state)
{
    (void)state;
    f->ends.config.trace_ranks = true;
    connect();
    start_trace();
    struct blkif_request req = one_page(BLKIF_OP_WRITE, 9 | RANK, DISK_SECTORS);
    put(&req);
    req.operation = 77;
    req.id = 10 | RANK;
    put(&req);
    consume(2);
    vbd_ring_flush(f->ends.ring);
    assert_int_equal(look(), 2);
    assert_int_equal(seen[0].operation, BLKIF_OP_WRITE);
    assert_int_equal(seen[0].id, 9 | RANK);
    assert_int_equal(seen[0].status, BLKIF_RSP_ERROR);
    assert_int_equal(seen[1].operation, 77);
    assert_int_equal(seen[1].id, 10 | RANK);
    assert_int_equal(seen[1].status, BLKIF_RSP_EOPNOTSUPP);
    stop_trace();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OPERATION_TEST(a_traced_write_is_told_when_it_is_answered),
        OPERATION_TEST(what_is_refused_is_told_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
