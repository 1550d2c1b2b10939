/* SPDX-License-Identifier: MIT */
/*
 * stop: asks Dom0 to end, prints its totals, and waits until its process is gone. A Dom0 that does
 * not answer, or does not end, is killed.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <time.h>
#include <unistd.h>

#include "service/cli/control_client.h"
#include "service/cli/lock.h"
#include "service/cli/verb.h"

enum { STOP_TIMEOUT_MS = 10 * 1000, TERM_TIMEOUT_MS = 3 * 1000 };

/* The process that is to end. */
struct target {
    const struct rundir *rundir;
    pid_t pid; /* or LOCK_HOLDER_UNKNOWN: of another pid namespace, or the lock's file is gone */
    int fd;    /* a descriptor of it, or -1 */
};

/*
 * Finds the holder of the lock and, where the system allows it, a descriptor of its process. A pid
 * may be reused, so the holder is looked up again after the descriptor was opened: if it is still
 * the same pid, the descriptor is the holder's. Without a descriptor (an old kernel, a container
 * that forbids the call) the lock tells whether the holder has ended. False: nobody holds the lock.
 */
static bool find_target(const struct rundir *rundir, struct target *target)
{
    pid_t again;

    *target = (struct target){.rundir = rundir, .fd = -1};
    while (verb_is_running(rundir, &target->pid)) {
        if (target->pid < 0)
            return true;
        int fd = pidfd_open(target->pid, 0);
        if (fd < 0 && errno != ESRCH)
            return true;
        if (verb_is_running(rundir, &again) && again == target->pid && fd >= 0) {
            target->fd = fd;
            return true;
        }
        if (fd >= 0)
            close(fd);
    }
    return false;
}

/* Waits for the end of the process by its lock, which ends with it. Checks every PAUSE_MS. */
static bool wait_lock(const struct rundir *rundir, int timeout_ms)
{
    enum { PAUSE_MS = 10 };
    struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    for (int left_ms = timeout_ms; verb_is_running(rundir, NULL); left_ms -= PAUSE_MS) {
        if (left_ms <= 0)
            return false;
        (void)nanosleep(&pause, NULL);
    }
    return true;
}

static bool wait_end(const struct target *target, int timeout_ms)
{
    struct pollfd wait = {.fd = target->fd, .events = POLLIN};
    int count;

    if (target->fd < 0)
        return wait_lock(target->rundir, timeout_ms);
    do
        count = poll(&wait, 1, timeout_ms);
    while (count < 0 && errno == EINTR);
    return count > 0;
}

/* Removes what a killed Dom0 could not remove itself. */
static void remove_remains(const struct rundir *rundir)
{
    struct lock lock;
    pid_t holder;

    if (lock_acquire(rundir->lock, &lock, &holder) < 0)
        return; /* a new service has started and cleans up, or cleaning up is impossible here */
    unlink(rundir->control_socket); /* we hold the lock, so nobody uses them */
    unlink(rundir->store_socket);
    lock_release(&lock);
}

/* A pid without a descriptor is used only if it is still the holder of the lock. */
static int send_signal(const struct target *target, int number)
{
    pid_t again;

    if (target->fd >= 0)
        return pidfd_send_signal(target->fd, number, NULL, 0) != 0 ? -errno : 0;
    if (!verb_is_running(target->rundir, &again))
        return -ESRCH;
    if (again != target->pid || again <= 0)
        return -EPERM;
    return kill(again, number) != 0 ? -errno : 0;
}

static int kill_target(const struct target *target)
{
    if (target->pid <= 0) {
        fprintf(stderr,
                "service: its process cannot be found from here (another pid namespace, or %s was "
                "removed): kill it where it runs\n",
                target->rundir->lock);
        return VERB_FAILED;
    }
    /* One whose socket is gone still hears a signal, and ends in order. */
    if (send_signal(target, SIGTERM) == 0 && wait_end(target, TERM_TIMEOUT_MS)) {
        fprintf(stderr, "service: the process %ld ended at SIGTERM; its totals are in %s\n",
                (long)target->pid, target->rundir->log);
        return VERB_FAILED;
    }
    int rc = send_signal(target, SIGKILL);
    if (rc < 0 && rc != -ESRCH) {
        fprintf(stderr, "service: cannot kill the process %ld: %s\n", (long)target->pid,
                strerror(-rc));
        return VERB_FAILED;
    }
    if (!wait_end(target, STOP_TIMEOUT_MS)) {
        fprintf(stderr, "service: the process %ld does not end, although it was killed\n",
                (long)target->pid);
        return VERB_FAILED;
    }
    fprintf(stderr, "service: the process %ld had to be killed\n", (long)target->pid);
    remove_remains(target->rundir);
    return VERB_FAILED;
}

static int print_farewell(const struct rundir *rundir, const char *text, size_t text_bytes)
{
    if (text_bytes == 0)
        fprintf(stderr, "service: it ends, but could not write its totals down; see %s\n",
                rundir->log);
    fwrite(text, 1, text_bytes, stdout);
    if (text_bytes > 0 && text[text_bytes - 1] != '\n')
        putchar('\n');
    return verb_end_output();
}

/* It does not listen yet, or not any more, or has hung up as it ended. */
static bool is_on_its_way(int rc)
{
    return rc == -ENOENT || rc == -ECONNREFUSED || rc == -ECONNRESET || rc == -ENOTCONN ||
           rc == -EPIPE;
}

/* A Dom0 that is about to serve, or to end, is not at fault: it is asked again until it answers, or
 * has ended. */
static int ask_to_stop(const struct target *target, char **text, size_t *text_bytes,
                       struct why *why)
{
    enum { PAUSE_MS = 20 };
    const char *path = target->rundir->control_socket;
    int left_ms = STOP_TIMEOUT_MS;
    int rc = control_client_ask(path, CONTROL_STOP, text, text_bytes, why);
    while (is_on_its_way(rc) && left_ms > 0 && !wait_end(target, PAUSE_MS)) {
        left_ms -= PAUSE_MS;
        rc = control_client_ask(path, CONTROL_STOP, text, text_bytes, why);
    }
    return rc;
}

static int stop_target(const struct target *target)
{
    struct why why;
    char *text;
    size_t text_bytes;
    int rc = ask_to_stop(target, &text, &text_bytes, &why);
    int status = VERB_OK;

    if (rc == 0) {
        status = print_farewell(target->rundir, text, text_bytes);
        free(text);
    } else if (!wait_end(target, 0)) {
        fprintf(stderr, "service: %s\n", why.text);
        return kill_target(target);
    } else {
        fprintf(stderr, "service: it ended by itself meanwhile; its totals are in %s\n",
                target->rundir->log);
    }
    if (!wait_end(target, STOP_TIMEOUT_MS)) {
        fprintf(stderr, "service: it has said goodbye, but does not go\n");
        return kill_target(target);
    }
    return status;
}

int verb_stop(const struct rundir *rundir)
{
    struct target target;

    if (!find_target(rundir, &target)) {
        remove_remains(rundir);
        return verb_not_running(rundir);
    }
    int status = stop_target(&target);
    if (target.fd >= 0)
        close(target.fd);
    return status;
}
