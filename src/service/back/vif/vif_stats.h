/* SPDX-License-Identifier: MIT */
/*
 * vif_stats: what a network interface has done, counted. tx is what its front end sends, rx what it
 * gets. Frames that were dropped after tx and before rx are counted by the port (service/net).
 */
#ifndef SPLITDOM_SERVICE_BACK_VIF_VIF_STATS_H
#define SPLITDOM_SERVICE_BACK_VIF_VIF_STATS_H

#include <stdint.h>

struct vif_stats {
    uint64_t tx_frames, tx_bytes; /* copied and handed to the port */
    uint64_t tx_slots;            /* taken off the ring, extra infos included */
    uint64_t tx_errors;           /* frames answered NETIF_RSP_ERROR */
    uint64_t tx_dropped;          /* frames answered NETIF_RSP_DROPPED: no memory */
    uint64_t rx_frames, rx_bytes; /* put on the ring */
    uint64_t rx_slots;            /* of the ring, that they took */
    uint64_t rx_errors;           /* frames with a page that could not be written */
    uint64_t rx_unfit;            /* frames that the front end has not said it takes */
    uint64_t rx_no_room;          /* frames that found the queue full */
    uint64_t rx_expired;          /* frames that waited in the queue for too long */
    uint64_t rx_stalls;           /* times that the front end was found to take nothing */
    uint64_t rx_stalled;          /* frames dropped for that */
    uint64_t rx_left;             /* frames that waited when it disconnected, or came halted */
    uint64_t rx_segmented; /* large frames that were cut here, as the front end takes none, */
    uint64_t rx_parts;     /* and what they were cut into: the above count these */
    uint64_t notifies;     /* events sent to the domain */
    uint64_t wakes;        /* of these: the vCPU may have slept */
};

/* What has become of all frames that were delivered, and of the parts that some were cut into. With
 * what waits in queues it is their number: none is lost, none is counted twice. */
static inline uint64_t vif_stats_delivered(const struct vif_stats *stats)
{
    return stats->rx_frames + stats->rx_errors + stats->rx_unfit + stats->rx_no_room +
           stats->rx_expired + stats->rx_stalled + stats->rx_left + stats->rx_segmented -
           stats->rx_parts;
}

static inline void vif_stats_add(struct vif_stats *to, const struct vif_stats *from)
{
    to->tx_frames += from->tx_frames;
    to->tx_bytes += from->tx_bytes;
    to->tx_slots += from->tx_slots;
    to->tx_errors += from->tx_errors;
    to->tx_dropped += from->tx_dropped;
    to->rx_frames += from->rx_frames;
    to->rx_bytes += from->rx_bytes;
    to->rx_slots += from->rx_slots;
    to->rx_errors += from->rx_errors;
    to->rx_unfit += from->rx_unfit;
    to->rx_no_room += from->rx_no_room;
    to->rx_expired += from->rx_expired;
    to->rx_stalls += from->rx_stalls;
    to->rx_stalled += from->rx_stalled;
    to->rx_left += from->rx_left;
    to->rx_segmented += from->rx_segmented;
    to->rx_parts += from->rx_parts;
    to->notifies += from->notifies;
    to->wakes += from->wakes;
}

#endif
