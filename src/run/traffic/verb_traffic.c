/* SPDX-License-Identifier: MIT */
/*
 * traffic: sends frames out of an interface of a domain at a rate, receives, judges, sends back:
 * the network's workload.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/thread.h"
#include "run/traffic/traffic.h"
#include "run/verb.h"

enum { LOOK_MS = 10 };

/* With the lock. */
static bool all_returned(const struct traffic *traffic)
{
    bool all = true;
    for (uint32_t i = 0; i < traffic->queues; i++)
        all = all && traffic->returned[i].ended && traffic_stream_lost(&traffic->returned[i]) == 0;
    return all;
}

/* Has all come that is to come? */
static bool is_complete(struct traffic *traffic)
{
    const struct traffic_options *o = traffic->options;
    pthread_mutex_lock(&traffic->lock);
    bool complete =
        o->sends ? all_returned(traffic) : o->streams != 0 && traffic->ended_count >= o->streams;
    complete = complete || traffic->error != 0;
    pthread_mutex_unlock(&traffic->lock);
    return complete;
}

/* Until a signal, the deadline of the domain's clock (0: none), or the end of what was waited for.
 * Returns whether a signal came. */
static bool wait_for_end(struct traffic *traffic, uint64_t deadline_ns, bool for_complete)
{
    struct pollfd fds[2] = {{.fd = traffic->session->stop_fd, .events = POLLIN},
                            {.fd = traffic->changed_fd, .events = POLLIN}};
    eventfd_t count;
    for (;;) {
        if (for_complete && is_complete(traffic))
            return false;
        if (deadline_ns != 0 && domu_now_ns(traffic->session->domu) >= deadline_ns)
            return false;
        if (poll(fds, 2, deadline_ns != 0 ? LOOK_MS : -1) > 0 && fds[0].revents != 0)
            return true;
        (void)eventfd_read(traffic->changed_fd, &count);
    }
}

static uint64_t later_ns(const struct traffic *traffic, uint64_t ns)
{
    return domu_now_ns(traffic->session->domu) + ns;
}

static int work(struct traffic *traffic)
{
    const struct traffic_options *o = traffic->options;
    if (o->sends) {
        int rc = traffic_send(traffic);
        if (rc == 0)
            wait_for_end(traffic, later_ns(traffic, o->linger_ns), true);
        return rc;
    }
    bool stopped = wait_for_end(traffic, o->time_ns != 0 ? later_ns(traffic, o->time_ns) : 0, true);
    if (!stopped && o->time_ns == 0)
        wait_for_end(traffic, later_ns(traffic, o->linger_ns), false);
    return 0;
}

static void stop_receivers(struct traffic *traffic, struct traffic_receiver *receivers,
                           uint32_t count)
{
    pthread_mutex_lock(&traffic->lock);
    traffic->stops = true;
    pthread_mutex_unlock(&traffic->lock);
    netfront_interrupt(traffic->session->nf);
    for (uint32_t i = 0; i < count; i++)
        pthread_join(receivers[i].thread, NULL);
}

static int run_traffic(struct traffic *traffic, struct why *why)
{
    struct traffic_receiver receivers[TRAFFIC_QUEUES_MAX];
    uint32_t started = 0;
    int rc = 0;
    for (; started < traffic->queues && rc == 0; started += rc == 0) {
        receivers[started] = (struct traffic_receiver){.traffic = traffic, .queue = started};
        rc = thread_start(&receivers[started].thread, traffic_receive, &receivers[started]);
    }
    const bool failed = rc < 0;
    if (failed)
        why_fail_errno(why, rc, "cannot start a thread");
    else
        rc = work(traffic);
    stop_receivers(traffic, receivers, started);
    if (failed)
        return rc;
    if (rc == 0)
        rc = traffic->error;
    traffic_report(traffic);
    if (rc == -ENOTCONN || rc == -EPROTO)
        return why_fail(why, rc, "%s", netfront_failure(traffic->session->nf));
    return rc < 0 ? why_fail_errno(why, rc, "cannot send") : 0;
}

static int run(const struct traffic_options *options, struct why *why)
{
    struct vif_session session;
    struct traffic traffic;
    int rc = vif_session_open(&session, &options->vif, why);
    if (rc < 0)
        return rc;
    rc = traffic_init(&traffic, options, &session, why);
    if (rc == 0) {
        rc = run_traffic(&traffic, why);
        traffic_fini(&traffic);
    }
    vif_session_close(&session);
    if (rc == 0 && (fflush(stdout) != 0 || ferror(stdout)))
        rc = why_fail(why, -EIO, "cannot write to stdout");
    return rc;
}

static int traffic_main(int argc, char **argv)
{
    struct traffic_options options;
    struct why why = {""};

    if (traffic_options_parse(argc, argv, &options, &why) < 0)
        return verb_usage(&verb_traffic, &why);
    return verb_end(run(&options, &why), &why);
}

const struct domu_verb verb_traffic = {
    .name = "traffic",
    .arguments = "[--to MAC] [--echo] [options]",
    .help =
        "    sends and receives numbered frames, and reports what became of them\n" TRAFFIC_HELP,
    .main = traffic_main,
};
