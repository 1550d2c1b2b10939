/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/prng.h"
#include "ring/barrier.h"
#include "trace/trace_memory.h"
#include "trace/trace_reader.h"
#include "trace/trace_writer.h"

enum { LANES = 2, RECORDS = 8 };

struct fixture {
    struct trace_writer writer;
    struct trace_reader reader;
    int fd;
    uint64_t taken, last_id, out_of_order;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->fd = trace_writer_make(LANES, RECORDS, "test");
    assert_true(f->fd >= 0);
    assert_int_equal(trace_writer_map(&f->writer, LANES, RECORDS, f->fd), 0);
    assert_int_equal(trace_reader_open(&f->reader, LANES, RECORDS, f->fd, false), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    trace_reader_close(&f->reader);
    trace_writer_unmap(&f->writer);
    close(f->fd);
    free(f);
    return 0;
}

static void put(struct fixture *f, uint64_t id)
{
    const struct trace_record record = {.kind = TRACE_FRONT, .id = id, .at_ns = {id, id, id}};
    trace_writer_put(&f->writer, &record);
}

static void take(void *ctx, const struct trace_record *record)
{
    struct fixture *f = ctx;
    f->taken++;
    f->out_of_order += record->id <= f->last_id || record->at_ns[2] != record->id;
    f->last_id = record->id;
}

static void test_takes_each_record_once_in_order(void **state)
{
    struct fixture *f = *state;
    for (uint64_t id = 1; id <= 5; id++)
        put(f, id);
    assert_int_equal(trace_reader_take(&f->reader, take, f), 5);
    put(f, 6);
    assert_int_equal(trace_reader_take(&f->reader, take, f), 1);
    assert_int_equal(trace_reader_take(&f->reader, take, f), 0);
    assert_int_equal(f->out_of_order, 0);
    assert_int_equal(f->last_id, 6);
    assert_int_equal(trace_reader_lost(&f->reader), 0);
}

/* The writer waits for nobody: what was written over is gone, and known to be. */
static void test_counts_what_was_written_over(void **state)
{
    struct fixture *f = *state;
    for (uint64_t id = 1; id <= 3 * RECORDS; id++)
        put(f, id);
    uint64_t taken = trace_reader_take(&f->reader, take, f);
    assert_true(taken > 0 && taken <= RECORDS);
    assert_int_equal(taken + trace_reader_lost(&f->reader), 3 * RECORDS);
    assert_int_equal(f->last_id, 3 * RECORDS);
    assert_int_equal(f->out_of_order, 0);
}

static void test_reads_only_what_comes_after_it(void **state)
{
    struct fixture *f = *state;
    struct trace_reader later;
    put(f, 1);
    assert_int_equal(trace_reader_open(&later, LANES, RECORDS, f->fd, false), 0);
    put(f, 2);
    assert_int_equal(trace_reader_take(&later, take, f), 1);
    assert_int_equal(f->last_id, 2);
    trace_reader_close(&later);
    assert_int_equal(trace_reader_open(&later, LANES, RECORDS, f->fd, true), 0);
    f->last_id = 0;
    assert_int_equal(trace_reader_take(&later, take, f), 2);
    trace_reader_close(&later);
}

/* A thread that holds a lane holds up nobody: the other lane is taken, or the record is lost. */
static void test_a_busy_lane_is_left_alone(void **state)
{
    struct fixture *f = *state;
    for (uint32_t i = 0; i < LANES; i++)
        trace_memory_lane(f->writer.head, i)->busy = i == 0;
    put(f, 1);
    assert_int_equal(trace_reader_take(&f->reader, take, f), 1);
    trace_memory_lane(f->writer.head, 1)->busy = 1;
    put(f, 2);
    assert_int_equal(trace_reader_take(&f->reader, take, f), 0);
    assert_int_equal(trace_reader_lost(&f->reader), 1);
}

static void take_anything(void *ctx, const struct trace_record *record)
{
    (void)record;
    ++*(uint64_t *)ctx;
}

/* Whatever a domain writes into its memory: no more comes out of it than it holds. */
static void test_nonsense_is_bounded(void **state)
{
    struct fixture *f = *state;
    struct prng prng;
    size_t bytes = trace_memory_bytes(LANES, RECORDS);
    prng_init(&prng, 7, 0);
    for (int round = 0; round < 2000; round++) {
        uint64_t taken = 0;
        uint8_t *memory = (uint8_t *)f->writer.head;
        for (int i = 0; i < 64; i++)
            memory[prng_below(&prng, bytes)] = (uint8_t)prng_next(&prng);
        (void)trace_reader_take(&f->reader, take_anything, &taken);
        assert_true(taken <= LANES * RECORDS);
    }
}

static void test_another_file_is_refused(void **state)
{
    struct trace_reader reader;
    struct trace_writer writer = {.head = NULL};
    (void)state;
    int fd = trace_writer_make(LANES, RECORDS / 2, "test");
    assert_int_equal(trace_reader_open(&reader, LANES, RECORDS, fd, false), -EBADFD);
    assert_int_equal(trace_writer_map(&writer, LANES, RECORDS, fd), -EBADFD);
    close(fd);
    assert_int_equal(trace_reader_open(&reader, LANES, RECORDS, STDIN_FILENO, false), -EBADFD);
}

struct racer {
    pthread_t thread;
    struct fixture *fixture;
    uint64_t count;
};

static void *race(void *arg)
{
    struct racer *racer = arg;
    for (uint64_t id = 1; id <= racer->count; id++)
        put(racer->fixture, id);
    return NULL;
}

static void take_whole(void *ctx, const struct trace_record *record)
{
    struct fixture *f = ctx;
    f->taken++;
    f->out_of_order += record->kind != TRACE_FRONT || record->at_ns[0] != record->id ||
                       record->at_ns[1] != record->id || record->at_ns[2] != record->id;
}

/* No record is made of two, however fast it is written over. */
static void test_no_record_is_torn(void **state)
{
    struct fixture *f = *state;
    struct racer racers[3];
    for (int i = 0; i < 3; i++) {
        racers[i] = (struct racer){.fixture = f, .count = 20000};
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < 2000; i++)
        (void)trace_reader_take(&f->reader, take_whole, f);
    for (int i = 0; i < 3; i++)
        pthread_join(racers[i].thread, NULL);
    (void)trace_reader_take(&f->reader, take_whole, f);
    assert_int_equal(f->out_of_order, 0);
    assert_int_equal(f->taken + trace_reader_lost(&f->reader), 3 * 20000);
}

/* A head that went back counts as nothing: neither as records nor as losses. */
static void test_a_head_that_went_back_loses_nothing(void **state)
{
    struct fixture *f = *state;
    for (uint64_t id = 1; id <= 5; id++)
        put(f, id);
    assert_int_equal(trace_reader_take(&f->reader, take, f), 5);
    for (uint32_t i = 0; i < LANES; i++)
        store_release_u64(&trace_memory_lane(f->writer.head, i)->head, 0);
    assert_int_equal(trace_reader_take(&f->reader, take, f), 0);
    assert_int_equal(trace_reader_lost(&f->reader), 0);
    f->last_id = 0;
    put(f, 6);
    assert_int_equal(trace_reader_take(&f->reader, take, f), 1);
    assert_int_equal(trace_reader_lost(&f->reader), 0);
}

/* What was lost before is not this reader's. */
static void test_what_was_lost_before_is_not_counted(void **state)
{
    struct fixture *f = *state;
    struct trace_reader later;
    f->writer.head->lost = 5;
    assert_int_equal(trace_reader_open(&later, LANES, RECORDS, f->fd, false), 0);
    assert_int_equal(trace_reader_lost(&later), 0);
    f->writer.head->lost = 7;
    assert_int_equal(trace_reader_lost(&later), 2);
    trace_reader_close(&later);
}

static void test_whether_somebody_writes_is_seen(void **state)
{
    struct fixture *f = *state;
    assert_false(trace_reader_is_active(&f->reader));
    f->writer.head->active = 1;
    assert_true(trace_reader_is_active(&f->reader));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_takes_each_record_once_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_counts_what_was_written_over, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reads_only_what_comes_after_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_busy_lane_is_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nonsense_is_bounded, setup, teardown),
        cmocka_unit_test(test_another_file_is_refused),
        cmocka_unit_test_setup_teardown(test_no_record_is_torn, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_head_that_went_back_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_was_lost_before_is_not_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_whether_somebody_writes_is_seen, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
