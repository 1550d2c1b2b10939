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
    sigset_t ending;
    block_ending_signals(&ending);
    int rc = 0;
    for (uint64_t now_ns;
         rc == 0 && set->beyond == 0 && (now_ns = clock_monotonic_ns()) < end_ns;) {
        uint64_t pause_ns = trace_session_pause_ns(session);
        const struct timespec pause =
            clock_timespec(pause_ns < end_ns - now_ns ? pause_ns : end_ns - now_ns);
        if (sigtimedwait(&ending, NULL, &pause) >= 0)
            break;
        rc = trace_session_take(session, why);
    }
    return rc;
}

/* path: "-" is stdout; NULL: nothing is wanted. Opened before there is anything to lose. */
static int open_json(const char *path, FILE **out, struct why *why)
{
    *out = path == NULL ? NULL : strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
    return path != NULL && *out == NULL ? why_fail_errno(why, -errno, "cannot create '%s'", path)
                                        : 0;
}

static int close_json(FILE *out)
{
    return out != NULL && out != stdout && fclose(out) != 0 ? -errno : 0;
}

static int write_out(const char *path, FILE *out, const struct trace_set *set, struct why *why)
{
    int rc = trace_table_write(out == stdout ? stderr : stdout, set);
    if (rc < 0)
        return why_fail_errno(why, rc, "cannot print the stages");
    if (out == NULL)
        return 0;
    rc = trace_json_write(out, set);
    if (rc == 0 && (fflush(out) != 0 || ferror(out) != 0))
        rc = errno != 0 ? -errno : -EIO;
    return rc < 0 ? why_fail_errno(why, rc, "cannot write '%s'", path) : 0;
}

static int trace_to(const struct rundir *rundir, const struct service_options *options, FILE *out,
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
    if (rc < 0 && rc != -ESHUTDOWN) {
        trace_session_drop(session);
        return rc;
    }
    trace_session_close(session);
    int write_rc = write_out(options->value, out, &set, why);
    trace_set_fini(&set);
    return rc == -ESHUTDOWN && write_rc == 0
               ? why_fail(why, rc, "Dom0 ended meanwhile: this is what was written down until then")
               : write_rc;
}

static int trace(const struct rundir *rundir, const struct service_options *options,
                 struct why *why)
{
    FILE *out;
    int rc = open_json(options->value, &out, why);
    if (rc < 0)
        return rc;
    rc = trace_to(rundir, options, out, why);
    int close_rc = close_json(out);
    return rc == 0 && close_rc < 0
               ? why_fail_errno(why, close_rc, "cannot write '%s'", options->value)
               : rc;
}

int verb_trace(const struct rundir *rundir, const struct service_options *options)
{
    struct why why;
    if (trace(rundir, options, &why) == 0)
        return verb_end_output();
    fprintf(stderr, "service: %s\n", why.text);
    return VERB_FAILED;
}
