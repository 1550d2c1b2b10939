/* SPDX-License-Identifier: MIT */
/*
 * fake_netback: the back end of a network interface (devid 0) at a fake Dom0. It does what a script
 * tells it, lies included; without one it sends each frame back.
 *
 * All functions of the script run on the fake Dom0's thread, where the fake_netback_* calls may be
 * used.
 */
#ifndef SPLITDOM_TESTS_FAKE_NETBACK_H
#define SPLITDOM_TESTS_FAKE_NETBACK_H

#include <stdbool.h>
#include <stdint.h>

#include "fakes/fake_dom0.h"
#include "ring/netif_back_ring.h"

/* A frame, and how it lies on the ring. */
struct fake_frame {
    uint32_t length_bytes;
    uint32_t nr_slots; /* that brought it, extra infos included */
    bool checksum_blank, data_validated, has_stamp;
    uint8_t gso_type;
    uint16_t gso_size_bytes;
    uint64_t stamp_ns; /* its low 48 bits */
    uint32_t ids[32];  /* of the requests; */
    uint32_t nr_ids;   /* not answered yet when the script sees them */
    uint8_t data[65535];
};

struct fake_netback_queue {
    evtchn_port_t tx_port, rx_port;
    struct netif_tx_back_ring tx;
    struct netif_rx_back_ring rx;
};

struct fake_netback {
    /* The test's, before it starts. */
    void (*frame)(struct fake_netback *vif,
                  const struct fake_frame *frame); /* NULL: answers and echoes */
    void (*idle)(struct fake_netback *vif);        /* all that has come was looked at */
    void *ctx;
    bool no_split, no_sg, no_gso, stamps, persistent, refuse;
    const char *mac, *mtu, *carrier; /* NULL: 00:16:3e:00:00:01, none, none */
    const char *queues;              /* that it offers; NULL: says nothing */
    uint32_t piece_bytes;            /* of an echoed frame; 0: 4096 */
    /* The fake's. */
    struct fake_dom0 *dom0;
    struct xs_server *store;
    struct xs_local_watch *watch;
    int front_state;
    bool connected, seen_closing;
    struct fake_netback_queue queue[8];
    uint32_t queue_count;
    uint32_t here; /* the queue that the calls below are of: where the script's frame came from */
    struct fake_frame last;
};

/* Sets what of the script makes this interface a device of that Dom0. */
void fake_netback_script(struct fake_netback *vif, struct fake_dom0_script *script);

/* Answers all requests of a frame, with the status for the first one. */
void fake_netback_answer(struct fake_netback *vif, const struct fake_frame *frame, int16_t status);
/* Puts a frame on the rx ring; false: there are too few pages. */
bool fake_netback_deliver(struct fake_netback *vif, const struct fake_frame *frame);
/* How many pages are posted and unused. */
uint32_t fake_netback_posted(struct fake_netback *vif);
/* Shows what was answered and delivered, and notifies. */
void fake_netback_flush(struct fake_netback *vif);
/* Writes a node of the back end. */
void fake_netback_node(struct fake_netback *vif, const char *node, const char *value);
/* Reads a node of the front end; "": none. */
const char *fake_netback_front_node(struct fake_netback *vif, const char *node, char value[64]);

#endif
