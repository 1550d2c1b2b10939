/* SPDX-License-Identifier: MIT */
/*
 * xenbus_back: the back end of one device of any class, control side: the xenbus states.
 *
 * What Linux xenbus_probe_backend.c and the frontend_changed of every back end driver do. It
 * watches the front end's `state` node and acts on the value that it re-reads, whatever happened in
 * between. Everything in the front end's directory was written by the domain and is checked.
 *
 * All of it belongs to Dom0's loop thread.
 */
#ifndef SPLITDOM_SERVICE_BACK_XENBUS_BACK_H
#define SPLITDOM_SERVICE_BACK_XENBUS_BACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/log.h"
#include "service/back/back_class.h"
#include "splitdom/xen/xenbus.h"
#include "xenstore/server/xs_local.h"
#include "xenstore/xenbus_path.h"

struct pollables;

/* What all back ends need of Dom0. All of it outlives them. */
struct back_host {
    struct xs_server *store;
    struct log *log;
    struct log_limit *log_limit; /* of lines about any device: a new device is no new allowance */
    struct pollables *pollables;
};

/* Who has the device. */
struct back_owner {
    /* There is no memory to tell the front end that its device is gone: the domain is to end, soon
     * but not within the call. */
    void (*lost)(void *ctx);
    /* The device was taken away for good and both directories are removed: the owner destroys it,
     * within the call or later. */
    void (*gone)(void *ctx, struct xenbus_back *back);
    void *ctx;
};

/* Embedded in the device of a class. Set at creation and only read afterwards, except for state and
 * what is private. */
struct xenbus_back {
    const struct back_class *class;
    const struct back_host *host;
    const struct back_domain *domain;
    struct xenbus_key key;
    enum xenbus_state state;    /* ours, as written to the store */
    struct list_node of_domain; /* its owner's, */
    void *lease;                /* and so is this */
    /* Private. */
    struct back_owner owner;
    struct xs_local_watch *watch;
    bool connected; /* the class serves it */
};

/* Publishes the features and goes to InitWait; the toolstack's nodes exist. Errors: -errno, nothing
 * is left. */
int xenbus_back_create(const struct back_host *host, const struct back_domain *domain,
                       const struct back_spec *spec, const struct back_owner *owner,
                       struct xenbus_back **out);
/* Disconnects at once and forgets; nodes stay. NULL allowed. */
void xenbus_back_destroy(struct xenbus_back *back);

/* Removes the directories of both halves. There is no back end for them, or it has closed. Where
 * there is no memory for that, something stays until the next device of that number is made, or the
 * domain ends. */
void xenbus_back_remove_nodes(struct xs_server *store, const struct xenbus_key *key);

/* Takes the device away, as libxl does: `online` 0, our state 5. true: it is gone, and owner.gone
 * was called; so it is at once if it is forced, or if no front end is connected. false: that comes
 * when the front end has closed it. */
bool xenbus_back_unplug(struct xenbus_back *back, bool force);

/* The device's size changed: if it is connected, writes it and touches `state`, so that the front
 * end re-reads. */
void xenbus_back_resize(struct xenbus_back *back);
/* The domain's settings changed. */
void xenbus_back_configure(struct xenbus_back *back);

/* ---- for classes ---- */

/* Writes a node of our own directory. Errors: -errno, and the log says so. */
int xenbus_back_put(struct xenbus_back *back, const char *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Reads a node of the front end's directory. Errors: those of xs_local_read. */
int xenbus_back_front_text(struct xenbus_back *back, const char *node, char *buf, size_t size);
/* A number there, 0..max, read as xs_local_read_u64 does; a node that is absent or has none gives
 * fallback, if that is >= 0. Returns 0 or -ENOENT, -EINVAL, -ERANGE. */
int xenbus_back_front_number(struct xenbus_back *back, const char *node, uint64_t max,
                             int64_t fallback, uint64_t *out);

/* The device can't go on: error node, Closing. What is connected stays so until the front end has
 * closed it. error is -errno. */
void xenbus_back_fail(struct xenbus_back *back, int error, const char *what);

#endif
