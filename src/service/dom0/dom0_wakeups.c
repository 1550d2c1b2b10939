/* SPDX-License-Identifier: MIT */
#include "service/dom0/dom0_wakeups.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "service/dom0/dom0_private.h"
#include "service/dom0/domain_devices.h"
#include "service/dom0/idle.h"
#include "service/dom0/toolstack.h"

#define REFRESH_NODE "/local/domain/0/splitdom/image/refresh"

/* Requests only move the worker's last_request_ns; the timer catches up here, at most once a
 * time-out. */
static void on_idle(struct timer *timer, void *opaque)
{
    struct dom0 *d = opaque;
    uint64_t now_ns = tdf_clock_now_ns(&d->worker.clock);
    uint64_t claimed_reads = vdisks_claimed_reads(&d->vdisks);
    if (claimed_reads != d->claimed_reads) { /* some time since the last look */
        d->claimed_reads = claimed_reads;
        d->worker.last_request_ns = now_ns;
    }
    uint64_t end_ns = idle_end_ns(d->worker.last_request_ns, d->options->idle_timeout_ns);
    if (now_ns < end_ns) {
        timer_set(timer, end_ns);
    } else {
        d->stopping = true;
        d->stop_reason = "idle: no request for as long as --idle-timeout says";
    }
}

static void start_idle(struct dom0 *d)
{
    d->started_ns = d->worker.last_request_ns;
    d->started_real_ns = clock_monotonic_ns();
    uint64_t end_ns = idle_end_ns(d->started_ns, d->options->idle_timeout_ns);
    timer_init(&d->idle, &d->worker.own_time, on_idle, d);
    if (end_ns != IDLE_NEVER)
        timer_set(&d->idle, end_ns);
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
    if ((revents & POLLER_BROKEN) != 0)
        (void)poller_fail(d->worker.poller, -EIO, "the descriptor of signals");
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
    return poller_add(d->worker.poller, d->signal_fd, POLLIN, on_signal, d, &d->signal_watch);
}

int dom0_wakeups_create(struct dom0 *d)
{
    start_idle(d);
    return watch_signals(d);
}

/* Answers in the same node: 0, or why not. */
static void on_refresh(void *ctx, const char *path)
{
    struct dom0 *d = ctx;
    uint64_t wanted;
    struct why why;
    if (xs_local_read_u64(d->store, path, 1, &wanted) < 0 || wanted == 0)
        return;
    int rc = dom0_disks_resize(d, NULL, &why);
    (void)xs_local_write(d->store, path, rc < 0 ? why.text : "0");
}

int dom0_settings_create(struct dom0 *d)
{
    int rc = toolstack_tell_pid(d->store, DOM0_DOMID, getpid());
    if (rc == 0)
        rc = xs_local_write(d->store, REFRESH_NODE, "0");
    return rc < 0 ? rc : xs_local_watch(d->store, REFRESH_NODE, on_refresh, d, &d->refresh_watch);
}

void dom0_wakeups_destroy(struct dom0 *d)
{
    xs_local_unwatch(d->refresh_watch);
    poller_remove(d->worker.poller, d->signal_watch);
    if (d->signal_fd >= 0)
        close(d->signal_fd);
}

void dom0_reanchor_domains(void *ctx)
{
    struct dom0 *d = ctx;
    for (uint32_t domid = 1; domid <= d->options->max_domains; domid++) {
        if (d->domains[domid] == NULL || !domain_is_mapped(d->domains[domid]))
            continue;
        tdf_clock_reanchor(&d->domains[domid]->clock);
        domain_settings_trace_clock(d->domains[domid]);
    }
}
