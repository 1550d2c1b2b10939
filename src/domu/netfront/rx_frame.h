/* SPDX-License-Identifier: MIT */
/*
 * rx_frame: one frame off the rx ring: which pieces of which pages it is, judged.
 *
 * Page i of nr_pages is posted at all ring indices that are i modulo nr_pages, with i as its id:
 * pages come back in the order in which they were posted, so no list of free ones is needed.
 */
#ifndef SPLITDOM_DOMU_NETFRONT_RX_FRAME_H
#define SPLITDOM_DOMU_NETFRONT_RX_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "ring/netif_front_ring.h"

enum {
    RX_FRAME_PIECES_MAX = XEN_NETIF_NR_SLOTS_MIN,
    RX_FRAME_EXTRAS_MAX = XEN_NETIF_EXTRA_TYPE_MAX, /* each type once, and ours */
    RX_FRAME_BYTES_MIN = 14,
};

struct rx_frame {
    uint32_t nr_slots; /* of the ring, extra infos included; 0: no frame */
    uint32_t nr_pieces;
    struct rx_piece {
        uint16_t page, offset, bytes;
    } piece[RX_FRAME_PIECES_MAX];
    uint32_t length_bytes;
    bool damaged; /* the back end says so: there are no data */
    bool checksum_blank, data_validated;
    uint8_t gso_type;
    uint16_t gso_size_bytes;
    bool has_stamp;
    struct netif_extra_info stamp;
};

/*
 * Takes the next frame off the ring. Returns 1; 0 when there is none; -EPROTO when what the back
 * end wrote is no frame, or not a whole one: a piece outside its page, a page that was not posted
 * there, too long, or of kinds that were not agreed on.
 */
int rx_frame_take(struct netif_rx_front_ring *ring, uint32_t nr_pages, bool stamps,
                  struct rx_frame *out);

/* Copies up to room_bytes of the data to `to`; page 0 is at pages. */
void rx_frame_copy(const struct rx_frame *frame, const uint8_t *pages, void *to,
                   uint32_t room_bytes);

#endif
