/* SPDX-License-Identifier: MIT */
/*
 * fake_netfront: an honest network front end in the thread of the test: a domain's memory with both
 * rings in it, pages for frames, and what Linux's front end does with them. A test makes it lie by
 * writing into its memory.
 */
#ifndef SPLITDOM_TESTS_FAKE_NETFRONT_H
#define SPLITDOM_TESTS_FAKE_NETFRONT_H

#include <stdbool.h>
#include <stdint.h>

#include "ring/netif_front_ring.h"
#include "ring/segment.h"

enum {
    FAKE_NETFRONT_TX_RING_REF = 8,
    FAKE_NETFRONT_RX_RING_REF = 9,
    FAKE_NETFRONT_TX_REF = 16, /* NETIF_RING_ENTRIES pages, one for each slot */
    FAKE_NETFRONT_RX_REF = FAKE_NETFRONT_TX_REF + NETIF_RING_ENTRIES,
    FAKE_NETFRONT_FRAME_MAX = 65535,
};

struct fake_netfront {
    struct segment segment;
    int fd;
    uint32_t tx_pfn, rx_pfn; /* of the data pages */
    struct netif_tx_front_ring tx;
    struct netif_rx_front_ring rx;
};

/* What is to be sent, beside the bytes. */
struct fake_tx {
    uint16_t flags;   /* NETTXF_csum_blank, NETTXF_data_validated */
    uint8_t gso_type; /* 0: none */
    uint16_t gso_size;
    bool has_stamp;
    uint64_t stamp_ns;
    uint32_t piece_bytes; /* of each page but the first, at most; 0: XEN_PAGE_SIZE */
};

struct fake_rx {
    uint8_t data[FAKE_NETFRONT_FRAME_MAX];
    uint32_t length_bytes;
    uint32_t slots;
    uint16_t flags;
    uint8_t gso_type;
    uint16_t gso_size;
    bool has_stamp;
    struct netif_extra_info stamp;
    bool failed; /* a piece came as an error */
};

/* Both rings start at index. 0 or -errno. */
int fake_netfront_open(struct fake_netfront *nf, domid_t domid, uint32_t index);
void fake_netfront_close(struct fake_netfront *nf);
/* Empty rings, from index on. No back end has them. */
void fake_netfront_restart(struct fake_netfront *nf, uint32_t index);

/* Fills slots for one frame and shows them. Returns how many slots; 0: there is no room for them.
 * *notify (may be NULL): the doorbell is to be rung. */
uint32_t fake_netfront_send(struct fake_netfront *nf, const uint8_t *data, uint32_t length_bytes,
                            const struct fake_tx *how, bool *notify);
/* Posts so many pages, as far as there is room; returns how many. */
uint32_t fake_netfront_post(struct fake_netfront *nf, uint32_t count, bool *notify);
/* Takes a frame: 1, or 0: there is none; -EPROTO: the back end broke the protocol. */
int fake_netfront_receive(struct fake_netfront *nf, struct fake_rx *out);

#endif
