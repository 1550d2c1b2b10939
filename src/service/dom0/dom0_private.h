/* SPDX-License-Identifier: MIT */
/*
 * dom0_private: struct dom0, the control plane: domains, store, sockets, settings, placement,
 * status, end. For the files dom0*.c alone:
 *   dom0.c           what the control plane does within the worker's turn; from start to end
 *   dom0_setup.c     puts it together and takes it apart
 *   dom0_wakeups.c   signals, the idle time-out, Dom0's own settings, clocks of domains
 *   dom0_domains.c   what is asked for over the control socket
 *   dom0_disks.c     its vdisks, and what disks every new domain gets
 *   dom0_attach.c    disks that come and go while a domain runs; waiting for a device to go
 *   dom0_network.c   bridges, network interfaces, and what is asked for about them
 *   dom0_status.c    what Dom0 tells of itself
 */
#ifndef SPLITDOM_SERVICE_DOM0_DOM0_PRIVATE_H
#define SPLITDOM_SERVICE_DOM0_DOM0_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "service/back/vbd/vbd_back.h"
#include "service/dom0/control.h"
#include "service/dom0/disks/vdisks.h"
#include "service/dom0/dom0.h"
#include "service/dom0/domain.h"
#include "service/dom0/placement.h"
#include "service/dom0/store_socket.h"
#include "service/dom0/vifs/vifs.h"
#include "service/loop/worker.h"

/* A disk that a domain is to get. */
struct dom0_disk {
    struct disk_spec spec;
    const struct domain *domain; /* which; NULL: every new one */
    char dev[VDEV_NAME_SIZE];
    struct vdisks_item *item;
    struct vbd_options options;
};

struct dom0 {
    const struct dom0_options *options;
    const struct rundir *rundir;
    struct log *log;
    struct worker worker; /* the data plane: all rings are there */
    const char *engine_name;
    struct vdisks vdisks;
    struct xs_server *store;
    struct store_socket *store_socket;
    struct control *control;
    struct placement placement;
    struct dom0_disk *disks;   /* what every new domain gets, at least one */
    struct back_spec *devices; /* the same as the devices that they are */
    uint32_t disk_count;
    struct list attaches, detaches; /* dom0_attach.c: for whom somebody waits */
    struct vifs vifs;
    uint64_t disks_looked_ns; /* when the network last looked whether disks are busy */
    uint64_t disks_busy_ns;   /* when they last were */
    struct domain_host host;
    struct tracer tracer;

    struct domain **domains; /* by domid; domid 0 is ourselves */
    uint32_t domain_count;
    uint64_t domains_bytes, domains_max_bytes; /* of domains' memory, see domain.h */
    uint64_t caches_max_bytes;                 /* of the images' caches, see dom0_disks.c */
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
    struct timer accepts;   /* set while a connection waits for a descriptor or memory */
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

/* The domain; NULL: there is none of that number. */
struct domain *dom0_find_domain(const struct dom0 *d, uint32_t domid);

/* dom0_disks.c */
/* Opens the images of what every new domain gets, the first one by the engine that the options name
 * or, of several, the first that works. A worker is made for it. Errors: -errno with a line in why.
 */
int dom0_disks_create(struct dom0 *d, struct why *why);
/* Accepts what dom0_disks_create has left behind when it failed. */
void dom0_disks_destroy(struct dom0 *d);
/* Makes a disk of disk->spec, whose target is an absolute path, for disk->domain. disk stays where
 * it is until it was attached. What the domain can't have changes nothing about the image. Waits up
 * to patience_ms for another service to let go of an image that is to be written. Errors: -errno
 * with a line in why. */
int dom0_disk_open(struct dom0 *d, uint32_t patience_ms, struct dom0_disk *disk, struct why *why);
/* The same with an image that is open, of disk->spec; it is taken in any case. */
int dom0_disk_take(struct dom0 *d, uint32_t patience_ms, struct image *image,
                   struct dom0_disk *disk, struct why *why);
/* What admit and released of struct domain_host do for disks. */
int dom0_disk_admit(const struct domain *domain, const struct back_spec *spec, void **lease,
                    struct why *why);
void dom0_disk_released(struct dom0 *d, struct vdisks_use *use);
/* Looks at images again, whose size or contents have changed: of the disks with that vdev, or that
 * image; NULL: all. Tells the domains. Errors: -ENODEV nothing is meant by that; those of
 * vdisk_refresh; with a line in why. */
int dom0_disks_resize(struct dom0 *d, const char *which, struct why *why);

/* dom0_attach.c: */
/* Whether disk->domain may have the disk, whose item is found, or NULL. */
int dom0_attach_allowed(const struct dom0_disk *disk, struct why *why);
/* A domain ends: who waits for an image for it is told. */
void dom0_attach_forget(struct dom0 *d, domid_t domid);
/* The functions of these names in struct control_ops. */
int dom0_attach_disk(void *ctx, uint32_t domid, const char *spec, struct control_peer *asker,
                     struct why *why);
int dom0_detach_disk(void *ctx, uint32_t domid, const char *vdev, bool force,
                     struct control_peer *asker, struct why *why);
void dom0_forget_asker(void *ctx, struct control_peer *asker);
/* -ESRCH with a line for people in why: there is no such domain. */
int dom0_need_domain(const struct dom0 *d, uint32_t domid, struct domain **out, struct why *why);
/* Takes a device away: 0; -EINPROGRESS: asker is answered later; -errno with a line in why. */
int dom0_detach_device(struct dom0 *d, struct xenbus_back *back, bool force,
                       struct control_peer *asker, struct why *why);
/* A domain's device is gone: whoever waits for that is answered. */
void dom0_device_is_gone(struct dom0 *d, const struct back_class *class, domid_t domid,
                         uint32_t devid);

/* dom0_network.c */
/* The bridges that the options name; the worker is there. Errors: -errno with a line in why. */
int dom0_network_create(struct dom0 *d, struct why *why);
/* Accepts what was never created. */
void dom0_network_destroy(struct dom0 *d);
/* Gives senders their turns, once a round. Returns whether there was or is anything to do. */
uint32_t dom0_network_run(struct dom0 *d, uint64_t now_ns);
/* attach_more of struct domain_host: the vifs that every new domain gets. */
int dom0_network_attach_more(void *ctx, struct domain *domain, struct why *why);
/* network of struct control_ops. */
int dom0_network(void *ctx, const struct control_request *request, const char *text,
                 struct control_peer *asker, char **answer, struct why *why);

/* dom0_status.c: each returns a descriptor with text, or -errno. */
int dom0_status_text(void *ctx, uint32_t *bytes);
int dom0_farewell_text(struct dom0 *d, uint32_t *bytes);

#endif
