/* SPDX-License-Identifier: MIT */
/*
 * vif_back: the device class vif: what the back end of a network interface tells its front end and
 * wants to know of it. Its states are xenbus_back's, its frames vif_queue's. What the interface is
 * connected to is its options' business. (Linux: xen-netback/xenbus.c, interface.c.)
 */
#ifndef SPLITDOM_SERVICE_BACK_VIF_VIF_BACK_H
#define SPLITDOM_SERVICE_BACK_VIF_VIF_BACK_H

#include "service/back/vif/vif_queue.h"
#include "service/back/vif/vif_transport.h"
#include "service/back/xenbus_back.h"
#include "service/net/port.h"

extern const struct back_class vif_class;

struct vif_options;

/* The network behind. All required. */
struct vif_network {
    /* The front end is connected: puts the domain's port on the options' bridge and gives it its
     * turns. Errors: -errno, and *what says what was wrong, for people and for the node
     * hotplug-error. */
    int (*join)(void *ctx, struct net_port *port, const struct back_domain *domain,
                const struct vif_options *options, const char **what);
    /* The options' rate, of which join knew, is another one from now on. The port has joined. */
    void (*limit)(void *ctx, struct net_port *port, const struct vif_options *options);
    /* The port, which has joined, is on no network any more. */
    void (*leave)(void *ctx, struct net_port *port);
};

/* The options of vif_class. All that it points to outlives the device. */
struct vif_options {
    const struct vif_network *network;
    void *network_ctx;
    uint8_t mac[NET_MAC_BYTES];
    const char *bridge;   /* as the node of that name tells */
    const char *vif_name; /* of the port, and the node vifname; NULL: vifDOMID.DEVID, no node */
    /* The node `rate` at first: so many bytes in each interval; 0: no node. Then what that node
     * says (vif_nodes.h). Who limits is the network. */
    uint64_t rate_bytes;
    uint32_t rate_interval_us;
    uint32_t mtu;        /* 0: 1500 */
    uint32_t max_queues; /* 1..VIF_QUEUES_MAX; 0: as many as there are CPUs, if not more */
    bool untrusted;      /* trusted 0: the front end is told to keep its data from the back end */
    bool stamps;         /* times of frames are offered */
    bool persistent;     /* so is that pages stay granted; Linux's back end does not */
    uint64_t (*now_ns)(void *now_ctx); /* CLOCK_MONOTONIC; NULL: the kernel's */
    void *now_ctx;
    struct timer_clock *idle_time; /* see struct vif_queue_config */
};

/* Of a back end whose class is vif_class; its options are those that it was made of, with the rate
 * that holds. */
const struct vif_options *vif_back_options(const struct xenbus_back *back);
struct net_port *vif_back_port(struct xenbus_back *back);
/* NULL while it is not connected, and beyond the last. */
struct vif_queue *vif_back_queue(const struct xenbus_back *back, uint32_t queue);
/* Counters over all connections of this device so far. */
struct vif_stats vif_back_stats(const struct xenbus_back *back);
/* How many of the front end's pages stay in use for frames. */
uint32_t vif_back_persistent_grants(const struct xenbus_back *back);
/* Does one of its queues take nothing? */
bool vif_back_is_stalled(const struct xenbus_back *back);

#endif
