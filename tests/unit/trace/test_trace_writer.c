/* SPDX-License-Identifier: MIT */
/* trace_writer: what is forgotten goes back to the system. What is read of it: test_trace_reader.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "faults/fault.h"
#include "ring/barrier.h"
#include "trace/trace_memory.h"
#include "trace/trace_reader.h"
#include "trace/trace_writer.h"

enum { LANES = 2, RECORDS = 1 << 10 };

struct memory {
    struct trace_writer writer;
    struct trace_reader reader;
    int fd;
    uint64_t seen, of_nothing, last_id;
    uint32_t ends; /* atomic */
};

static void make(struct memory *memory)
{
    *memory = (struct memory){.fd = trace_writer_make(LANES, RECORDS, "test")};
    assert_true(memory->fd >= 0);
    assert_int_equal(trace_writer_map(&memory->writer, LANES, RECORDS, memory->fd), 0);
    assert_int_equal(trace_reader_open(&memory->reader, LANES, RECORDS, memory->fd, true), 0);
}

static void drop(struct memory *memory)
{
    trace_reader_close(&memory->reader);
    trace_writer_unmap(&memory->writer);
    close(memory->fd);
}

static void put(const struct memory *memory, uint64_t id)
{
    const struct trace_record record = {.kind = TRACE_FRONT, .id = id};
    trace_writer_put(&memory->writer, &record);
}

static uint64_t pages(const struct memory *memory)
{
    struct stat st;
    assert_int_equal(fstat(memory->fd, &st), 0);
    return (uint64_t)st.st_blocks * 512 / (uint64_t)sysconf(_SC_PAGESIZE);
}

static void see(void *ctx, const struct trace_record *record)
{
    struct memory *memory = ctx;
    memory->seen++;
    memory->of_nothing += record->kind == TRACE_NOTHING;
    memory->last_id = record->id;
}

/* And the lane counts on: who reads later sees what is written later. */
static void test_what_is_forgotten_is_given_back(void **state)
{
    struct memory memory;
    (void)state;
    make(&memory);
    uint64_t at_first = pages(&memory);
    for (uint64_t id = 0; id < RECORDS / 2; id++)
        put(&memory, id);
    assert_true(pages(&memory) > at_first + 10);
    (void)trace_reader_take(&memory.reader, see, &memory);
    assert_int_equal(memory.seen, RECORDS / 2);
    trace_writer_forget(&memory.writer);
    assert_in_range(pages(&memory), 1, at_first + 2);
    put(&memory, 77);
    (void)trace_reader_take(&memory.reader, see, &memory);
    assert_int_equal(memory.seen, RECORDS / 2 + 1);
    assert_int_equal(memory.last_id, 77);
    assert_int_equal(trace_reader_lost(&memory.reader), 0);
    drop(&memory);
    trace_writer_forget(&memory.writer); /* without a memory */
}

static void *write_on(void *arg)
{
    struct memory *memory = arg;
    for (uint64_t id = 0; load_relaxed_u32(&memory->ends) == 0; id++)
        put(memory, id);
    return NULL;
}

/* It writes on, into pages that come back, and what it has written last is there. */
static void test_a_writer_does_not_notice(void **state)
{
    struct memory memory;
    pthread_t thread;
    (void)state;
    make(&memory);
    assert_int_equal(pthread_create(&thread, NULL, write_on, &memory), 0);
    for (int i = 0; i < 200; i++) {
        trace_writer_forget(&memory.writer);
        (void)trace_reader_take(&memory.reader, see, &memory);
    }
    store_relaxed_u32(&memory.ends, 1);
    pthread_join(thread, NULL);
    (void)trace_reader_take(&memory.reader, see, &memory);
    memory.seen = memory.of_nothing = 0;
    put(&memory, 1);
    put(&memory, 2);
    (void)trace_reader_take(&memory.reader, see, &memory);
    assert_int_equal(memory.seen, 2);
    assert_int_equal(memory.of_nothing, 0);
    assert_int_equal(memory.last_id, 2);
    drop(&memory);
}

static void test_memory_of_another_size_is_refused(void **state)
{
    struct trace_writer writer = {.head = NULL};
    (void)state;
    int fd = trace_writer_make(LANES, RECORDS, "test");
    assert_true(fd >= 0);
    assert_int_equal(trace_writer_map(&writer, LANES, RECORDS / 2, fd), -EBADFD);
    assert_int_equal(trace_writer_map(&writer, LANES + 1, RECORDS, fd), -EBADFD);
    assert_null(writer.head);
    trace_writer_forget(&writer); /* nothing */
    trace_writer_unmap(&writer);
    close(fd);
}

static void test_without_memory_none_is_made(void **state)
{
    const uint32_t descriptors = fault_open_descriptors();
    (void)state;
    fault_arm_call("ftruncate", 1, ENOSPC);
    assert_int_equal(trace_writer_make(LANES, RECORDS, "test"), -ENOSPC);
    fault_disarm();
    assert_int_equal(fault_open_descriptors(), descriptors);
}

static void test_whether_somebody_writes_is_shown(void **state)
{
    struct memory memory;
    (void)state;
    make(&memory);
    assert_false(trace_reader_is_active(&memory.reader));
    trace_writer_show_active(&memory.writer, true);
    assert_true(trace_reader_is_active(&memory.reader));
    trace_writer_show_active(&memory.writer, false);
    assert_false(trace_reader_is_active(&memory.reader));
    drop(&memory);
}

/* More threads write at a time than there are lanes. */
static void test_what_finds_no_lane_is_counted(void **state)
{
    struct memory memory;
    (void)state;
    make(&memory);
    for (uint32_t i = 0; i < LANES; i++)
        trace_memory_lane(memory.writer.head, i)->busy = 1;
    put(&memory, 1);
    put(&memory, 2);
    assert_int_equal(trace_reader_lost(&memory.reader), 2);
    trace_memory_lane(memory.writer.head, 1)->busy = 0;
    put(&memory, 3);
    assert_int_equal(trace_reader_lost(&memory.reader), 2);
    assert_int_equal(trace_reader_take(&memory.reader, see, &memory), 1);
    assert_int_equal(memory.last_id, 3);
    drop(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_forgotten_is_given_back),
        cmocka_unit_test(test_a_writer_does_not_notice),
        cmocka_unit_test(test_memory_of_another_size_is_refused),
        cmocka_unit_test(test_without_memory_none_is_made),
        cmocka_unit_test(test_whether_somebody_writes_is_shown),
        cmocka_unit_test(test_what_finds_no_lane_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
