/* SPDX-License-Identifier: MIT */
/*
 * fake_vif: one queue of a network interface between an honest front end and a network that keeps
 * what comes, with a clock that stands still until it is moved.
 */
#ifndef SPLITDOM_TESTS_FAKE_VIF_H
#define SPLITDOM_TESTS_FAKE_VIF_H

#include "fakes/fake_netfront.h"
#include "fakes/fake_network.h"
#include "service/back/vif/vif_queue.h"

enum { FAKE_VIF_PORT = 5, FAKE_VIF_VCPU = 1 };

struct fake_vif {
    struct fake_netfront front;
    struct fake_network net;
    struct net_port port;
    struct vif_queue_config config; /* to be changed before fake_vif_connect */
    struct vif_queue *q;            /* NULL: not connected */
    struct pollables loop;
    struct poll_peer peer;
    struct tdf_source time;
    struct tdf_clock clock;
    struct tdf tdf;
    const char *broken; /* what the queue said when it was halted */
};

/* All but connected. Rings start at index. 0 or -errno. */
int fake_vif_open(struct fake_vif *v, uint32_t index);
int fake_vif_connect(struct fake_vif *v);
void fake_vif_disconnect(struct fake_vif *v, struct vif_stats *total);
void fake_vif_close(struct fake_vif *v);

/* CLOCK_MONOTONIC, as the queue sees it. */
uint64_t fake_vif_now_ns(const struct fake_vif *v);
/* The loop looks at the rings until nothing happens any more, and then arms them. */
void fake_vif_turn(struct fake_vif *v);
/* The doorbell was rung: the same, if the front end had reason to. */
void fake_vif_ring(struct fake_vif *v, bool notify);
/* Delivers a frame of so many bytes (fake_network_frame). */
void fake_vif_deliver(struct fake_vif *v, uint32_t length_bytes, uint32_t seed);
/* Frames that were dropped for any reason. */
uint64_t fake_vif_drops(const struct fake_vif *v);

#endif
