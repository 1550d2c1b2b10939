/* SPDX-License-Identifier: MIT */
#include "client/client_trace.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/rundir.h"
#include "base/thread.h"
#include "trace/trace_json.h"
#include "trace/trace_session.h"
#include "trace/trace_table.h"

enum { PATIENCE_S = 10 };

struct client_trace {
    const char *path;
    FILE *out;
    struct trace_session *session;
    struct trace_set set;
    pthread_t thread;
    int end_fd; /* readable: the thread is to end */
    int rc;     /* of the thread */
    struct why why;
};

/* Returns false if the end has come. */
static bool pause_a_little(const struct client_trace *trace)
{
    const struct timespec pause = clock_timespec(trace_session_pause_ns(trace->session));
    struct pollfd end = {.fd = trace->end_fd, .events = POLLIN};
    return ppoll(&end, 1, &pause, NULL) <= 0;
}

/* Dom0's end is the workload's business: what it wrote down stays. The next one is not asked. */
static void *take(void *arg)
{
    struct client_trace *trace = arg;
    while (trace->rc == 0 && pause_a_little(trace))
        trace->rc = trace_session_take(trace->session, &trace->why);
    return NULL;
}

static int await_own_half(struct client_trace *trace, uint32_t domid, struct why *why)
{
    uint64_t limit_ns = clock_monotonic_ns() + PATIENCE_S * CLOCK_NS_PER_SEC;
    int rc = 0;
    while (rc == 0 && !trace_session_follows(trace->session, domid)) {
        if (clock_monotonic_ns() > limit_ns)
            return why_fail(why, -ETIMEDOUT, "Dom0 does not ask this domain to trace");
        (void)pause_a_little(trace);
        rc = trace_session_take(trace->session, why);
    }
    return rc;
}

static int begin(struct client_trace *trace, const struct client_options *options, uint32_t domid,
                 struct why *why)
{
    struct rundir rundir;
    int rc = rundir_resolve(options->rundir, options->name, false, &rundir, why->text,
                            sizeof(why->text));
    if (rc < 0)
        return rc;
    trace->end_fd = eventfd(0, EFD_CLOEXEC);
    if (trace->end_fd < 0)
        return why_fail_errno(why, -errno, "cannot make an eventfd");
    trace->out = fopen(trace->path, "we");
    if (trace->out == NULL)
        return why_fail_errno(why, -errno, "cannot create %s", trace->path);
    rc = trace_session_open(rundir.control_socket, domid, options->sample, &trace->set,
                            &trace->session, why);
    if (rc == 0)
        rc = await_own_half(trace, domid, why);
    if (rc < 0)
        return rc;
    rc = thread_start(&trace->thread, take, trace);
    return rc < 0 ? why_fail_errno(why, rc, "cannot start a thread") : 0;
}

static void free_trace(struct client_trace *trace)
{
    trace_session_drop(trace->session);
    if (trace->out != NULL)
        fclose(trace->out);
    if (trace->end_fd >= 0)
        close(trace->end_fd);
    free(trace);
}

int client_trace_start(const struct client_options *options, uint32_t domid,
                       struct client_trace **out, struct why *why)
{
    struct client_trace *trace = calloc(1, sizeof(*trace));
    *out = NULL;
    if (trace == NULL)
        return why_fail_errno(why, -ENOMEM, "cannot trace");
    trace->path = options->trace_path;
    trace->end_fd = -1;
    int rc = begin(trace, options, domid, why);
    if (rc < 0) {
        free_trace(trace);
        return rc;
    }
    *out = trace;
    return 0;
}

int client_trace_end(struct client_trace *trace, struct why *why)
{
    if (trace == NULL)
        return 0;
    (void)eventfd_write(trace->end_fd, 1);
    pthread_join(trace->thread, NULL);
    trace_session_close(trace->session);
    trace->session = NULL;
    if (trace->rc < 0)
        fprintf(stderr, "client: %s: what follows was written down until then\n", trace->why.text);
    int rc = trace_table_write(stderr, &trace->set);
    if (rc == 0)
        rc = trace_json_write(trace->out, &trace->set);
    if (rc == 0 && (fflush(trace->out) != 0 || ferror(trace->out) != 0))
        rc = errno != 0 ? -errno : -EIO;
    if (rc < 0)
        (void)why_fail_errno(why, rc, "cannot write %s", trace->path);
    trace_set_fini(&trace->set);
    free_trace(trace);
    return rc;
}
