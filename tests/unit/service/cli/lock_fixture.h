/* SPDX-License-Identifier: MIT */
/* lock_fixture: a lock in a directory of its own, and another process that holds it. */
#ifndef SPLITDOM_TESTS_UNIT_SERVICE_CLI_LOCK_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_SERVICE_CLI_LOCK_FIXTURE_H

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
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

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    snprintf(f->directory, sizeof(f->directory), "/tmp/test_lock.XXXXXX");
    if (mkdtemp(f->directory) == NULL)
        return -1;
    snprintf(f->path, sizeof(f->path), "%s/lock", f->directory);
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;

    unlink(f->path);
    rmdir(f->directory);
    free(f);
    return 0;
}

static inline void hold(const char *path, int ready_fd, int release_fd)
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

static inline struct holder start_holder(const struct fixture *f)
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

static inline void end_holder(struct holder *holder, int signal_number)
{
    int status;

    if (signal_number != 0)
        kill(holder->pid, signal_number);
    close(holder->release_fd);
    assert_int_equal(waitpid(holder->pid, &status, 0), holder->pid);
    if (signal_number == 0)
        assert_int_equal(status, 0);
}

#endif
