/* SPDX-License-Identifier: MIT */
/*
 * domain: one DomU as Dom0 holds it: memory, doorbell, ports, clock, store connection, devices.
 *
 * Created for a control connection and destroyed when that connection ends, however the process
 * died. All of it belongs to Dom0's loop thread.
 */
#ifndef SPLITDOM_SERVICE_DOM0_DOMAIN_H
#define SPLITDOM_SERVICE_DOM0_DOMAIN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/list.h"
#include "base/why.h"
#include "ring/segment.h"
#include "service/back/evtchn_table.h"
#include "service/back/vbd/vbd_ring.h"
#include "service/back/xenbus_back.h"
#include "service/dom0/clock_change.h"
#include "service/dom0/domain_settings.h"
#include "service/dom0/memory/domain_memory.h"
#include "service/dom0/memory/unmapper.h"
#include "service/dom0/tracing/tracer.h"
#include "service/loop/doorbell.h"
#include "service/loop/pollables.h"
#include "service/loop/poller.h"
#include "tdf/clock.h"
#include "xenstore/server/xs_conn.h"

struct domain;

/* What a domain needs of Dom0; outlives all domains. */
struct domain_host {
    struct poller *poller;
    struct back_host back; /* store, log and loop: of domains and of their back ends */
    struct tdf_source *time_source;
    struct unmapper *unmapper; /* NULL: memory is given back by who ends a domain */
    uint64_t *memory_bytes;    /* counts what domains have, ended ones' included that devices are
                                  at work on; NULL: nobody wants to know */
    struct tracer *tracer;     /* who traces; NULL: nobody can */
    uint32_t max_pages;
    /* What every new domain gets. */
    struct back_settings settings;
    const struct back_spec *devices;
    uint32_t device_count;
    /* Attaches what each new domain gets of its own beyond that. -errno with a line for people in
     * why. NULL: nothing. */
    int (*attach_more)(void *ctx, struct domain *domain, struct why *why);
    /* Bytes wait between the domain's store ring and its store connection: call domain_pump_store
     * soon. */
    void (*store_ready)(void *ctx, struct domain *domain);
    /* A domain's flag `lost` was set. */
    void (*domain_lost)(void *ctx);
    /* There was no memory to remove what the store has of a domain that ends: its number must not
     * be given out before toolstack_remove_domain has done that. */
    void (*nodes_left)(void *ctx, domid_t domid);
    /* Asked before a device is made: what it takes of Dom0, which *lease stands for. -errno with a
     * line for people in why: it is not to be made. NULL: a device takes nothing. */
    int (*admit)(void *ctx, const struct domain *domain, const struct back_spec *spec, void **lease,
                 struct why *why);
    /* A device that was admitted is gone, or was not made. */
    void (*released)(void *ctx, const struct back_class *class, void *lease);
    void *ctx;
};

struct domain {
    const struct domain_host *host;
    domid_t domid;
    pid_t pid; /* of the process that it was made for; 0: not known */
    struct domain_memory *memory;
    struct segment segment; /* the same as memory->segment */
    int segment_fd;         /* until domain_mapped, then -1 */
    int fault_slot;
    struct doorbell doorbell;
    uint64_t store_moves; /* times that bytes went through its store ring */
    struct evtchn_table evtchn;
    struct tdf_clock clock;
    struct tdf tdf; /* as asked for; the clock itself is at 0 while paused */
    uint32_t pauses;
    struct clock_change change; /* to what was asked for, if that is not in force yet */
    struct tdf cpu_share;       /* num 0: the domain applies none, and has no such node */
    bool described;             /* CONTROL_DESCRIBE came */
    struct log_limit log_limit;
    struct back_settings settings;
    uint64_t created_ns; /* CLOCK_MONOTONIC */
    struct xs_conn *store_conn;
    bool store_broken;           /* its ring indices made no sense: ignored from then on */
    const char *lost;            /* to be destroyed: why, for the log; NULL: not so */
    struct list_node store_link; /* on the host's list of stores to pump */
    struct setting_watch setting_watch[DOMAIN_SETTINGS];
    struct poll_peer peer;               /* of its rings in Dom0's loop */
    struct back_domain seen;             /* what its back ends see of it */
    struct list devices;                 /* domain_devices.h */
    struct vbd_ring_stats departed_vbds; /* counters of disks that were taken away */
    struct tracer_domain trace;
};

/*
 * Creates domain domid for process pid (0: not known) with nr_pages of memory and a clock that runs
 * by tdf. Its segment_fd is to be sent to the process. Dom0 looks at the memory and the doorbell
 * from domain_mapped on. Errors: -errno with a line for people in why.
 */
int domain_create(const struct domain_host *host, domid_t domid, pid_t pid, uint32_t nr_pages,
                  struct tdf tdf, struct domain **out, struct why *why);
/* The domain has mapped its memory: seals it, and looks at it from now on. Errors: -EALREADY;
 * -EPERM see segment_settle; others from watching the doorbell. */
int domain_mapped(struct domain *domain);
/* Ends it: disconnects its devices, drops its nodes, unmaps its memory. NULL allowed. */
void domain_destroy(struct domain *domain);

static inline bool domain_is_mapped(const struct domain *domain)
{
    return domain->segment_fd < 0;
}

/* Real time since its creation. */
uint64_t domain_age_ns(const struct domain *domain);

/* Moves bytes between the domain's store ring and its connection. */
void domain_pump_store(struct domain *domain);

#endif
