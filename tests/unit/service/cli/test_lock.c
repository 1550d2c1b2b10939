/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "service/cli/lock.h"

struct fixture {
    char directory[64];
    char path[96];
};

/* Another process that holds the lock until it is told, or killed. */
struct holder {
    pid_t pid;
    int release_fd;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    snprintf(f->directory, sizeof(f->directory), "/tmp/test_lock.XXXXXX");
    if (mkdtemp(f->directory) == NULL)
        return -1;
    snprintf(f->path, sizeof(f->path), "%s/lock", f->directory);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    unlink(f->path);
    rmdir(f->directory);
    free(f);
    return 0;
}

static void hold(const char *path, int ready_fd, int release_fd)
{
    struct lock lock;
    pid_t other;
    char byte;
    int rc = lock_acquire(path, &lock, &other);

    if (rc < 0 || write(ready_fd, "x", 1) != 1)
        _exit(1);
    if (read(release_fd, &byte, 1) < 0)
        _exit(2);
    lock_release(&lock);
    _exit(0);
}

static struct holder start_holder(const struct fixture *f)
{
    struct holder holder;
    int ready[2], release[2];
    char byte;

    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    assert_int_equal(pipe2(release, O_CLOEXEC), 0);
    holder.pid = fork();
    assert_true(holder.pid >= 0);
    if (holder.pid == 0) {
        close(release[1]);
        hold(f->path, ready[1], release[0]);
    }
    close(ready[1]);
    close(release[0]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    holder.release_fd = release[1];
    return holder;
}

static void end_holder(struct holder *holder, int signal_number)
{
    int status;

    if (signal_number != 0)
        kill(holder->pid, signal_number);
    close(holder->release_fd);
    assert_int_equal(waitpid(holder->pid, &status, 0), holder->pid);
    if (signal_number == 0)
        assert_int_equal(status, 0);
}

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
        assert_int_equal(pthread_create(&relief, NULL, let_run, &holder.pid), 0);
        pin_behind(holder.pid);
        kill(holder.pid, SIGKILL);
        int rc = lock_acquire(f->path, &lock, &other);
        assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
        pthread_join(relief, NULL);
        end_holder(&holder, SIGKILL);
        assert_int_equal(rc, 0);
        lock_release(&lock);
    }
}

static void refuses_a_symbolic_link(void **state)
{
    struct fixture *f = *state;
    struct lock lock;
    pid_t pid;

    assert_int_equal(symlink("/tmp/elsewhere", f->path), 0);
    assert_int_equal(lock_acquire(f->path, &lock, &pid), -ELOOP);
    assert_int_equal(lock_holder(f->path, &pid), -ELOOP);
}

static void nobody_holds_the_lock_of_a_directory_that_is_not_there(void **state)
{
    struct fixture *f = *state;
    char path[128];
    pid_t pid = 7;

    snprintf(path, sizeof(path), "%s/none/lock", f->directory);
    assert_int_equal(lock_holder(path, &pid), 0);
    assert_int_equal(pid, 0);
}

/* A cleaner of temporary files removes the file of a holder that lives. */
static void a_removed_file_frees_nothing(void **state)
{
    struct fixture *f = *state;
    struct holder holder = start_holder(f);
    struct lock lock;
    pid_t pid;

    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(lock_holder(f->path, &pid), 0);
    assert_int_equal(pid, LOCK_HOLDER_UNKNOWN);
    assert_int_equal(lock_acquire(f->path, &lock, &pid), -EAGAIN);
    assert_int_equal(pid, LOCK_HOLDER_UNKNOWN);
    end_holder(&holder, 0);
    assert_int_equal(lock_acquire(f->path, &lock, &pid), 0);
    lock_release(&lock);
}

static void the_holder_makes_a_removed_file_anew(void **state)
{
    struct fixture *f = *state;
    struct lock lock;
    pid_t pid;

    assert_int_equal(lock_acquire(f->path, &lock, &pid), 0);
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(lock_restore(&lock), 0);
    assert_int_equal(access(f->path, F_OK), 0);
    assert_int_equal(lock_restore(&lock), 0);
    lock_release(&lock);
    assert_int_equal(access(f->path, F_OK), -1);
}

static void a_directory_that_took_the_name_is_left_alone(void **state)
{
    struct fixture *f = *state;
    struct lock lock;
    char moved[96];
    pid_t pid;

    snprintf(moved, sizeof(moved), "%s.moved", f->directory);
    assert_int_equal(lock_acquire(f->path, &lock, &pid), 0);
    assert_int_equal(rename(f->directory, moved), 0);
    assert_int_equal(lock_restore(&lock), -ESTALE);
    assert_int_equal(mkdir(f->directory, 0700), 0);
    assert_int_equal(lock_restore(&lock), -ESTALE);
    assert_int_equal(access(f->path, F_OK), -1);
    assert_int_equal(rmdir(f->directory), 0);
    assert_int_equal(rename(moved, f->directory), 0);
    assert_int_equal(lock_restore(&lock), 0);
    lock_release(&lock);
}

static void release_spares_a_file_of_somebody_else(void **state)
{
    struct fixture *f = *state;
    struct lock lock;
    pid_t pid;
    int fd;

    assert_int_equal(lock_acquire(f->path, &lock, &pid), 0);
    assert_int_equal(unlink(f->path), 0);
    fd = open(f->path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    lock_release(&lock);
    assert_int_equal(access(f->path, F_OK), 0);
    close(fd);
}

/* The lock of a file that was removed meanwhile is no lock: many processes take and release it as
 * fast as they can, and at no time two of them may be inside. */
static void contend(const struct fixture *f, const char *inside)
{
    struct lock lock;
    pid_t pid;

    for (int i = 0; i < 2000; i++) {
        int rc = lock_acquire(f->path, &lock, &pid);
        if (rc == -EAGAIN)
            continue;
        if (rc < 0)
            _exit(1);
        const int alone = open(inside, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
        if (alone < 0)
            _exit(2);
        close(alone);
        unlink(inside);
        lock_release(&lock);
    }
    _exit(0);
}

static void two_never_hold_it(void **state)
{
    struct fixture *f = *state;
    pid_t children[3];
    char inside[128];

    snprintf(inside, sizeof(inside), "%s/inside", f->directory);
    for (int i = 0; i < 3; i++) {
        children[i] = fork();
        if (children[i] == 0)
            contend(f, inside);
    }
    for (int i = 0; i < 3; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
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
        cmocka_unit_test_setup_teardown(refuses_a_symbolic_link, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_holds_the_lock_of_a_directory_that_is_not_there,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_removed_file_frees_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(the_holder_makes_a_removed_file_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(a_directory_that_took_the_name_is_left_alone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(release_spares_a_file_of_somebody_else, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refusal_holds_no_descriptor, setup, teardown),
        cmocka_unit_test_setup_teardown(two_never_hold_it, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
