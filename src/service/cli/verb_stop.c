/* SPDX-License-Identifier: MIT */
/*
 * stop: asks Dom0 to end, prints its farewell, and waits until its process is gone. One that does
 * not answer, or does not go, is killed.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "service/cli/control_client.h"
#include "service/cli/lock.h"
#include "service/cli/verb.h"

enum { STOP_TIMEOUT_MS = 10 * 1000 };

/*
 * A descriptor of the process that holds the lock. A pid may be reused, so the holder is asked for
 * again once the descriptor is there: if it is still the same, the descriptor is the holder's.
 * Returns -ESRCH if nobody holds the lock.
 */
static int open_holder(const struct rundir *rundir, pid_t *holder)
{
    pid_t again;

    while (verb_is_running(rundir, holder)) {
        if (*holder < 0)
            return -EXDEV;
        const int fd = pidfd_open(*holder, 0);
        if (fd < 0 && errno != ESRCH)
            return -errno;
        if (verb_is_running(rundir, &again) && again == *holder && fd >= 0)
            return fd;
        if (fd >= 0)
            close(fd);
    }
    return -ESRCH;
}

static bool wait_end(int pidfd, int timeout_ms)
{
    struct pollfd wait = {.fd = pidfd, .events = POLLIN};
    int count;

    do
        count = poll(&wait, 1, timeout_ms);
    while (count < 0 && errno == EINTR);
    return count > 0;
}

/* What a Dom0 that was killed could not take away itself. */
static void remove_remains(const struct rundir *rundir)
{
    pid_t holder;
    const int fd = lock_acquire(rundir->lock, &holder);

    if (fd < 0)
        return; /* a new service has started, or nothing can be done here: it will clear up */
    unlink(rundir->control_socket);
    unlink(rundir->store_socket);
    lock_release(rundir->lock, fd);
}

static int kill_holder(const struct rundir *rundir, int pidfd, pid_t holder)
{
    if (pidfd_send_signal(pidfd, SIGKILL, NULL, 0) != 0 && errno != ESRCH) {
        fprintf(stderr, "service: cannot kill the process %ld: %s\n", (long)holder,
                strerrordesc_np(errno));
        return VERB_FAILED;
    }
    if (!wait_end(pidfd, STOP_TIMEOUT_MS)) {
        fprintf(stderr, "service: the process %ld does not end, although it was killed\n",
                (long)holder);
        return VERB_FAILED;
    }
    fprintf(stderr, "service: the process %ld had to be killed\n", (long)holder);
    remove_remains(rundir);
    return VERB_FAILED;
}

static int print_farewell(const char *text, size_t text_bytes)
{
    fwrite(text, 1, text_bytes, stdout);
    if (text_bytes > 0 && text[text_bytes - 1] != '\n')
        putchar('\n');
    if (fflush(stdout) == 0)
        return VERB_OK;
    fprintf(stderr, "service: cannot write to stdout: %s\n", strerrordesc_np(errno));
    return VERB_FAILED;
}

static int stop_holder(const struct rundir *rundir, int pidfd, pid_t holder)
{
    char why[256], *text;
    size_t text_bytes;
    const int rc = control_client_ask(rundir->control_socket, CONTROL_STOP, &text, &text_bytes, why,
                                      sizeof(why));
    int status = VERB_OK;

    if (rc == 0) {
        status = print_farewell(text, text_bytes);
        free(text);
    } else if (!wait_end(pidfd, 0)) {
        fprintf(stderr, "service: %s\n", why);
        return kill_holder(rundir, pidfd, holder);
    } else {
        fprintf(stderr, "service: it ended by itself meanwhile; its totals are in %s\n",
                rundir->log);
    }
    if (!wait_end(pidfd, STOP_TIMEOUT_MS)) {
        fprintf(stderr, "service: the process %ld has said goodbye, but does not go\n",
                (long)holder);
        return kill_holder(rundir, pidfd, holder);
    }
    return status;
}

int verb_stop(const struct rundir *rundir)
{
    pid_t holder;
    const int pidfd = open_holder(rundir, &holder);
    int status;

    if (pidfd == -ESRCH) {
        remove_remains(rundir);
        return verb_not_running(rundir);
    }
    if (pidfd < 0) {
        fprintf(stderr, "service: cannot watch the service's process%s: %s\n",
                pidfd == -EXDEV ? ", it is in another pid namespace" : "", strerrordesc_np(-pidfd));
        return VERB_FAILED;
    }
    status = stop_holder(rundir, pidfd, holder);
    close(pidfd);
    return status;
}
