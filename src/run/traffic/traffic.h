/* SPDX-License-Identifier: MIT */
/*
 * traffic: frames out of an interface of a domain, and a look at those that come in: the network's
 * workload and its judge.
 */
#ifndef SPLITDOM_RUN_TRAFFIC_TRAFFIC_H
#define SPLITDOM_RUN_TRAFFIC_TRAFFIC_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "run/traffic/traffic_options.h"
#include "run/traffic/traffic_stream.h"
#include "run/traffic/traffic_times.h"
#include "run/vif_session.h"

enum {
    TRAFFIC_STREAMS_MAX = 64,
    TRAFFIC_QUEUES_MAX = NETFRONT_QUEUES_MAX,
    /* From one buffer to the next: if they lay 64 KiB apart the beginnings of all would compete for
     * the same lines of a cache. Like this frames up to 1536 bytes lie beside each other there. */
    TRAFFIC_BUFFER_BYTES = 65536 + 1536,
};

struct traffic {
    const struct traffic_options *options;
    struct vif_session *session;
    uint32_t queues;           /* that the interface has */
    uint32_t stream;           /* ours: queue i's is the one i behind it */
    uint64_t begin_ns, end_ns; /* of the sending, or receiving: the domain's clock */

    pthread_mutex_t lock;                                /* for the rest: */
    uint64_t sent_frames, sent_bytes;                    /* by senders that have ended */
    struct traffic_stream *streams[TRAFFIC_STREAMS_MAX]; /* of those who send to us */
    uint32_t stream_count, ended_count;
    struct traffic_stream *returned; /* our own, as they came back: of each queue */
    struct traffic_times *round_trips;
    uint64_t received_frames, received_bytes, corrupt, foreign;
    uint64_t unheard; /* of more streams than there is room for */
    uint64_t not_echoed;
    int error; /* of the interface */
    bool stops;
    int changed_fd; /* eventfd: an end came, or an error */
};

/* Errors: -errno, with the line in why. */
int traffic_init(struct traffic *traffic, const struct traffic_options *options,
                 struct vif_session *session, struct why *why);
void traffic_fini(struct traffic *traffic);

/* The interface's present address: another Dom0 gives another one. */
void traffic_own_mac(const struct traffic *traffic, uint8_t mac[TRAFFIC_MAC_BYTES]);

/* traffic_send.c: sends what is asked for, in all queues. Returns 0, also after a signal; errors:
 * of the interface, or no thread is to be had.
 */
int traffic_send(struct traffic *traffic);

/* A thread that receives in its queue, until traffic->stops. */
struct traffic_receiver {
    struct traffic *traffic;
    uint32_t queue;
    pthread_t thread;
};
/* arg: struct traffic_receiver. */
void *traffic_receive(void *arg);

/* traffic_report.c */
void traffic_report(struct traffic *traffic);

#endif
