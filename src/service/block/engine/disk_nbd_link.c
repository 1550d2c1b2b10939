/* SPDX-License-Identifier: MIT */
/* disk_nbd_link: the connection of an NBD disk: what it says, its end, and the next one. */
#include "service/block/engine/disk_nbd_private.h"

#ifdef HAVE_LIBNBD
#include <errno.h>
#include <fcntl.h>
#include <libnbd.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "service/block/engine/image.h"
#include "service/block/engine/image_nbd.h"
#include "service/loop/poller.h"

enum {
    STEPS_MAX = 256, /* of the protocol, between two looks at everything else */
};

void disk_nbd_link_tell(struct disk_nbd *dn, const char *format, ...)
{
    char text[LOG_LINE_MAX];
    va_list args;
    if (dn->options.log == NULL)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    log_limited(dn->options.log, &dn->log_limit, "%s: %s", dn->image->path, text);
}

static void stop_watching(struct disk_nbd *dn)
{
    poller_remove(dn->poller, dn->watch);
    dn->watch = NULL;
    if (dn->fd >= 0)
        close(dn->fd);
    dn->fd = -1;
}

void disk_nbd_link_set_timer(struct disk_nbd *dn, uint64_t due_ns)
{
    const struct itimerspec at = {.it_value = clock_timespec(due_ns)};
    dn->timer_ns = due_ns;
    (void)timerfd_settime(dn->timer_fd, TFD_TIMER_ABSTIME, &at, NULL); /* which can't fail */
}

bool disk_nbd_link_waits(const struct disk_nbd *dn)
{
    return dn->patience.limit_ns > 0 && dn->state != DISK_NBD_GONE &&
           (dn->state == DISK_NBD_CONNECTED ||
            !nbd_patience_is_over(&dn->patience, clock_monotonic_ns()));
}

/* While it is away: the next try, or the end of patience. */
static void wait_on(struct disk_nbd *dn)
{
    uint64_t end_ns = dn->patience.since_ns + dn->patience.limit_ns;
    bool tries = dn->opener == NULL;
    if (dn->over_told && !tries)
        disk_nbd_link_set_timer(dn, 0);
    else if (dn->over_told || (tries && dn->patience.try_ns < end_ns))
        disk_nbd_link_set_timer(dn, dn->patience.try_ns);
    else
        disk_nbd_link_set_timer(dn, end_ns);
}

static void lose(struct disk_nbd *dn)
{
    stop_watching(dn);
    if (dn->patience.limit_ns == 0) {
        dn->state = DISK_NBD_GONE;
        disk_nbd_link_tell(
            dn, "its server has gone: all requests fail until the disk is attached anew");
        return;
    }
    dn->state = DISK_NBD_AWAY;
    uint64_t now_ns = clock_monotonic_ns(), silent_ns = dn->cut_silent_ns;
    bool begins = silent_ns != 0 ? nbd_patience_cut(&dn->patience, silent_ns, now_ns)
                                 : nbd_patience_lose(&dn->patience, dn->was_asked, now_ns);
    dn->cut_silent_ns = 0;
    if (begins) {
        dn->fell_silent = silent_ns != 0;
        dn->over_told = dn->fail_told = false;
        disk_nbd_link_tell(dn, "its server has gone: requests wait for it for up to %g s",
                           (double)dn->patience.limit_ns / 1e9);
    }
    if (dn->over_told)
        disk_nbd_fail_held(dn);
    wait_on(dn);
}

void disk_nbd_link_look(struct disk_nbd *dn)
{
    if (dn->state != DISK_NBD_CONNECTED)
        return;
    struct nbd_handle *nbd = dn->image->nbd;
    if (nbd_aio_is_dead(nbd) == 1 || nbd_aio_is_closed(nbd) == 1)
        lose(dn);
}

