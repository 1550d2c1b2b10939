/* SPDX-License-Identifier: MIT */
/*
 * client: one user of a vdisk, for as long as it has that disk: its requests that wait, its share
 * of the device, and how much slower than the device its disk is to be.
 *
 * A back end opens a client when it is created, not when it connects: weight and scale have their
 * one home here and outlive any ring.
 *
 * A scaled client's disk is slower than the device: what the device has done in r ns of
 * CLOCK_MONOTONIC is answered scale * r after it was sent there. Until then the request keeps its
 * token: a scaled client has at most as many requests queued, at the device or held back as the
 * device has places; what is more waits outside. So waiting for a turn is scaled like the service.
 * Nobody else waits for that: held requests take no place of the device's.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_CLIENT_H
#define SPLITDOM_SERVICE_BLOCK_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "service/block/sched.h"
#include "service/block/vdisk.h"
#include "splitdom/tdf.h"

/* Embed in the back end's half of a disk. Fields are the block layer's own. */
struct block_client {
    struct sched_entity entity;
    struct vdisk *vdisk;
    struct list queue; /* requests that wait for a turn */
    struct list gated; /* scaled only: requests that wait for a token */
    uint32_t tokens;   /* requests queued, at the device or held */
    struct tdf scale;
    struct list_node of_vdisk;
    void (*changed)(void *ctx); /* see block_client_on_change; or NULL */
    void *changed_ctx;
};

/* With the default weight and a scale of 1. The vdisk outlives the client. */
void block_client_open(struct block_client *client, struct vdisk *vdisk);
/* Its requests are all done or cancelled; where block_cancel returned false, done was called: from
 * inside of that the client may be closed. Reads in flight go on without it. A client that is all
 * zero was never open: nothing happens. */
void block_client_close(struct block_client *client);

/* changed is called when the vdisk's flush or discard has turned false: from inside of
 * device_dispatch or of the poller, before the request that made it so is answered. It must not
 * close clients. NULL: nobody wants to know, as at first. */
void block_client_on_change(struct block_client *client, void (*changed)(void *ctx), void *ctx);

/* Share of the device while others want it, too. Errors: -EINVAL not in 1..SCHED_WEIGHT_MAX. */
int block_client_set_weight(struct block_client *client, uint32_t weight);
/* Have requests of the client had to wait for turns within the last second? Where those of another
 * client of the device have, too, the weights decide who gets how much. */
bool block_client_waits(const struct block_client *client, uint64_t now_ns);

/* Whether requests of the client may be traced (block_request.at_ns): not at first, and not when it
 * is closed. Each change but once. */
void block_client_trace(struct block_client *client, bool traced);

/* What waits where. */
struct block_client_load {
    uint32_t turn;   /* requests that wait for a turn */
    uint32_t device; /* its reads at the device, and requests that wait for somebody's read there */
};

/* For people: counts the requests of a scaled client that wait, one by one. */
struct block_client_load block_client_load(const struct block_client *client);

/* Counts for what ends at the device from now on. Errors: as block_scale_check. */
int block_client_set_scale(struct block_client *client, struct tdf scale);
struct tdf block_client_scale(const struct block_client *client);
/* Whether a scale is one: 0, or -ERANGE below 1 (an answer can't come before its data) or above
 * TDF_LIMIT. */
int block_scale_check(struct tdf scale);

#endif
