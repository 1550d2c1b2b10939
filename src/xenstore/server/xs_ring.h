/* SPDX-License-Identifier: MIT */
/*
 * xs_ring: the byte rings of a domain's store page, the store's side.
 *
 * Two rings of 1024 bytes with free-running indices (docs/misc/xenstore-ring.txt of Xen). The
 * domain can write every byte of the page at any time. So each call reads an index once and checks
 * it, and bytes are copied before they are interpreted. xs_link.h is the other half.
 */
#ifndef SPLITDOM_XENSTORE_SERVER_XS_RING_H
#define SPLITDOM_XENSTORE_SERVER_XS_RING_H

#include <stdbool.h>

#include "splitdom/xen/xs_wire.h"
#include "xenstore/server/xs_conn.h"

/* Prepares the page before the domain sees it: empty rings, features reconnection and error. */
void xs_ring_init(struct xenstore_domain_interface *page);

/*
 * Moves what can be moved now: requests from the page into conn, replies and events from conn into
 * the page. Never blocks, and moves a bounded number of bytes. Call it when the domain's event
 * channel fired, when conn's output is ready, and after xs_server_run (which may have made room).
 * *notify is set, never cleared, when an index has moved and the domain must be told.
 *
 * If a domain asks for a reconnection (connection == XENSTORE_RECONNECT), its watches and
 * transactions are dropped and the rings are emptied.
 *
 * Returns 0; or -EPROTO when the page is invalid: the error word says why, *notify is set, and the
 * page must be ignored from now on. The domain lives on without a store.
 */
int xs_ring_pump(struct xenstore_domain_interface *page, struct xs_conn *conn, bool *notify);

/*
 * Would xs_ring_pump do anything, or find that the page is invalid? Reads indices only, so this is
 * cheap: a domain's doorbell rings for its disk too, and mostly for that.
 */
bool xs_ring_has_work(const struct xenstore_domain_interface *page, const struct xs_conn *conn);

#endif
