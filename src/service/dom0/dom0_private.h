/* SPDX-License-Identifier: MIT */
/*
 * dom0_private: struct dom0, for the three files that make up Dom0's top: dom0.c (assembly and
 * loop), dom0_domains.c (the control socket's wishes) and dom0_status.c (what it tells of itself).
 */
#ifndef SPLITDOM_SERVICE_DOM0_DOM0_PRIVATE_H
#define SPLITDOM_SERVICE_DOM0_DOM0_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "service/back/vbd/vbd_back.h"
#include "service/dom0/control.h"
#include "service/dom0/dom0.h"
#include "service/dom0/domain.h"
#include "service/dom0/placement.h"
#include "service/dom0/store_socket.h"
#include "service/loop/pollables.h"
#include "service/loop/work_gate.h"
#include "tdf/timer.h"

/* Work beside the rings, which has a share of the time. */
struct gated_work {
    struct work_gate gate;
    struct timer opens; /* set while there is work that must not be done yet */
};

struct dom0 {
    const struct dom0_options *options;
    const struct rundir *rundir;
    struct log *log;
    struct poller *poller;
    const char *engine_name;
    struct device *device; /* what the vdisk lies on */
    struct vdisk *vdisk;
    uint64_t cache_bytes;
    struct xs_server *store;
    struct store_socket *store_socket;
    struct control *control;
    struct pollables pollables;
    struct placement placement;
    struct vbd_options disk;     /* what every new domain gets: this disk, */
    struct back_spec devices[1]; /* by this number */
    struct domain_host host;

    struct domain **domains; /* by domid; domid 0 is ourselves */
    uint32_t domain_count;
    uint64_t domains_bytes, domains_max_bytes; /* of all domains' memory */
    struct unmapper *unmapper;                 /* of those that have ended; may be NULL */
    domid_t domid_last;                        /* domids are reused as late as possible */
    struct list store_pending;                 /* domains whose store ring is to be pumped */
    struct gated_work store_work, control_work;
    bool any_lost;    /* a domain is, see domain.h */
    bool *nodes_left; /* by domid: the store is to be cleared of what has ended */
    uint32_t nodes_left_count;
    uint64_t domains_created;
    struct log_limit domain_log_limit; /* coming and going costs a process nothing */
    struct log_limit device_log_limit; /* nor do states and storms */
    struct log_limit image_log_limit;  /* nor does asking for a resize */

    struct tdf_source real_time;
    struct tdf_source *time_source; /* mostly that one; all clocks are driven by it */
    struct tdf tdf;
    struct tdf_clock clock; /* Dom0's own */
    uint64_t reanchored_ns; /* CLOCK_MONOTONIC */
    struct timers timers;
    struct timer_clock own_time;  /* Dom0's own clock in timers */
    struct tdf_clock hold_clock;  /* CLOCK_MONOTONIC */
    struct timer_clock hold_time; /* the same in timers: what disks hold back, watched closely */
    struct timer_clock gate_time; /* the same in timers: gates, where late is no matter */
    struct timer idle;
    bool timer_failed; /* and was logged */
    int timer_fd;
    struct poller_watch *timer_watch;
    int signal_fd;
    struct poller_watch *signal_watch;
    struct xs_local_watch *refresh_watch;

    uint64_t now_ns; /* CLOCK_MONOTONIC as of a few turns ago at most */
    uint32_t turns_since_reading;
    bool slept;                     /* since the last turn */
    uint64_t requests;              /* taken off all rings, ever */
    uint64_t last_request_ns;       /* Dom0's clock */
    struct vbd_ring_stats departed; /* of domains that have ended */
    uint64_t started_ns;            /* Dom0's clock */
    bool stopping;
    const char *stop_reason;
};

/* dom0.c */
/* One turn of the loop, without sleeping. True: nothing is left to be done, Dom0 may sleep. */
bool dom0_turn(struct dom0 *d);
/* Sleeps until there may be something to be done. */
void dom0_sleep(struct dom0 *d);

/* dom0_domains.c */
extern const struct control_ops dom0_control_ops; /* ctx: struct dom0 */
/* Ends domains that have lost pages of their memory, and those that are lost. */
void dom0_end_faulted(struct dom0 *d);
/* Tries again to remove nodes of domains that have ended (domain_host.nodes_left). */
void dom0_clear_away(struct dom0 *d);

/* dom0_status.c: each returns a descriptor with text, or -errno. */
int dom0_status_text(void *ctx, uint32_t *bytes);
int dom0_farewell_text(struct dom0 *d, uint32_t *bytes);

#endif
