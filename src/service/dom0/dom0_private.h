/* SPDX-License-Identifier: MIT */
/*
 * dom0_private: struct dom0, the control plane: domains, store, sockets, settings, placement,
 * status, end. For the files dom0*.c alone:
 *   dom0.c           what the control plane does within the worker's turn; from start to end
 *   dom0_setup.c     puts it together and takes it apart
 *   dom0_wakeups.c   signals, the idle time-out, Dom0's own settings, clocks of domains
 *   dom0_domains.c   what is asked for over the control socket
 *   dom0_status.c    what Dom0 tells of itself
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
#include "service/loop/worker.h"

struct dom0 {
    const struct dom0_options *options;
    const struct rundir *rundir;
    struct log *log;
    struct worker worker; /* the data plane: all rings are there */
    const char *engine_name;
    struct device *device; /* what the vdisk lies on */
    struct vdisk *vdisk;
    uint64_t cache_bytes;
    struct xs_server *store;
    struct store_socket *store_socket;
    struct control *control;
    struct placement placement;
    struct vbd_options disk;     /* what every new domain gets: this disk, */
    struct back_spec devices[1]; /* by this number */
    struct domain_host host;

    struct domain **domains; /* by domid; domid 0 is ourselves */
    uint32_t domain_count;
    uint64_t domains_bytes, domains_max_bytes; /* of domains' memory, see domain.h */
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
    struct tdf tdf;                 /* of the worker's clock, which is Dom0's own */
    struct timer idle;
    uint64_t claimed_reads; /* as the idle timer has seen them */
    struct timer accepts; /* set while a connection waits for a descriptor or memory */
    int signal_fd;
    struct poller_watch *signal_watch;
    struct xs_local_watch *refresh_watch;

    struct vbd_ring_stats departed; /* of domains that have ended */
    uint64_t started_ns;            /* Dom0's clock */
    uint64_t started_real_ns;       /* CLOCK_MONOTONIC */
    bool stopping;
    const char *stop_reason;
};

/* dom0.c */
extern const struct worker_ops dom0_worker_ops; /* ctx: struct dom0 */
extern const struct gated_work_ops dom0_store_work_ops, dom0_control_work_ops;

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