/* One step of the protocol, if the connection is ready for it. */
static bool step(struct disk_nbd *dn)
{
    struct nbd_handle *nbd = dn->image->nbd;
    unsigned direction = nbd_aio_get_direction(nbd);
    bool reads = (direction & LIBNBD_AIO_DIRECTION_READ) != 0;
    bool writes = (direction & LIBNBD_AIO_DIRECTION_WRITE) != 0;
    struct pollfd now = {.fd = dn->fd,
                         .events = (short)((reads ? POLLIN : 0) | (writes ? POLLOUT : 0))};
    if (poll(&now, 1, 0) <= 0)
        return false;
    if (reads && (now.revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
        dn->heard++;
        (void)nbd_aio_notify_read(nbd);
    } else if (writes && (now.revents & (POLLOUT | POLLHUP | POLLERR)) != 0) {
        (void)nbd_aio_notify_write(nbd);
    } else {
        return false;
    }
    return true;
}

void disk_nbd_link_step(struct disk_nbd *dn)
{
    int steps = 0;
    disk_nbd_link_look(dn); /* a command that could not be sent has ended it: no step tells */
    for (; dn->state == DISK_NBD_CONNECTED && steps < STEPS_MAX && step(dn); steps++)
        disk_nbd_link_look(dn);
    if (steps == STEPS_MAX) /* an edge is told once */
        disk_nbd_wake(dn);
}

static void on_event(void *ctx, uint32_t revents)
{
    if ((revents & POLLNVAL) != 0)
        disk_nbd_link_cut(ctx); /* nothing is heard of it any more */
    disk_nbd_link_step(ctx);
    disk_nbd_deliver(ctx);
}

void disk_nbd_link_cut(struct disk_nbd *dn)
{
    if (dn->fd >= 0)
        (void)shutdown(dn->fd, SHUT_RDWR); /* libnbd sees an end */
}

/* Without memory for that the connection is one that has ended. */
static void watch(struct disk_nbd *dn)
{
    int fd = nbd_aio_get_fd(dn->image->nbd);
    dn->fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    dn->was_asked = false;
    nbd_patience_connect(&dn->patience, clock_monotonic_ns());
    dn->state = DISK_NBD_CONNECTED;
    if (dn->fd < 0 ||
        poller_add(dn->poller, dn->fd, POLLIN | POLLOUT, on_event, dn, &dn->watch) < 0)
        lose(dn);
}

/* What the disk's users were told of it is as true of the new connection, or says why not. */
static int compare(const struct disk_nbd *dn, const struct image *fresh, struct why *why)
{
    const struct image *ours = dn->image;
    if (fresh->size_bytes != ours->size_bytes)
        return why_fail(why, -ESTALE, "it has %llu bytes now, not %llu",
                        (unsigned long long)fresh->size_bytes,
                        (unsigned long long)ours->size_bytes);
    if (fresh->block_size_bytes != ours->block_size_bytes)
        return why_fail(why, -ESTALE, "its server's smallest block is %u bytes now, not %u",
                        fresh->block_size_bytes, ours->block_size_bytes);
    if (fresh->writable != ours->writable)
        return why_fail(why, -ESTALE, "its server lets it be %s now",
                        fresh->writable ? "written" : "read only");
    if (nbd_can_flush(fresh->nbd) != dn->can_flush || nbd_can_trim(fresh->nbd) != dn->can_trim)
        return why_fail(why, -ESTALE, "its server offers other operations now (flush, trim)");
    return 0;
}

static void tell_reconnected(struct disk_nbd *dn)
{
    uint32_t loose = dn->changes - dn->flushed;
    char of_loose[LOG_LINE_MAX / 2] = "";
    if (loose > 0)
        snprintf(of_loose, sizeof(of_loose),
                 "; %u writes and discards had been answered and not flushed: a server that was "
                 "started anew may have lost them%s",
                 loose,
                 nbd_can_multi_conn(dn->image->nbd) == 1
                     ? ""
                     : ", and this one does not say that a flush covers them");
    disk_nbd_link_tell(dn, "its server is there again after %.1f s: %u requests are sent again%s",
                       (double)(clock_monotonic_ns() - dn->patience.since_ns) / 1e9, dn->held.count,
                       of_loose);
}

static void take(struct disk_nbd *dn, struct image *fresh)
{
    struct image *ours = dn->image;
    image_nbd_close(ours->nbd);
    ours->nbd = fresh->nbd;
    fresh->nbd = NULL;
    dn->reconnections++;
    disk_nbd_link_set_timer(dn, 0);
    tell_reconnected(dn);
    dn->flushed = dn->changes; /* told once */
    if (dn->options.reconnected != NULL)
        dn->options.reconnected(dn->options.ctx, ours);
    watch(dn);
    disk_nbd_send_held(dn);
}

static void refuse(struct disk_nbd *dn, const struct why *why)
{
    if (dn->options.log != NULL) /* the last line of this disk: no limit */
        log_line(dn->options.log, "%s: refused, it is another disk: %s; attach it anew",
                 dn->image->path, why->text);
    dn->state = DISK_NBD_GONE;
    disk_nbd_link_set_timer(dn, 0);
    disk_nbd_fail_held(dn);
}

static void fail_try(struct disk_nbd *dn, const struct why *why)
{
    const char *text = why->text; /* which begins with whose it is */
    size_t length = strlen(dn->image->path);
    if (strncmp(text, dn->image->path, length) == 0 && strncmp(text + length, ": ", 2) == 0)
        text += length + 2;
    if (!dn->fail_told)
        disk_nbd_link_tell(dn, "not there yet: %s", text);
    dn->fail_told = true;
    nbd_patience_fail(&dn->patience, clock_monotonic_ns());
    wait_on(dn);
}

static void stop_trying(struct disk_nbd *dn)
{
    poller_remove(dn->poller, dn->opener_watch);
    dn->opener_watch = NULL;
    image_opener_drop(dn->opener);
    dn->opener = NULL;
}

static void on_opened(void *ctx, uint32_t revents)
{
    struct disk_nbd *dn = ctx;
    struct image fresh;
    struct why why;
    if ((revents & POLLNVAL) != 0) { /* it is not over, and would be waited for */
        stop_trying(dn);
        (void)why_fail(&why, -ENOMEM, "its connecting cannot be watched");
        fail_try(dn, &why);
        return;
    }
    poller_remove(dn->poller, dn->opener_watch); /* what it watches is the opener's */
    dn->opener_watch = NULL;
    int rc = image_opener_finish(dn->opener, &fresh, &why);
    dn->opener = NULL;
    if (dn->state != DISK_NBD_AWAY) { /* given up meanwhile */
        image_close(&fresh);
        return;
    }
    if (rc < 0) {
        fail_try(dn, &why);
        return;
    }
    if (compare(dn, &fresh, &why) == 0)
        take(dn, &fresh);
    else
        refuse(dn, &why);
    image_close(&fresh);
}

/* For reading alone: a server that does not let it be written any more is refused by compare. */
static void try(struct disk_nbd *dn)
{
    struct why why;
    int rc = image_opener_start(dn->image->path, false, &dn->opener, &why);
    if (rc == 0) {
        rc = poller_add(dn->poller, image_opener_fd(dn->opener), POLLIN, on_opened, dn,
                        &dn->opener_watch);
        if (rc < 0)
            (void)why_fail_errno(&why, rc, "cannot wait for its server");
    }
    if (rc < 0) {
        stop_trying(dn);
        fail_try(dn, &why);
        return;
    }
    wait_on(dn);
}

static void look_at_patience(struct disk_nbd *dn, uint64_t now_ns)
{
    if (!dn->over_told && nbd_patience_is_over(&dn->patience, now_ns)) {
        dn->over_told = true;
        disk_nbd_link_tell(
            dn, "no server for %g s: %u requests fail, and all others until there is one",
            (double)dn->patience.limit_ns / 1e9, dn->held.count);
        disk_nbd_fail_held(dn);
    }
    if (dn->opener == NULL && now_ns >= dn->patience.try_ns)
        try(dn);
    else
        wait_on(dn);
}

static void on_timer(void *ctx, uint32_t revents)
{
    struct disk_nbd *dn = ctx;
    uint64_t now_ns = clock_monotonic_ns(), expirations;
    if ((revents & POLLER_BROKEN) != 0)
        (void)poller_fail(dn->poller, -EIO, "the timer of the nbd engine");
    (void)!read(dn->timer_fd, &expirations, sizeof(expirations));
    if (dn->timer_ns == 0 || now_ns < dn->timer_ns)
        return;
    if (dn->state == DISK_NBD_CONNECTED)
        disk_nbd_silence_look(dn, now_ns);
    else if (dn->state == DISK_NBD_AWAY)
        look_at_patience(dn, now_ns);
    disk_nbd_deliver(dn);
}

void disk_nbd_link_give_up(struct disk_nbd *dn)
{
    dn->patience.limit_ns = 0;
    if (dn->timer_fd >= 0)
        disk_nbd_link_set_timer(dn, 0);
}

void disk_nbd_link_begin(struct disk_nbd *dn)
{
    dn->patience.is_out = false;
    dn->can_flush = nbd_can_flush(dn->image->nbd);
    dn->can_trim = nbd_can_trim(dn->image->nbd);
    watch(dn);
}

void disk_nbd_link_end(struct disk_nbd *dn)
{
    stop_trying(dn);
    stop_watching(dn);
    if (dn->timer_fd >= 0)
        disk_nbd_link_set_timer(dn, 0);
    dn->state = DISK_NBD_GONE;
}

int disk_nbd_link_init(struct disk_nbd *dn)
{
    dn->fd = dn->timer_fd = -1;
    dn->state = DISK_NBD_GONE;
    dn->patience.limit_ns = dn->options.reconnect_ms * UINT64_C(1000000);
    if (dn->patience.limit_ns == 0)
        return 0;
    dn->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (dn->timer_fd < 0)
        return -errno;
    return poller_add(dn->poller, dn->timer_fd, POLLIN, on_timer, dn, &dn->timer_watch);
}

void disk_nbd_link_fini(struct disk_nbd *dn)
{
    stop_trying(dn);
    stop_watching(dn);
    poller_remove(dn->poller, dn->timer_watch);
    if (dn->timer_fd >= 0)
        close(dn->timer_fd);
}

#endif
