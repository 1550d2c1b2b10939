/* SPDX-License-Identifier: MIT */
#include "service/cli/verb.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/why.h"
#include "service/cli/lock.h"
#include "service/cli/store_client.h"

int verb_not_running(const struct rundir *rundir)
{
    struct why why;
    rundir_explain_absence(rundir, why.text, sizeof(why.text));
    fprintf(stderr, "service: %s\n", why.text);
    return VERB_NOT_RUNNING;
}

int verb_end_output(void)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return VERB_OK;
    fprintf(stderr, "service: cannot write to stdout: %s\n", strerror(errno));
    return VERB_FAILED;
}

bool verb_is_running(const struct rundir *rundir, pid_t *holder)
{
    pid_t pid;
    int rc = lock_holder(rundir->lock, &pid);

    if (rc < 0)
        fprintf(stderr, "service: cannot ask for the lock %s: %s\n", rundir->lock, strerror(-rc));
    if (holder != NULL)
        *holder = pid;
    return rc == 0 && pid != 0;
}

int verb_open_store(const struct rundir *rundir, struct store_client **out)
{
    int rc = store_client_open(rundir->store_socket, out);
    if (rc < 0)
        fprintf(stderr, "service: cannot connect to %s: %s\n", rundir->store_socket, strerror(-rc));
    return rc < 0 ? VERB_FAILED : VERB_OK;
}

int verb_print_store(const struct rundir *rundir, const struct service_options *options,
                     const char *what, verb_print *print)
{
    struct store_client *client;
    int rc = store_client_open(rundir->store_socket, &client);
    if (rc == 0) {
        rc = print(client, options);
        store_client_close(client);
    }
    if (rc == 0)
        return verb_end_output();
    if (rc == -ENOENT && options->domid != 0)
        fprintf(stderr, "service: there is no domain %" PRIu32 ": see 'service list'\n",
                options->domid);
    else
        fprintf(stderr, "service: cannot list %s by %s: %s\n", what, rundir->store_socket,
                strerror(-rc));
    return VERB_FAILED;
}

static bool is_absent(const char *path)
{
    return access(path, F_OK) != 0 && errno == ENOENT;
}

void verb_await_start(const struct rundir *rundir)
{
    enum { PAUSE_MS = 20, PATIENCE_MS = 10 * 1000 };
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    for (int left_ms = PATIENCE_MS;
         left_ms > 0 && (is_absent(rundir->control_socket) || is_absent(rundir->store_socket)) &&
         verb_is_running(rundir, NULL);
         left_ms -= PAUSE_MS)
        (void)nanosleep(&pause, NULL);
}
