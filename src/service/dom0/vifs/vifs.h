/* SPDX-License-Identifier: MIT */
/*
 * vifs: the network that Dom0 has, and the network interfaces of domains on it: which are there,
 * what they are called, whose address is whose.
 *
 * A vif is made in two steps, as a disk is: vifs_prepare checks its words, gives it what they leave
 * open (an address, a name, a bridge) and returns the options of its device class; when the device
 * is gone, or was not made, vifs_release forgets all of that.
 *
 * Dom0's loop thread.
 */
#ifndef SPLITDOM_SERVICE_DOM0_VIFS_VIFS_H
#define SPLITDOM_SERVICE_DOM0_VIFS_VIFS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/list.h"
#include "base/prng.h"
#include "base/why.h"
#include "service/back/vif/vif_back.h"
#include "service/dom0/vifs/vif_spec.h"
#include "service/net/link_spec.h"
#include "service/net/net.h"
#include "splitdom/xen/grant_table.h"
#include "tdf/timer.h"

struct vifs_config {
    struct timers *timers;         /* of the loop */
    struct timer_clock *real_time; /* in timers: CLOCK_MONOTONIC, watched closely */
    struct timer_clock *idle_time; /* the same, where late does not matter; NULL: nobody waits for a
                                      full interface */
    uint64_t close_watch_ns;       /* how long before its time a link's frame is watched for */
    uint64_t seed;                 /* of what domains must not guess, */
    uint64_t address_seed;         /* and of addresses: the same at the next Dom0 */
};

/* Whose a vif is. */
struct vifs_owner {
    domid_t domid;
    pid_t pid;               /* 0: not known */
    struct tdf_clock *clock; /* outlives the vif */
};

struct vifs {
    struct net net;
    struct list uses;   /* of vifs_use.of_vifs, in the order in which they were made */
    struct list trunks; /* of vifs_trunk.link, likewise */
    struct prng prng;
    struct vifs_config config;
};

/* A link, and how it was asked for (vif_links.h). */
struct vifs_link {
    struct net_link_spec spec;
    struct net_link net;
};

/* Two bridges that are joined. */
struct vifs_trunk {
    struct vifs_link net;
    struct net_bridge *bridge[NET_WAYS];
    struct list_node link;
};

/* One vif of a domain, from vifs_prepare to vifs_release. Only read by others. */
struct vifs_use {
    struct vifs *vifs;
    domid_t domid;
    uint32_t devid;
    struct vif_spec spec;
    char name[NET_PORT_NAME_SIZE]; /* of the port */
    struct vif_options options;
    struct net_port *port;  /* NULL: its front end is not connected */
    struct vifs_link *link; /* NULL: it has none */
    struct list_node of_vifs;
    struct tdf_clock *clock; /* the domain's */
    /* That clock in the loop's timers: watched closely, while there is a link in the domain's time;
     * and not so, where there is a rate. The loop looks at all clocks that it has. */
    struct timer_clock link_time, credit_time;
};

/* What config points at outlives the vifs. Errors: -ENOMEM. */
int vifs_init(struct vifs *vifs, const struct vifs_config *config);
/* All were released. A zeroed one is allowed. */
void vifs_fini(struct vifs *vifs);

/*
 * Makes a vif of the domain with that number. An address that is given is refused if another vif
 * has it; or, where soft is true, replaced. Without one it is drawn by process and number, so that
 * a domain that comes back to the next Dom0 has the one that its peers know (if two domains of one
 * process have vifs of one number: the first that comes back). Errors, with a line for people
 * in why, xl's where it has one: -ENODEV no such bridge; -EEXIST an address or a name that another
 * has; -ENOMEM.
 */
int vifs_prepare(struct vifs *vifs, const struct vifs_owner *owner, uint32_t devid,
                 const struct vif_spec *spec, bool soft, struct vifs_use **out, struct why *why);
/* Its device is not there any more. NULL allowed. */
void vifs_release(struct vifs_use *use);

/* Frames go straight again: the vif has no link any more; the bridges are not joined any more. What
 * was under way is dropped. */
void vifs_drop_link(struct vifs_use *use);
void vifs_drop_trunk(struct vifs_trunk *trunk);

/* The number of a new vif of the domain, as libxl counts: the greatest and one. Behind
 * VIF_DEVID_MAX there is none, so then the least that is free (VIF_DEVID_MAX if none is). */
uint32_t vifs_next_devid(const struct vifs *vifs, domid_t domid);
/* By "3" or "00:16:3e:00:00:03". NULL: the domain has none such. */
struct vifs_use *vifs_find(const struct vifs *vifs, domid_t domid, const char *which);
/* By the name of its port, whether it is connected or not. NULL: there is none. */
struct vifs_use *vifs_find_name(const struct vifs *vifs, const char *name);
/* After NULL the first one, NULL after the last one. */
struct vifs_use *vifs_next(const struct vifs *vifs, const struct vifs_use *use);

#endif
