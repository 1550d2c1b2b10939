/* SPDX-License-Identifier: MIT */
/* verb_trace: where requests spend their time: Dom0 and its domains write it down for a while. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "service/cli/verb.h"
#include "trace/trace_json.h"
#include "trace/trace_session.h"
#include "trace/trace_table.h"

enum { TAKE_EVERY_NS = 10000000 };

/* SIGINT and SIGTERM end the trace, and not the verb. */
static void block_ending_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigprocmask(SIG_BLOCK, set, NULL);
}

/* Until the time is over, there are as many as a trace holds, Dom0 ends, or somebody ends us. */
static int take(struct trace_session *session, const struct trace_set *set, uint64_t end_ns,
                struct why *why)
{
    const struct timespec pause = {.tv_nsec = TAKE_EVERY_NS};
    sigset_t ending;
    block_ending_signals(&ending);
    int rc = 0;
    while (rc == 0 && clock_monotonic_ns() < end_ns && set->beyond == 0 &&
           sigtimedwait(&ending, NULL, &pause) < 0)
        rc = trace_session_take(session, why);
    return rc == -ESHUTDOWN ? 0 : rc;
}

static int write_json(const char *path, const struct trace_set *set, struct why *why)
{
    FILE *out = fopen(path, "we");
    if (out == NULL)
        return why_fail_errno(why, -errno, "cannot create %s", path);
    int rc = trace_json_write(out, set);
    if (rc == 0 && (fflush(out) != 0 || ferror(out) != 0))
        rc = errno != 0 ? -errno : -EIO;
    fclose(out);
    return rc < 0 ? why_fail_errno(why, rc, "cannot write %s", path) : 0;
}

static int trace(const struct rundir *rundir, const struct service_options *options,
                 struct why *why)
{
    struct trace_session *session;
    struct trace_set set;
    uint64_t end_ns = clock_monotonic_ns() + options->seconds_ms * 1000000;
    int rc = trace_session_open(rundir->control_socket, options->domid, options->sample, &set,
                                &session, why);
    if (rc < 0)
        return rc;
    fprintf(stderr, "service: tracing for %g s; ctrl-C ends it sooner\n",
            (double)options->seconds_ms / 1e3);
    rc = take(session, &set, end_ns, why);
    if (rc < 0) {
        trace_session_drop(session);
        return rc;
    }
    trace_session_close(session);
    rc = trace_table_write(stdout, &set);
    if (rc < 0)
        (void)why_fail_errno(why, rc, "cannot print the stages");
    else if (options->value != NULL)
        rc = write_json(options->value, &set, why);
    trace_set_fini(&set);
    return rc;
}

int verb_trace(const struct rundir *rundir, const struct service_options *options)
{
    struct why why;
    if (!verb_is_running(rundir, NULL))
        return verb_not_running(rundir);
    if (trace(rundir, options, &why) == 0)
        return verb_end_output();
    fprintf(stderr, "service: %s\n", why.text);
    return VERB_FAILED;
}
