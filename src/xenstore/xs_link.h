/* SPDX-License-Identifier: MIT */
/*
 * xs_link: the domain's half of its store page: whole messages over the two byte rings.
 *
 * The store is not trusted. Each call reads an index of the store once and checks it; lengths are
 * checked, and bytes are copied before they are interpreted. This side keeps its own indices
 * privately and never reads them back.
 */
#ifndef SPLITDOM_XENSTORE_XS_LINK_H
#define SPLITDOM_XENSTORE_XS_LINK_H

#include <stdbool.h>
#include <stddef.h>

#include "splitdom/xen/xs_wire.h"

struct xs_message {
    struct xsd_sockmsg hdr;
    char payload[XENSTORE_PAYLOAD_MAX];
};

struct xs_link {
    struct xenstore_domain_interface *page;
    uint32_t req_prod, rsp_cons;
    struct xs_message out; /* being sent: out_sent of out_size bytes are in the ring */
    size_t out_sent, out_size;
    struct xs_message in; /* being received: in_used bytes have come */
    size_t in_used;
};

void xs_link_init(struct xs_link *link, struct xenstore_domain_interface *page);

/* Puts as much of link->out into the ring as fits. Returns the bytes moved, or -EPROTO. */
int xs_link_send(struct xs_link *link);

/*
 * Takes bytes until link->in is complete or the ring is empty. Returns the bytes moved, or -EPROTO.
 * *complete: link->in holds a whole message, valid until the next call.
 */
int xs_link_receive(struct xs_link *link, bool *complete);

#endif
