/* SPDX-License-Identifier: MIT */
#include "service/dom0/dom0_wakeups.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "service/dom0/dom0_private.h"
#include "service/dom0/domain_devices.h"
#include "service/dom0/idle.h"

/* A host mostly wakes a sleeper this late: what a disk holds back is watched for that long. */
enum { HOLD_LEAD_NS = 50000 };

#define REFRESH_NODE "/local/domain/0/splitdom/image/refresh"

static int set_timer(struct dom0 *d, uint64_t deadline_ns)
{
    struct itimerspec when = {.it_value = clock_timespec(deadline_ns)};
    return timerfd_settime(d->timer_fd, TFD_TIMER_ABSTIME, &when, NULL) < 0 ? -errno : 0;
}

void dom0_wake_at(struct dom0 *d, uint64_t deadline_ns)
{
    (void)set_timer(d, deadline_ns); /* fails only for a bad descriptor or a bad time */
}

int dom0_wakeups_arm(struct dom0 *d, bool *is_near)
{
    *is_near = timers_near(&d->timers);
    return *is_near ? 0 : timers_arm(&d->timers, d->timer_fd);
}

void dom0_time_passed(struct dom0 *d)
{
    (void)timers_run(&d->timers);
}

/* Requests only move last_request_ns; the timer catches up here, at most once a time-out. */
static void on_idle(struct timer *timer, void *opaque)
{
    struct dom0 *d = opaque;
    uint64_t end_ns = idle_end_ns(d->last_request_ns, d->options->idle_timeout_ns);
    if (tdf_clock_now_ns(&d->clock) < end_ns) {
        timer_set(timer, end_ns);
    } else {
        d->stopping = true;
        d->stop_reason = "idle: no request for as long as --idle-timeout says";
    }
}

/* Nothing to do but to wake up: the turn looks at the gate. */
static void on_gate_opens(struct timer *timer, void *opaque)
{
    (void)timer;
    (void)opaque;
}

void dom0_work_waits(struct dom0 *d, struct gated_work *work, uint64_t now_ns)
{
    if (work->opens.state != TIMER_STOPPED)
        return;
    uint64_t rest_ns = work->gate.closed_until_ns - now_ns;
    timer_set(&work->opens, tdf_clock_now_ns(&d->hold_clock) + rest_ns);
}

static int start_clocks(struct dom0 *d)
{
    if (d->time_source == NULL) {
        tdf_source_real(&d->real_time);
        d->time_source = &d->real_time;
    }
    int rc = tdf_clock_init(&d->clock, d->time_source, NULL, 0, d->tdf);
    if (rc == 0)
        rc = tdf_clock_init(&d->hold_clock, d->time_source, NULL, 0, (struct tdf){1, 1});
    if (rc < 0)
        return rc;
    timers_init(&d->timers);
    timers_add_clock(&d->timers, &d->own_time, &d->clock);
    timers_add_clock(&d->timers, &d->hold_time, &d->hold_clock);
    timer_clock_set_lead(&d->hold_time, HOLD_LEAD_NS);
    timers_add_clock(&d->timers, &d->gate_time, &d->hold_clock);
    d->started_ns = d->last_request_ns = tdf_clock_now_ns(&d->clock);
    timer_init(&d->store_work.opens, &d->gate_time, on_gate_opens, d);
    timer_init(&d->control_work.opens, &d->gate_time, on_gate_opens, d);
    timer_init(&d->idle, &d->own_time, on_idle, d);
    uint64_t end_ns = idle_end_ns(d->last_request_ns, d->options->idle_timeout_ns);
    if (end_ns != IDLE_NEVER)
        timer_set(&d->idle, end_ns);
    return 0;
}

static void on_timer(void *ctx, uint32_t revents)
{
    struct dom0 *d = ctx;
    uint64_t expirations;
    (void)revents;
    /* What is due runs with the loop's turn. */
    (void)!read(d->timer_fd, &expirations, sizeof(expirations));
}

