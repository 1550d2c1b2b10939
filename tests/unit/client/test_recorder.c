/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/why.h"
#include "client/recorder.h"

enum { PID = 1234, THREADS = 4, ADDS_OF_A_THREAD = 5000 };

struct fixture {
    char directory[64];
    char sectors[96];
    char read[96];
    struct stopwatch watch;
    struct recorder *recorder;
    struct why why;
};

static uint64_t no_time(void *clock)
{
    (void)clock;
    return 0;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    snprintf(f->directory, sizeof(f->directory), "/tmp/test_recorder.XXXXXX");
    if (mkdtemp(f->directory) == NULL)
        return -1;
    snprintf(f->sectors, sizeof(f->sectors), "%s/sectors.%d", f->directory, PID);
    snprintf(f->read, sizeof(f->read), "%s/read.%d", f->directory, PID);
    stopwatch_init(&f->watch, no_time, NULL);
    stopwatch_start(&f->watch, THREADS);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    unlink(f->sectors);
    unlink(f->read);
    rmdir(f->directory);
    stopwatch_destroy(&f->watch);
    free(f);
    return 0;
}

static int open_recorder(struct fixture *f, bool writer_thread)
{
    const struct recorder_options options = {
        .directory = f->directory, .pid = PID, .room = 1, .writer_thread = writer_thread};

    return recorder_open(&options, &f->recorder, &f->why);
}

/* The data of a sector begins with its number. */
static void fill(unsigned char *data, uint64_t sector, uint32_t count)
{
    memset(data, 0xa5, (size_t)count * RECORDER_SECTOR_BYTES);
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t number = sector + i;
        memcpy(data + (size_t)i * RECORDER_SECTOR_BYTES, &number, sizeof(number));
    }
}

static int add(struct fixture *f, uint64_t sector, uint32_t count)
{
    unsigned char data[88 * RECORDER_SECTOR_BYTES];

    fill(data, sector, count);
    return recorder_add(f->recorder, &f->watch, sector, count, data);
}

/* Both files hold the same records, each with the data of its sector. Returns how many. With check,
 * calls it for each. */
static uint64_t read_back(struct fixture *f, void (*check)(uint64_t index, uint64_t sector))
{
    FILE *sectors = fopen(f->sectors, "r");
    FILE *read = fopen(f->read, "r");
    unsigned char data[RECORDER_SECTOR_BYTES];
    uint64_t sector, number, count = 0;
    char line[64];

    assert_non_null(sectors);
    assert_non_null(read);
    while (fgets(line, sizeof(line), sectors) != NULL) {
        assert_non_null(strchr(line, '\n'));
        sector = strtoull(line, NULL, 10);
        assert_int_equal(fread(data, sizeof(data), 1, read), 1);
        memcpy(&number, data, sizeof(number));
        assert_true(number == sector);
        assert_int_equal(data[RECORDER_SECTOR_BYTES - 1], 0xa5);
        if (check != NULL)
            check(count, sector);
        count++;
    }
    assert_int_equal(fgetc(read), EOF);
    fclose(sectors);
    fclose(read);
    return count;
}

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

/* In a child: adds until the limit of the size of a file is hit. 0: all went as it should. */
static int fill_the_disk(struct fixture *f, bool writer_thread, rlim_t limit_bytes)
{
    const struct rlimit limit = {limit_bytes, limit_bytes};
    uint64_t count;
    int rc = 0;

    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0 || open_recorder(f, writer_thread) != 0)
        return 1;
    for (uint64_t i = 0; i < 100000 && rc == 0; i++)
        rc = add(f, i, 1);
    if (rc != -EFBIG || add(f, 0, 1) != -EFBIG)
        return 2;
    if (recorder_close(f->recorder, &count, &f->why) != -EFBIG)
        return 3;
    if (strstr(f->why.text, "read.1234") == NULL || strstr(f->why.text, "File too large") == NULL)
        return 4;
    return count * RECORDER_SECTOR_BYTES <= limit_bytes ? 0 : 5;
}

static void a_full_disk_cuts_both_files_to_the_same_records(void **state)
{
    struct fixture *f = *state;
    const rlim_t limit_bytes = 3 * RECORDER_CHUNK * RECORDER_SECTOR_BYTES - 100;

    for (int writer = 0; writer < 2; writer++) {
        const pid_t child = fork();
        int status;

        if (child == 0)
            _exit(fill_the_disk(f, writer == 1, limit_bytes));
        assert_true(child > 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        assert_int_equal(read_back(f, NULL), 2 * RECORDER_CHUNK);
    }
}

/* The calls of recorder_close that a test lets fail. */
static bool cuts_fail, closes_fail;

int __real_ftruncate(int fd, off_t length);
int __wrap_ftruncate(int fd, off_t length);
int __wrap_ftruncate(int fd, off_t length)
{
    if (!cuts_fail)
        return __real_ftruncate(fd, length);
    errno = EIO;
    return -1;
}

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
    int rc = __real_close(fd);
    if (!closes_fail)
        return rc;
    errno = EDQUOT;
    return -1;
}

