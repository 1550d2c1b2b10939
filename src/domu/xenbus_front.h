/* SPDX-License-Identifier: MIT */
/*
 * xenbus_front: the front end of one device of any class, control side: the xenbus states. The
 * mirror of service/back/xenbus_back.h.
 *
 * Linux: drivers/xen/xenbus/xenbus_probe_frontend.c, xenbus_client.c and what every front end
 * driver repeats. It watches the back end's `state` node and acts on the value that it re-reads,
 * whatever happened in between. Everything in the back end's directory is checked.
 *
 * Whoever calls has claimed the domain (domu_private.h): several devices share one connection to
 * the store. An event of another device that comes in during a wait is noted there.
 */
#ifndef SPLITDOM_DOMU_XENBUS_FRONT_H
#define SPLITDOM_DOMU_XENBUS_FRONT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "domu/life.h"
#include "splitdom/xen/xenbus.h"

struct xenbus_front;

/* What a domain asks of a class of devices: the thread that opens or closes one (domu_device.h),
 * then the thread that follows the domain. */
struct front_class {
    const char *name;   /* "vbd": the class's in store paths */
    const char *device; /* "disk": what messages call one */
    /* Takes what the device needs of its domain and connects it. May be called again with the
     * domain's next life. Errors: -errno, with one line in why; nothing is taken then. */
    int (*open)(struct xenbus_front *front, char *why, size_t why_bytes);
    /* The device is open, and its domain's link thread does not know of it yet. */
    void (*opened)(struct xenbus_front *front);
    /* The device is closed: gives back what it took. */
    void (*give_back)(struct xenbus_front *front);
    /* The back end's state, as re-read, or -errno. */
    void (*changed)(struct xenbus_front *front, int state);
    /* Dom0 is dead and a next one is waited for: afterwards no thread sleeps in the domain. Errors:
     * the device has failed for good, and is not to be connected again. */
    int (*suspend)(struct xenbus_front *front);
    /* Connects in the life that front->life is now, whose memory is not in its place yet. May be
     * called again with another one after a failure. Errors: -errno, with one line in why. */
    int (*link)(struct xenbus_front *front, char *why, size_t why_bytes);
    /* The life has become the domain's: what was asked and not answered is asked again. */
    void (*resume)(struct xenbus_front *front);
    /* The device is lost with its domain: all calls fail with error from now on. */
    void (*lost)(struct xenbus_front *front, int error, const char *why);
    /* How requests are to be traced has changed. NULL: the class has none to trace. */
    void (*trace)(struct xenbus_front *front);
};

/* All front ends of a domain, and what their watches have told. */
struct fronts {
    struct list list; /* of those that are connected */
    bool shutdown;    /* control/shutdown was touched */
    bool clock;       /* splitdom/tdf-in-force was */
    bool share;       /* cpu-share was */
    bool trace;       /* splitdom/trace was */
};

enum {
    XENBUS_FRONT_PATH_MAX = 256,
    XENBUS_FRONT_NAME_MAX = 64,
};

/* Embedded in the device of a class. */
struct xenbus_front {
    const struct front_class *class;
    struct fronts *fronts;
    struct life *life; /* whose store: the domain's, or one that is to become it */
    uint32_t devid;
    struct list_node of_domain;
    /* Private. */
    char name[XENBUS_FRONT_NAME_MAX];    /* "vbd/51712": also the token of its watch */
    char backend[XENBUS_FRONT_PATH_MAX]; /* the back end's directory, of the present life */
    bool changed;                        /* its watch has told, and class->changed has not */
    bool suspended;
};

/* For a domain's own watch: */
extern const char fronts_shutdown_token[], fronts_clock_token[], fronts_share_token[],
    fronts_trace_token[];
/* Takes note of an event of any watch of the domain's. */
void fronts_note(struct fronts *fronts, const char *token);
/* How requests are to be traced has changed: tells all devices. */
void fronts_trace(struct fronts *fronts);

void xenbus_front_init(struct xenbus_front *front, const struct front_class *class,
                       struct fronts *fronts, struct life *life, uint32_t devid);

/*
 * Finds the back end, watches its state, and waits until it waits for us. A device that was closed
 * before is opened again. On failure *step says what could not be done. Errors: -ENODEV there is no
 * such device; -EPROTO the back end talks to somebody else; -ETIMEDOUT; those of xs_client.
 */
int xenbus_front_find_back(struct xenbus_front *front, const char **step);

/*
 * For people: why a step of connecting failed with rc; that Dom0 took the device away meanwhile,
 * rather than which request met that. Returns rc, or then -ENODEV.
 */
int xenbus_front_fail(struct xenbus_front *front, int rc, const char *step, char *why,
                      size_t why_bytes);

/*
 * Writes what write(ctx, tx) writes, and state Initialised, in one transaction: the back end never
 * sees a half-written offer. Then waits until it is connected. Errors: as above, -ENODEV the device
 * was taken away meanwhile; -ECONNREFUSED it did not take the offer.
 */
int xenbus_front_offer(struct xenbus_front *front,
                       int (*write)(struct xenbus_front *front, uint32_t tx), const char **step);

/* Says that we are connected. */
int xenbus_front_connected(struct xenbus_front *front);
/* Closing, Closed, waiting for the peer at each step, as long as the domain's patience lasts.
 * Nothing if Dom0 is dead. */
void xenbus_front_close(struct xenbus_front *front);

/* The back end's state; Unknown: it has none. -EPROTO: it is none of Xen's; those of xs_client. */
int xenbus_front_back_state(struct xenbus_front *front);
/* A number that the back end publishes, 0..max; absent gives fallback. */
int xenbus_front_number(struct xenbus_front *front, const char *node, uint64_t max,
                        uint64_t fallback, uint64_t *out);
/* One more node of the back end whose changes class->changed is to be told of. */
int xenbus_front_watch_back(struct xenbus_front *front, const char *node);
/* Reads a text of our own directory, which the toolstack may have written, as xs_client_read. */
int xenbus_front_own(struct xenbus_front *front, const char *node, char *value, size_t value_bytes);
/* Writes a node of our own directory. */
int xenbus_front_put(struct xenbus_front *front, uint32_t tx, const char *node, const char *format,
                     ...) __attribute__((format(printf, 4, 5)));
/* Removes one, if it is there: of a device that was opened before. */
int xenbus_front_remove(struct xenbus_front *front, uint32_t tx, const char *node);
/* Whether it is there: 0 or 1. Errors: those of xs_client. */
int xenbus_front_has(struct xenbus_front *front, uint32_t tx, const char *node);
/* Removes what a device that was opened before with several queues has written of them: their
 * number, and a directory each, of which there are queues_max at most. */
int xenbus_front_remove_queues(struct xenbus_front *front, uint32_t tx, uint32_t queues_max);

#endif
