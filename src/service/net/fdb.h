/* SPDX-License-Identifier: MIT */
/*
 * net_fdb: where a bridge has last seen which address (the forwarding database).
 *
 * Addresses of vifs are fixed: nobody else's frames move them, and they do not age. All others are
 * learned from the frames that come in, and forgotten when nothing came from them for the ageing
 * time. A port has at most NET_FDB_PORT_MAX learned ones: when it shows more, its own oldest ones
 * go, so a flood of addresses costs the others nothing.
 *
 * Dom0's loop thread.
 */
#ifndef SPLITDOM_SERVICE_NET_FDB_H
#define SPLITDOM_SERVICE_NET_FDB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct net_port;
struct net_fdb_entry;

enum {
    NET_FDB_PORT_MAX = 256,
    NET_FDB_BUCKETS = 4096,
};

struct net_fdb {
    uint64_t ageing_ns;
    uint64_t secret; /* so that nobody can choose addresses that share a bucket */
    struct net_fdb_entry **buckets;
    uint32_t count;    /* entries, also those that are too old */
    uint64_t moved;    /* times that an address was seen at another port than before */
    uint64_t recycled; /* times that a port's oldest address made room */
};

/* What the table has of one port. Zeroed: nothing. */
struct net_fdb_share {
    struct list learned; /* the one seen longest ago first */
    uint32_t learned_count;
    struct list fixed;
};

/* Errors: -ENOMEM. */
int net_fdb_init(struct net_fdb *fdb, uint64_t ageing_ns, uint64_t secret);
/* All ports were dropped. A zeroed one is allowed. */
void net_fdb_fini(struct net_fdb *fdb);

/* The address is this port's for as long as share is not dropped. -EEXIST: it is another's already.
 * -ENOMEM. */
int net_fdb_fix(struct net_fdb *fdb, struct net_port *port, struct net_fdb_share *share,
                uint64_t mac);
/* A frame came in from this address, which is no group. false: the address is fixed at another
 * port. Where there is no memory, nothing is learned. */
bool net_fdb_learn(struct net_fdb *fdb, struct net_port *port, struct net_fdb_share *share,
                   uint64_t mac, uint64_t now_ns);
/* NULL: unknown, or too old. */
struct net_port *net_fdb_find(struct net_fdb *fdb, uint64_t mac, uint64_t now_ns);
/* Forgets all that belongs to the port. */
void net_fdb_drop(struct net_fdb *fdb, struct net_fdb_share *share);

#endif
