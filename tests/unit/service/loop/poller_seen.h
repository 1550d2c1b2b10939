/* SPDX-License-Identifier: MIT */
/* poller_seen: what a callback of a poller has seen, and the two kinds of poller as fixtures. Where
 * there is no io_uring, the tests of its kind skip. */
#ifndef SPLITDOM_TESTS_UNIT_SERVICE_LOOP_POLLER_SEEN_H
#define SPLITDOM_TESTS_UNIT_SERVICE_LOOP_POLLER_SEEN_H

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "service/loop/poller.h"
#include "service/loop/poller_private.h"

/* What one callback has seen. */
struct seen {
    struct poller *poller;
    struct poller_watch *watch;
    struct poller_watch **victim; /* removed by the callback, if not NULL */
    int fd;
    int calls;
    uint32_t revents;
};

static inline void on_event(void *ctx, uint32_t revents)
{
    struct seen *seen = ctx;

    seen->calls++;
    seen->revents |= revents;
    if (seen->victim && *seen->victim) {
        struct poller_watch *victim = *seen->victim;

        *seen->victim = NULL;
        poller_remove(seen->poller, victim);
    }
}

static inline void open_seen(struct seen *seen, struct poller *p)
{
    memset(seen, 0, sizeof(*seen));
    seen->poller = p;
    seen->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_true(seen->fd >= 0);
    assert_int_equal(poller_add(p, seen->fd, POLLIN, on_event, seen, &seen->watch), 0);
}

static inline void close_seen(struct seen *seen)
{
    poller_remove(seen->poller, seen->watch);
    close(seen->fd);
}

static inline void ring_bell(const struct seen *seen)
{
    assert_int_equal(eventfd_write(seen->fd, 1), 0);
}

/* A poller of that kind that watches something, and its end: for fault_walk. */
static inline int make_poller(void *kind)
{
    struct poller_watch *watch;
    struct poller *p;
    int fd = eventfd(0, EFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = poller_create(*(enum poller_kind *)kind, &p);
    if (rc == 0) {
        rc = poller_add(p, fd, POLLIN, on_event, NULL, &watch);
        poller_remove(p, watch);
        poller_destroy(p);
    }
    close(fd);
    return rc;
}

static inline int setup_kind(void **state, enum poller_kind kind)
{
    struct poller *p = NULL;
    int rc = poller_create(kind, &p);

    *state = p;
    if (kind == POLLER_EPOLL)
        return rc;
    if (rc == -ENOSYS || rc == -EPERM || rc == -ENOMEM) {
        print_message("io_uring is not to be had here: %s\n", strerror(-rc));
        return 0;
    }
    return rc;
}

static inline int setup_epoll(void **state)
{
    return setup_kind(state, POLLER_EPOLL);
}

static inline int setup_uring(void **state)
{
    return setup_kind(state, POLLER_URING);
}

static inline int teardown(void **state)
{
    poller_destroy(*state);
    return 0;
}

static inline struct poller *poller_or_skip(void **state)
{
    if (!*state)
        skip();
    return *state;
}

#define WITH_EPOLL(test)                                                                           \
    {                                                                                              \
#test "/epoll", test, setup_epoll, teardown, NULL                                          \
    }
#define WITH_URING(test)                                                                           \
    {                                                                                              \
#test "/uring", test, setup_uring, teardown, NULL                                          \
    }

#endif
