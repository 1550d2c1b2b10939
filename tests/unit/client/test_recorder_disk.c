/* SPDX-License-Identifier: MIT */
/* recorder: a disk that is full, stands still, or says at the end that it has failed. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "unit/client/recorder_fixture.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_full_disk_cuts_both_files_to_the_same_records, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(files_that_cannot_be_cut_are_of_unknown_length, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_failed_close_is_a_failed_write, setup, teardown),
        cmocka_unit_test_setup_teardown(whoever_waits_for_room_has_room, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
