/* SPDX-License-Identifier: MIT */
#include "service/dom0/rundir_watch.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

struct rundir_watch {
    struct poller *poller;
    const struct rundir_watch_ops *ops;
    void *ctx;
    int fd;
    struct poller_watch *watch;
    bool gone; /* and told */
};

static void tell(struct rundir_watch *watch, const struct inotify_event *event)
{
    if ((event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)) != 0) {
        if (!watch->gone)
            watch->ops->gone(watch->ctx);
        watch->gone = true;
    } else if ((event->mask & IN_Q_OVERFLOW) != 0) {
        watch->ops->lost(watch->ctx, NULL);
    } else if (event->len > 0) {
        watch->ops->lost(watch->ctx, event->name);
    }
}

static void on_event(void *ctx, uint32_t revents)
{
    struct rundir_watch *watch = ctx;
    _Alignas(struct inotify_event) char bytes[sizeof(struct inotify_event) + NAME_MAX + 1];
    ssize_t count;

    if ((revents & POLLER_BROKEN) != 0) {
        poller_remove(watch->poller, watch->watch); /* what it would tell of goes unnoticed */
        watch->watch = NULL;
        return;
    }
    while ((count = read(watch->fd, bytes, sizeof(bytes))) > 0) {
        for (char *at = bytes; at < bytes + count;) {
            const struct inotify_event *event = (const struct inotify_event *)(void *)at;
            at += sizeof(*event) + event->len;
            tell(watch, event);
        }
    }
}

int rundir_watch_create(const char *dir, struct poller *poller, const struct rundir_watch_ops *ops,
                        void *ctx, struct rundir_watch **out)
{
    struct rundir_watch *watch = calloc(1, sizeof(*watch));

    *out = NULL;
    if (watch == NULL)
        return -ENOMEM;
    *watch = (struct rundir_watch){.poller = poller, .ops = ops, .ctx = ctx};
    watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    int rc = watch->fd < 0 ? -errno : 0;
    if (rc == 0 && inotify_add_watch(watch->fd, dir,
                                     IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF |
                                         IN_ONLYDIR | IN_DONT_FOLLOW) < 0)
        rc = -errno;
    if (rc == 0)
        rc = poller_add(poller, watch->fd, POLLIN, on_event, watch, &watch->watch);
    if (rc < 0) {
        rundir_watch_destroy(watch);
        return rc;
    }
    *out = watch;
    return 0;
}

void rundir_watch_destroy(struct rundir_watch *watch)
{
    if (watch == NULL)
        return;
    poller_remove(watch->poller, watch->watch);
    if (watch->fd >= 0)
        close(watch->fd);
    free(watch);
}
