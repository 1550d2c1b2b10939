/* SPDX-License-Identifier: MIT */
/*
 * domain: one DomU as Dom0 holds it: memory, doorbell, ports, clock, store connection, disk.
 *
 * Created for a control connection and destroyed when that connection ends, however the process
 * died. All of it belongs to Dom0's loop thread.
 */
#ifndef SPLITDOM_SERVICE_DOM0_DOMAIN_H
#define SPLITDOM_SERVICE_DOM0_DOMAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "ring/segment.h"
#include "service/back/evtchn_table.h"
#include "service/back/vbd_back.h"
#include "service/loop/doorbell.h"
#include "service/loop/pollables.h"
#include "service/loop/poller.h"
#include "tdf/clock.h"
#include "xenstore/xs_conn.h"

struct domain;

/* What a domain needs of Dom0; outlives all domains. */
struct domain_host {
    struct poller *poller;
    struct xs_server *store;
    struct log *log;
    struct log_limit *log_limit; /* of lines about any domain: a new domain is no new allowance */
    struct disk_queue *disk_queue;
    const struct image *image;
    struct tdf_source *time_source;
    const char *image_path;
    bool virtual_completion; /* the disk is the model */
    struct tdf disk_scale;   /* of new domains */
    uint32_t max_ring_page_order;
    uint32_t max_pages;
    struct pollables *pollables;
    /* Bytes wait between the domain's store ring and its store connection: call domain_pump_store
     * soon. */
    void (*store_ready)(void *ctx, struct domain *domain);
    /* A domain's flag `lost` was set. */
    void (*domain_lost)(void *ctx);
    /* There was no memory to remove what the store has of a domain that ends: its number must not
     * be given out before toolstack_remove_domain has done that. */
    void (*nodes_left)(void *ctx, domid_t domid);
    void *ctx;
};

struct domain {
    const struct domain_host *host;
    domid_t domid;
    struct segment segment;
    int segment_fd; /* until domain_mapped, then -1 */
    int fault_slot;
    struct doorbell doorbell;
    uint64_t store_moves; /* times that bytes went through its store ring */
    struct evtchn_table evtchn;
    struct tdf_clock clock;
    struct tdf tdf; /* as asked for; the clock itself is at 0 while paused */
    bool paused;
    struct log_limit log_limit;
    struct tdf disk_scale;
    uint64_t created_ns; /* CLOCK_MONOTONIC */
    struct xs_conn *store_conn;
    bool store_broken;           /* its ring indices made no sense: ignored from then on */
    bool lost;                   /* to be destroyed: it can't be told what happened */
    struct list_node store_link; /* on the host's list of stores to pump */
    struct xs_local_watch *weight_watch, *tdf_watch, *pause_watch, *scale_watch;
    struct vbd_back *vbd;
    struct poll_peer peer; /* of its rings in Dom0's loop */
};

/*
 * Creates domain domid with nr_pages of memory and a clock that runs by tdf; segment_fd is to be
 * sent to it. Dom0 looks at its memory and doorbell from domain_mapped on. Errors: -errno with a
 * line for people in why.
 */
int domain_create(const struct domain_host *host, domid_t domid, uint32_t nr_pages, struct tdf tdf,
                  struct domain **out, char *why, size_t why_bytes);
/* The domain has mapped its memory: seals it, and looks at it from now on. Errors: -EALREADY;
 * -EPERM see segment_settle; others from watching the doorbell. */
int domain_mapped(struct domain *domain);
/* Ends it: disconnects the disk, drops its nodes, unmaps its memory. NULL allowed. */
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
