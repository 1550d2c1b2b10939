/* SPDX-License-Identifier: MIT */
/*
 * listener: a local socket where strangers knock: who is to be taken in comes one by one, when its
 * owner has room and time; a failure to take somebody in is remembered, because no edge will tell
 * of them again; a name that somebody has removed is made again.
 *
 * One thread: the poller's.
 */
#ifndef SPLITDOM_SERVICE_LOOP_LISTENER_H
#define SPLITDOM_SERVICE_LOOP_LISTENER_H

#include <stdbool.h>

#include "base/log.h"
#include "base/unix_socket.h"
#include "service/loop/poller.h"

struct listener {
    /* The owner's, before listener_open: */
    struct poller *poller;
    struct log *log;
    struct log_limit *limit;
    const char *name; /* for messages: "dom0.sock" */
    const char *what; /* static, for poller_fail: "the listener of dom0.sock" */
    int type;         /* as for unix_listener_open */
    int backlog;

    bool waits;  /* somebody may wait; the owner reads */
    bool failed; /* the last one could not be taken in */
    /* Private. */
    struct unix_listener socket;
    struct poller_watch *watch; /* NULL: closed */
};

/* Errors: those of unix_listener_open and poller_add; then it is closed. */
int listener_open(struct listener *l, const char *path);
/* One that is closed, or zeroed but for the owner's part, is allowed. Those who wait are lost. */
void listener_close(struct listener *l);

/*
 * Takes in who waits; never blocks. flags: SOCK_NONBLOCK or 0; close-on-exec. Returns the
 * connection. Errors: -EAGAIN nobody waits, or out of descriptors or memory (logged; see
 * listener_retry): waits is false now; -EINTR this one has gone, or a signal came: ask again.
 */
int listener_accept(struct listener *l, int flags);
/* Does somebody wait? Asks the socket. */
bool listener_has_queue(const struct listener *l);

/* Has it failed to take somebody in, who may still wait? */
bool listener_must_retry(const struct listener *l);
/* Something may have become free: sets waits if it must retry. */
void listener_retry(struct listener *l);

/* Makes the socket anew if its name is gone; nothing if it is closed. Errors: as listener_open,
 * but the old one goes on then, for those that wait in its queue. */
int listener_renew(struct listener *l);

#endif
