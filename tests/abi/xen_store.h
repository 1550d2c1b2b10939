/* SPDX-License-Identifier: MIT */
/*
 * xen_store: a xenstore client on the ring page of a domain, as Linux' xenbus_comms.c and mini-os'
 * xenbus.c do it. One request at a time; watch events are only counted.
 *
 * Functions return 0 or -errno: the error that the store named, -ETIMEDOUT, or -EPROTO.
 */
#ifndef SPLITDOM_TESTS_ABI_XEN_STORE_H
#define SPLITDOM_TESTS_ABI_XEN_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "xen_events.h"

struct xenstore_domain_interface;

struct xen_store {
    struct xenstore_domain_interface *ring;
    struct xen_events *events;
    uint32_t req_id;
    uint32_t tx_id;         /* of the transaction that is open, 0 if none */
    uint32_t watches_fired; /* and not waited for yet */
    char payload[4096 + 1]; /* of the last message, NUL added */
    uint32_t payload_bytes;
};

/* The value, NUL added, stays valid until the next call: store->payload. */
int xen_store_read(struct xen_store *store, const char *path);
int xen_store_write(struct xen_store *store, const char *path, const char *value);
int xen_store_rm(struct xen_store *store, const char *path);
int xen_store_watch(struct xen_store *store, const char *path);
int xen_store_unwatch(struct xen_store *store, const char *path);
/* Sleeps until some watch has fired since the last call. */
int xen_store_wait_watch(struct xen_store *store);
int xen_store_begin(struct xen_store *store);
/* -EAGAIN: do the whole transaction again. */
int xen_store_commit(struct xen_store *store);

#endif
