/* SPDX-License-Identifier: MIT */
#include "service/loop/doorbell.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"

int doorbell_create(struct doorbell *bell, struct poller *poller, const struct doorbell_ops *ops,
                    void *ctx)
{
    *bell = DOORBELL_CLOSED;
    bell->poller = poller;
    bell->ops = ops;
    bell->ctx = ctx;
    bell->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return bell->fd < 0 ? -errno : 0;
}

static int set_timer(struct doorbell *bell, long period_ns)
{
    struct itimerspec when = {.it_value = {.tv_nsec = period_ns},
                              .it_interval = {.tv_nsec = period_ns}};
    return timerfd_settime(bell->timer_fd, 0, &when, NULL) < 0 ? -errno : 0;
}

static void unwatch(struct doorbell *bell)
{
    poller_remove(bell->poller, bell->watch);
    poller_remove(bell->poller, bell->timer_watch);
    bell->watch = bell->timer_watch = NULL;
}

/* An eventfd has an error when its count is full, which no plain write does. */
static void fail(struct doorbell *bell)
{
    unwatch(bell);
    bell->ops->failed(bell->ctx);
}

static void on_timer(void *ctx, uint32_t revents)
{
    struct doorbell *bell = ctx;
    uint64_t expirations;
    if ((revents & POLLER_BROKEN) != 0) {
        fail(bell);
        return;
    }
    (void)!read(bell->timer_fd, &expirations, sizeof(expirations));
    if (bell->looks_left == 0)
        return;
    bell->ops->rang(bell->ctx);
    if (--bell->looks_left > 0)
        return;
    if (doorbell_watch(bell) < 0)
        bell->looks_left = 1; /* out of memory: the timer goes on looking */
    else
        (void)set_timer(bell, 0);
}

/* Errors: -errno; then the doorbell simply stays watched. */
static int start_timer(struct doorbell *bell)
{
    if (bell->timer_fd < 0) {
        bell->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
        if (bell->timer_fd < 0)
            return -errno;
    }
    if (bell->timer_watch == NULL) {
        int rc =
            poller_add(bell->poller, bell->timer_fd, POLLIN, on_timer, bell, &bell->timer_watch);
        if (rc < 0)
            return rc;
    }
    return set_timer(bell, DOORBELL_LOOK_NS);
}

static void on_doorbell(void *ctx, uint32_t revents)
{
    struct doorbell *bell = ctx;
    if ((revents & POLLER_BROKEN) != 0) {
        fail(bell);
        return;
    }
    bell->ops->rang(bell->ctx);
    uint64_t mute_ns =
        storm_guard_ring(&bell->guard, clock_monotonic_ns(), bell->ops->work(bell->ctx));
    if (mute_ns == 0 || start_timer(bell) < 0)
        return;
    poller_remove(bell->poller, bell->watch);
    bell->watch = NULL;
    bell->looks_left = (uint32_t)(mute_ns / DOORBELL_LOOK_NS);
    bell->mutes++;
    if (bell->ops->muted != NULL)
        bell->ops->muted(bell->ctx);
}

int doorbell_watch(struct doorbell *bell)
{
    return poller_add(bell->poller, bell->fd, POLLIN, on_doorbell, bell, &bell->watch);
}

void doorbell_destroy(struct doorbell *bell)
{
    unwatch(bell);
    if (bell->timer_fd >= 0)
        close(bell->timer_fd);
    if (bell->fd >= 0)
        close(bell->fd);
    *bell = DOORBELL_CLOSED;
}