/* The disk stands still until it is opened. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool closed;
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

ssize_t __real_write(int fd, const void *bytes, size_t count);
ssize_t __wrap_write(int fd, const void *bytes, size_t count);
ssize_t __wrap_write(int fd, const void *bytes, size_t count)
{
    pthread_mutex_lock(&disk.lock);
    while (disk.closed)
        pthread_cond_wait(&disk.changed, &disk.lock);
    pthread_mutex_unlock(&disk.lock);
    return __real_write(fd, bytes, count);
}

static void set_disk(bool closed)
{
    pthread_mutex_lock(&disk.lock);
    disk.closed = closed;
    pthread_cond_broadcast(&disk.changed);
    pthread_mutex_unlock(&disk.lock);
}

/* Late enough to be missed by who does not wait. */
static void *open_disk(void *arg)
{
    const struct timespec pause = {.tv_nsec = 50000000};
    nanosleep(&pause, NULL);
    set_disk(false);
    return arg;
}

static void whoever_waits_for_room_has_room(void **state)
{
    struct fixture *f = *state;
    pthread_t opener;
    uint64_t count, added = 0;

    assert_int_equal(open_recorder(f, true), 0);
    set_disk(true);
    while (recorder_has_room(f->recorder, 1))
        assert_int_equal(add(f, added++, 1), 0);
    assert_int_equal(added, RECORDER_CAPACITY_MIN);
    assert_int_equal(pthread_create(&opener, NULL, open_disk, NULL), 0);
    int rc = recorder_wait_room(f->recorder, &f->watch, 88);
    bool has_room = recorder_has_room(f->recorder, 88);
    pthread_join(opener, NULL);
    assert_int_equal(rc, 0);
    assert_true(has_room);
    assert_int_equal(recorder_close(f->recorder, &count, &f->why), 0);
    assert_int_equal(count, added);
}

/* A child's; what recorder_close says of the length. */
static int close_after_a_full_disk(struct fixture *f)
{
    const rlim_t limit_bytes = RECORDER_CHUNK * RECORDER_SECTOR_BYTES;
    unsigned char data[RECORDER_SECTOR_BYTES] = {0};
    uint64_t count = 0;
    if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR ||
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){limit_bytes, limit_bytes}) != 0 ||
        open_recorder(f, false) != 0)
        return 1;
    while (recorder_add(f->recorder, &f->watch, 5, 1, data) == 0)
        continue;
    cuts_fail = true;
    if (recorder_close(f->recorder, &count, &f->why) != -EFBIG)
        return 2;
    return count == RECORDER_COUNT_UNKNOWN ? 0 : 3;
}

static void files_that_cannot_be_cut_are_of_unknown_length(void **state)
{
    const pid_t child = fork();
    int status;
    if (child == 0)
        _exit(close_after_a_full_disk(*state));
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void a_failed_close_is_a_failed_write(void **state)
{
    struct fixture *f = *state;
    unsigned char data[RECORDER_SECTOR_BYTES] = {0};
    uint64_t count;
    assert_int_equal(open_recorder(f, false), 0);
    assert_int_equal(recorder_add(f->recorder, &f->watch, 5, 1, data), 0);
    closes_fail = true;
    int rc = recorder_close(f->recorder, &count, &f->why);
    closes_fail = false;
    assert_int_equal(rc, -EDQUOT);
    assert_true(count == RECORDER_COUNT_UNKNOWN);
    assert_non_null(strstr(f->why.text, "sectors.1234"));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keeps_the_order, setup, teardown),
        cmocka_unit_test_setup_teardown(largest_sector_number_fits_a_line, setup, teardown),
        cmocka_unit_test_setup_teardown(a_request_of_many_sectors_is_as_many_records, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(threads_lose_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_cuts_both_files_to_the_same_records, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(files_that_cannot_be_cut_are_of_unknown_length, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_failed_close_is_a_failed_write, setup, teardown),
        cmocka_unit_test_setup_teardown(whoever_waits_for_room_has_room, setup, teardown),
        cmocka_unit_test_setup_teardown(room_is_what_was_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(a_directory_that_is_not_there_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failed_open_leaves_no_file, setup, teardown),
        cmocka_unit_test_setup_teardown(discarded_files_are_gone, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