/* Each ends Dom0 in order: totals to the log, sockets removed. */
static const struct {
    int number;
    const char *name;
} ending[] = {{SIGTERM, "SIGTERM"}, {SIGINT, "SIGINT"}, {SIGHUP, "SIGHUP"}, {SIGQUIT, "SIGQUIT"}};

static void on_signal(void *ctx, uint32_t revents)
{
    struct dom0 *d = ctx;
    struct signalfd_siginfo info;
    (void)revents;
    while (read(d->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        d->stopping = true;
        for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++) {
            if ((int)info.ssi_signo == ending[i].number)
                d->stop_reason = ending[i].name;
        }
    }
}

static int watch_signals(struct dom0 *d)
{
    sigset_t mask;
    sigemptyset(&mask);
    for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++) {
        struct sigaction action;
        /* What the caller had us ignore, as nohup does with SIGHUP, stays so. */
        if (sigaction(ending[i].number, NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            sigaddset(&mask, ending[i].number);
    }
    if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
        return -errno;
    d->signal_fd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
    if (d->signal_fd < 0)
        return -errno;
    return poller_add(d->poller, d->signal_fd, POLLIN, on_signal, d, &d->signal_watch);
}

int dom0_wakeups_create(struct dom0 *d)
{
    int rc = start_clocks(d);
    if (rc < 0)
        return rc;
    d->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (d->timer_fd < 0)
        return -errno;
    rc = poller_add(d->poller, d->timer_fd, POLLIN, on_timer, d, &d->timer_watch);
    if (rc == 0)
        rc = watch_signals(d);
    return rc;
}

static void on_refresh(void *ctx, const char *path)
{
    struct dom0 *d = ctx;
    uint64_t wanted;
    if (xs_local_read_u64(d->store, path, 1, &wanted) < 0 || wanted == 0)
        return;
    uint64_t before = d->vdisk->image.size_bytes;
    int rc = image_refresh(&d->vdisk->image);
    (void)xs_local_write(d->store, path, "0");
    if (rc < 0) {
        log_limited(d->log, &d->image_log_limit, "the image's new size is refused: %s",
                    strerror(-rc));
        return;
    }
    if (d->vdisk->image.size_bytes == before)
        return;
    log_limited(d->log, &d->image_log_limit, "the image has %llu bytes now",
                (unsigned long long)d->vdisk->image.size_bytes);
    vdisk_image_changed(d->vdisk);
    for (uint32_t domid = 1; domid <= d->options->max_domains; domid++) {
        if (d->domains[domid] != NULL)
            domain_resize_devices(d->domains[domid]);
    }
}

int dom0_settings_create(struct dom0 *d)
{
    int rc = xs_local_write(d->store, REFRESH_NODE, "0");
    return rc < 0 ? rc : xs_local_watch(d->store, REFRESH_NODE, on_refresh, d, &d->refresh_watch);
}

void dom0_wakeups_destroy(struct dom0 *d)
{
    xs_local_unwatch(d->refresh_watch);
    if (d->signal_watch != NULL)
        poller_remove(d->poller, d->signal_watch);
    if (d->timer_watch != NULL)
        poller_remove(d->poller, d->timer_watch);
    if (d->signal_fd >= 0)
        close(d->signal_fd);
    if (d->timer_fd >= 0)
        close(d->timer_fd);
}

void dom0_reanchor_clocks(struct dom0 *d, uint64_t now_ns)
{
    if (now_ns - d->reanchored_ns < TDF_REANCHOR_NS)
        return;
    d->reanchored_ns = now_ns;
    tdf_clock_reanchor(&d->clock);
    tdf_clock_reanchor(&d->hold_clock);
    for (uint32_t domid = 1; domid <= d->options->max_domains; domid++) {
        if (d->domains[domid] != NULL && domain_is_mapped(d->domains[domid]))
            tdf_clock_reanchor(&d->domains[domid]->clock);
    }
}
