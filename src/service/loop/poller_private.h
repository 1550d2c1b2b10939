/* SPDX-License-Identifier: MIT */
/*
 * poller_private: what poller.c needs of an implementation. Private to the poller's own files and
 * its test.
 */
#ifndef SPLITDOM_SERVICE_LOOP_POLLER_PRIVATE_H
#define SPLITDOM_SERVICE_LOOP_POLLER_PRIVATE_H

#include "service/loop/poller.h"

/* All required; the contracts are those of poller.h. */
struct poller_ops {
    const char *name;                  /* of the call that waits, for people */
    void (*destroy)(struct poller *p); /* never called with NULL */
    int (*add)(struct poller *p, int fd, uint32_t events, poller_fn *fn, void *ctx,
               struct poller_watch **out);
    void (*remove)(struct poller *p, struct poller_watch *watch);
    int (*run)(struct poller *p, bool sleep);
};

/* Every implementation starts with this. */
struct poller {
    const struct poller_ops *ops;
    int error; /* for good, or 0 */
    const char *failure;
    uint32_t retries; /* on end */
    uint32_t watches; /* that were not removed */
};

/*
 * sq_entries and cq_entries: sizes of the two queues, powers of two. The completion queue must have
 * room for one event of each watch: the kernel ends a poll whose event finds no room, arming it
 * again brings another event at once, and too many of them would chase each other for ever.
 */
int poller_uring_create(uint32_t sq_entries, uint32_t cq_entries, struct poller **out);
int poller_epoll_create(struct poller **out);

#endif
