/* SPDX-License-Identifier: MIT */
#include "service/dom0/clock_change.h"

#include <errno.h>
#include <poll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "ring/barrier.h"
#include "ring/futex.h"

enum { WATCHERS_WOKEN = 16 }; /* the domain decides how many there are: not all of them */

void clock_change_init(struct clock_change *change, struct poller *poller, struct tdf_clock *clock,
                       void (*apply)(void *ctx), void *ctx)
{
    *change = (struct clock_change){
        .poller = poller, .clock = clock, .apply = apply, .ctx = ctx, .timer_fd = -1};
}

void clock_change_wake(const struct tdf_clock *clock)
{
    (void)futex_wake(&clock->shared->vcpu_info[0].time.version, WATCHERS_WOKEN, FUTEX_SCOPE_SHARED);
}

void clock_change_stop(struct clock_change *change)
{
    if (!change->waits)
        return;
    poller_remove(change->poller, change->watch);
    close(change->timer_fd);
    change->watch = NULL;
    change->timer_fd = -1;
    change->waits = false;
}

static void finish(struct clock_change *change)
{
    clock_change_stop(change);
    change->apply(change->ctx);
}

static void on_timer(void *ctx, uint32_t revents)
{
    (void)revents; /* broken, or over: the change is made */
    finish(ctx);
}

static int start(struct clock_change *change)
{
    const struct itimerspec when = {.it_value = {.tv_nsec = CLOCK_CHANGE_NS}};
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = timerfd_settime(fd, 0, &when, NULL) < 0 ? -errno : 0;
    if (rc == 0)
        rc = poller_add(change->poller, fd, POLLIN, on_timer, change, &change->watch);
    if (rc < 0) {
        close(fd);
        return rc;
    }
    change->timer_fd = fd;
    change->waits = true;
    return 0;
}

/* What the domain has written, any time before. */
static uint64_t answer(const struct clock_change *change)
{
    return load_full_u64(&change->clock->shared->arch[SHARED_INFO_CLOCK_READY]);
}

/* A second one does not get more time. */
bool clock_change_announce(struct clock_change *change, struct tdf next)
{
    if (!(answer(change) & 1) || !tdf_is_slower(next, change->clock->tdf) ||
        (!change->waits && start(change) < 0) || tdf_clock_announce(change->clock, next) < 0) {
        clock_change_stop(change);
        return false;
    }
    change->version = change->clock->time.version;
    clock_change_wake(change->clock);
    return true;
}

/* A line that was made anew since then tells of it, too. */
void clock_change_look(struct clock_change *change)
{
    if (!change->waits)
        return;
    const uint64_t found = answer(change);
    if ((found & 1) && (int32_t)((uint32_t)found - change->version) > 0)
        finish(change);
}
