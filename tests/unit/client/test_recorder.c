/* SPDX-License-Identifier: MIT */
/* recorder: the records of many threads, in two files. */
#include <errno.h>
#include <pthread.h>

#include "faults/fault_walk.h"
#include "unit/client/recorder_fixture.h"

enum { ADDS_OF_A_THREAD = 5000 };

static void is_square(uint64_t index, uint64_t sector)
{
    assert_int_equal(sector, index * index);
}

static void add_squares(struct fixture *f, uint64_t count)
{
    uint64_t record_count;

    for (uint64_t i = 0; i < count; i++)
        assert_int_equal(add(f, i * i, 1), 0);
    assert_int_equal(recorder_close(f->recorder, &record_count, &f->why), 0);
    assert_int_equal(record_count, count);
    assert_int_equal(read_back(f, is_square), count);
}

static void keeps_the_order(void **state)
{
    struct fixture *f = *state;
    const uint64_t counts[] = {0, 1, RECORDER_CHUNK - 1, RECORDER_CHUNK, RECORDER_CHUNK + 1, 50000};

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        assert_int_equal(open_recorder(f, false), 0);
        add_squares(f, counts[i]);
        assert_int_equal(open_recorder(f, true), 0);
        add_squares(f, counts[i]);
    }
}

static void largest_sector_number_fits_a_line(void **state)
{
    struct fixture *f = *state;
    unsigned char data[RECORDER_SECTOR_BYTES];
    uint64_t count;

    assert_int_equal(open_recorder(f, false), 0);
    fill(data, UINT64_MAX, 1);
    for (int i = 0; i < RECORDER_CHUNK; i++)
        assert_int_equal(recorder_add(f->recorder, &f->watch, UINT64_MAX, 1, data), 0);
    assert_int_equal(recorder_close(f->recorder, &count, &f->why), 0);
    assert_int_equal(read_back(f, NULL), RECORDER_CHUNK);
}

static void a_request_of_many_sectors_is_as_many_records(void **state)
{
    struct fixture *f = *state;
    uint64_t count;

    assert_int_equal(open_recorder(f, false), 0);
    for (uint64_t i = 0; i < 500; i++) /* 88 does not divide the chunk: some wrap, some straddle */
        assert_int_equal(add(f, i * 1000, 88), 0);
    assert_int_equal(recorder_close(f->recorder, &count, &f->why), 0);
    assert_int_equal(read_back(f, NULL), 500 * 88);
}

static void *adding_thread(void *argument)
{
    for (uint64_t i = 0; i < ADDS_OF_A_THREAD; i++) {
        if (add(argument, i, 3) != 0)
            return argument;
    }
    return NULL;
}

static void threads_lose_nothing(void **state)
{
    struct fixture *f = *state;

    for (int writer = 0; writer < 2; writer++) {
        pthread_t threads[THREADS];
        uint64_t count;

        assert_int_equal(open_recorder(f, writer == 1), 0);
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, adding_thread, f), 0);
        for (int i = 0; i < THREADS; i++) {
            void *failed;
            pthread_join(threads[i], &failed);
            assert_null(failed);
        }
        assert_int_equal(recorder_close(f->recorder, &count, &f->why), 0);
        assert_int_equal(count, THREADS * ADDS_OF_A_THREAD * 3);
        assert_int_equal(read_back(f, NULL), count);
    }
    assert_int_equal(f->watch.standing, 0);
}

static void room_is_what_was_asked_for(void **state)
{
    struct fixture *f = *state;
    const struct recorder_options options = {
        .directory = f->directory, .pid = PID, .room = 45056, .writer_thread = true};
    uint64_t count;

    assert_int_equal(open_recorder(f, false), 0); /* for one sector at a time: the least there is */
    assert_true(recorder_has_room(f->recorder, RECORDER_CAPACITY_MIN));
    assert_false(recorder_has_room(f->recorder, RECORDER_CAPACITY_MIN + 1));
    recorder_close(f->recorder, &count, &f->why);
    assert_int_equal(recorder_open(&options, &f->recorder, &f->why), 0);
    assert_true(recorder_has_room(f->recorder, 45056));
    assert_int_equal(recorder_wait_room(f->recorder, &f->watch, 88), 0);
    assert_false(recorder_has_room(f->recorder, 45056 + 2 * RECORDER_CHUNK));
    recorder_close(f->recorder, &count, &f->why);
}

static void a_directory_that_is_not_there_is_named(void **state)
{
    struct fixture *f = *state;
    const struct recorder_options options = {.directory = "/nonexistent", .pid = PID, .room = 1};

    assert_int_equal(recorder_open(&options, &f->recorder, &f->why), -ENOENT);
    assert_null(f->recorder);
    assert_non_null(strstr(f->why.text, "/nonexistent/sectors.1234"));
}

static void a_failed_open_leaves_no_file(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(symlink("elsewhere", f->read), 0);
    assert_int_equal(open_recorder(f, false), -ELOOP);
    assert_int_equal(access(f->sectors, F_OK), -1);
}

static void discarded_files_are_gone(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(open_recorder(f, true), 0);
    assert_int_equal(access(f->sectors, F_OK), 0);
    recorder_discard(f->recorder);
    assert_int_equal(access(f->sectors, F_OK), -1);
    assert_int_equal(access(f->read, F_OK), -1);
    recorder_discard(NULL);
}

static void a_recorder_that_is_none_has_no_records(void **state)
{
    struct fixture *f = *state;
    uint64_t count = 7;

    assert_int_equal(recorder_close(NULL, &count, &f->why), 0);
    assert_int_equal(count, 0);
}

static int open_and_discard(void *arg)
{
    struct fixture *f = arg;
    int rc = open_recorder(f, true);
    assert_true((rc < 0) == (f->recorder == NULL));
    assert_true(rc == 0 || f->why.text[0] != '\0');
    f->why.text[0] = '\0';
    recorder_discard(f->recorder);
    return rc;
}

static void without_memory_or_threads_there_is_no_recorder(void **state)
{
    assert_true(fault_walk(open_and_discard, *state) >= 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keeps_the_order, setup, teardown),
        cmocka_unit_test_setup_teardown(largest_sector_number_fits_a_line, setup, teardown),
        cmocka_unit_test_setup_teardown(a_request_of_many_sectors_is_as_many_records, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(threads_lose_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(room_is_what_was_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(a_directory_that_is_not_there_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failed_open_leaves_no_file, setup, teardown),
        cmocka_unit_test_setup_teardown(discarded_files_are_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(a_recorder_that_is_none_has_no_records, setup, teardown),
        cmocka_unit_test_setup_teardown(without_memory_or_threads_there_is_no_recorder, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
