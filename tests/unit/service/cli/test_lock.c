/* SPDX-License-Identifier: MIT */
/* lock: one holder at a time, and how a holder ends. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "unit/service/cli/lock_fixture.h"

static void nobody_holds_what_is_not_there(void **state)
{
    struct fixture *f = *state;
    pid_t pid = 7;

    assert_int_equal(lock_holder(f->path, &pid), 0);
    assert_int_equal(pid, 0);
    assert_int_equal(access(f->path, F_OK), -1);
}

static void the_second_is_refused_and_told_the_first(void **state)
{
    struct fixture *f = *state;
    struct holder holder = start_holder(f);
    struct lock lock;
    pid_t pid;

    assert_int_equal(lock_acquire(f->path, &lock, &pid), -EAGAIN);
    assert_int_equal(pid, holder.pid);
    assert_int_equal(lock_holder(f->path, &pid), 0);
    assert_int_equal(pid, holder.pid);
    end_holder(&holder, 0);
}

static void release_removes_the_file(void **state)
{
    struct fixture *f = *state;
    struct holder holder = start_holder(f);
    pid_t pid;

    end_holder(&holder, 0);
    assert_int_equal(access(f->path, F_OK), -1);
    assert_int_equal(lock_holder(f->path, &pid), 0);
    assert_int_equal(pid, 0);
}

static void a_killed_holder_leaves_a_lock_that_is_free(void **state)
{
    struct fixture *f = *state;
    struct holder holder = start_holder(f);
    struct lock lock;
    pid_t pid;

    end_holder(&holder, SIGKILL);
    assert_int_equal(access(f->path, F_OK), 0);
    assert_int_equal(lock_holder(f->path, &pid), 0);
    assert_int_equal(pid, 0);
    assert_int_equal(lock_acquire(f->path, &lock, &pid), 0);
    lock_release(&lock);
}

/* The process goes on for a while without its first thread: its state is that of a zombie. */
static void *end_slowly(void *arg)
{
    const struct timespec while_it_ends = {.tv_nsec = 200 * 1000 * 1000};
    (void)arg;
    nanosleep(&while_it_ends, NULL);
    _exit(0);
}

static void hold_while_ending(const char *path, int ready_fd)
{
    struct lock lock;
    pthread_t thread;
    pid_t other;
    if (lock_acquire(path, &lock, &other) < 0 ||
        pthread_create(&thread, NULL, end_slowly, NULL) != 0 || write(ready_fd, "x", 1) != 1)
        _exit(1);
    pthread_exit(NULL);
}

static void a_holder_that_is_ending_is_waited_for(void **state)
{
#ifdef __SANITIZE_THREAD__
    skip(); /* it allows no thread in a child of a process that has more than one, its own counted
             */
#endif
    struct fixture *f = *state;
    struct lock lock;
    pid_t other;
    int ready[2], status;
    char byte, stat[64], line[256] = "";
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0)
        hold_while_ending(f->path, ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    snprintf(stat, sizeof(stat), "/proc/%d/stat", (int)pid);
    while (strstr(line, ") Z") == NULL) {
        FILE *file = fopen(stat, "r");
        assert_non_null(file);
        assert_non_null(fgets(line, sizeof(line), file));
        fclose(file);
    }
    assert_int_equal(lock_acquire(f->path, &lock, &other), 0);
    lock_release(&lock);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(ready[0]);
    close(ready[1]);
}

/* On our CPU, where it does not run as long as we do. */
static void pin_behind(pid_t pid)
{
    const struct sched_param idle = {.sched_priority = 0};
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    assert_int_equal(sched_setaffinity(pid, sizeof(one), &one), 0);
    assert_int_equal(sched_setscheduler(pid, SCHED_IDLE, &idle), 0);
}

/* Where others want the CPU, too, it would not run before our patience ends. */
static void *let_run(void *arg)
{
    const struct sched_param normal = {.sched_priority = 0};
    const struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};
    nanosleep(&pause, NULL);
    (void)sched_setscheduler(*(const pid_t *)arg, SCHED_OTHER, &normal);
    return NULL;
}

static void a_holder_that_has_just_been_killed_is_waited_for(void **state)
{
    struct fixture *f = *state;
    struct lock lock;
    cpu_set_t before;
    pid_t other;
    assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
    for (int i = 0; i < 5; i++) {
        struct holder holder = start_holder(f);
        pthread_t relief;
        pin_behind(holder.pid);
        assert_int_equal(pthread_create(&relief, NULL, let_run, &holder.pid), 0);
        kill(holder.pid, SIGKILL);
        int rc = lock_acquire(f->path, &lock, &other);
        assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
        pthread_join(relief, NULL);
        end_holder(&holder, SIGKILL);
        assert_int_equal(rc, 0);
        lock_release(&lock);
    }
}

/* What is released after a refusal closes nothing of somebody else's. */
static void a_refusal_holds_no_descriptor(void **state)
{
    struct fixture *f = *state;
    struct lock lock;
    pid_t pid;
    char inside[128];

    snprintf(inside, sizeof(inside), "%s/none/lock", f->directory);
    assert_int_equal(lock_acquire(inside, &lock, &pid), -ENOENT);
    assert_int_equal(lock.directory_fd, -1);
    assert_int_equal(lock.file_fd, -1);
    assert_int_equal(pid, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nobody_holds_what_is_not_there, setup, teardown),
        cmocka_unit_test_setup_teardown(the_second_is_refused_and_told_the_first, setup, teardown),
        cmocka_unit_test_setup_teardown(release_removes_the_file, setup, teardown),
        cmocka_unit_test_setup_teardown(a_killed_holder_leaves_a_lock_that_is_free, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_holder_that_is_ending_is_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(a_holder_that_has_just_been_killed_is_waited_for, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_refusal_holds_no_descriptor, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
