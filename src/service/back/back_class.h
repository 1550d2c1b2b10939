/* SPDX-License-Identifier: MIT */
/*
 * back_class: a kind of device: what a back end of it does that others do not.
 *
 * The generic half (xenbus_back.h) plays the xenbus states of every device, keyed (class, domid,
 * devid), and calls the class where the kind matters. A class embeds struct xenbus_back in its own
 * device and finds itself by container_of. The table of all classes is dom0/back_classes.c. (Linux:
 * struct xenbus_driver. QEMU: XenDeviceClass.)
 *
 * All of it belongs to Dom0's loop thread; nothing here blocks.
 */
#ifndef SPLITDOM_SERVICE_BACK_BACK_CLASS_H
#define SPLITDOM_SERVICE_BACK_BACK_CLASS_H

#include <stdbool.h>
#include <stdint.h>

#include "splitdom/tdf.h"
#include "splitdom/xen/grant_table.h"

struct evtchn_table;
struct hold;
struct poll_peer;
struct segment;
struct tdf_clock;
struct xenbus_back;

struct trace_writer;

/* Whether the lives of requests are written down, and where to (splitdom/trace.h). */
struct back_trace {
    uint32_t threshold;                /* of trace_wants; 0: they are not */
    const struct trace_writer *writer; /* outlives all devices */
};

/* What its administrator has set for all devices of a domain. */
struct back_settings {
    uint32_t weight; /* share of what domains compete for, 1..SCHED_WEIGHT_MAX */
    struct tdf
        disk_scale; /* how many times slower its disks are than the real ones, 1..TDF_LIMIT */
    struct back_trace trace;
};

/* A domain as back ends see it. All of it outlives them; segment also what the hold is held for. */
struct back_domain {
    domid_t domid;
    const struct segment *segment;
    struct hold *memory;               /* of the segment; NULL: nobody needs to hold it */
    int fault_slot;                    /* of the segment, see fault_guard.h */
    const struct evtchn_table *evtchn; /* its ports */
    struct tdf_clock *clock;
    const struct tdf *tdf; /* its rate, also while it is paused */
    struct poll_peer *peer;
    const struct back_settings *settings;
};

/* Which device is wanted. */
struct back_spec {
    const struct back_class *class;
    uint32_t devid;      /* "virtual-device" of a vbd, "handle" of a vif */
    const void *options; /* the class's own struct; read by the functions that get it only */
};

/* Takes one node of a half's directory. */
typedef void back_node_fn(void *ctx, const char *node, const char *value);

/* Functions return 0 or -errno unless they say otherwise. */
struct back_class {
    const char *name; /* of the directories of both halves: "vbd" */

    /* A front end may start over from any state, without having closed: the back end then closes by
     * itself, and offers the device anew. (So does Linux's xen-netback, and not its xen-blkback.)
     */
    bool starts_over;

    /* What the toolstack writes before there is a back end, in the order of the calls of put. It
     * has written "backend", "backend-id" and "state" of a front end, and "frontend" of a back end:
     * the class puts "frontend-id", "online" (1) and "state" (1) where libxl does for this class.
     */
    void (*front_nodes)(const struct back_spec *spec, back_node_fn *put, void *ctx);
    void (*back_nodes)(const struct back_spec *spec, domid_t domid, back_node_fn *put, void *ctx);

    /* Makes a device; *out is its embedded half, which the caller fills in afterwards. */
    int (*create)(const struct back_domain *domain, const void *options, struct xenbus_back **out);
    /* Frees it. Not connected. */
    void (*destroy)(struct xenbus_back *back);

    /* Writes the features that a front end must know before it connects. */
    int (*publish)(struct xenbus_back *back);
    /* Reads what the front end offers, writes what it must know of the device, begins to serve. On
     * failure nothing is left behind, and *what says what was wrong. */
    int (*connect)(struct xenbus_back *back, const char **what);
    /* Serves no more: once for each connect that succeeded, at any time. */
    void (*disconnect)(struct xenbus_back *back);

    /* The device has changed its size: writes it. Connected. NULL: sizes never change. */
    int (*resize)(struct xenbus_back *back);
    /* The domain's settings have changed. NULL: they don't matter. */
    void (*configure)(struct xenbus_back *back);
};

#endif
