/* SPDX-License-Identifier: MIT */
#include "xenstore/server/xs_ring.h"

#include <errno.h>
#include <string.h>

#include "ring/barrier.h"

/* The most that one call takes in, so that a domain that keeps writing does not keep us here. */
enum { INTAKE_MAX = 4 * XENSTORE_RING_SIZE };

void xs_ring_init(struct xenstore_domain_interface *page)
{
    memset(page, 0, sizeof(*page));
    page->server_features = XS_SERVER_FEATURES;
    page->connection = XENSTORE_CONNECTED;
    page->error = XENSTORE_ERROR_NONE;
}

static int fail(struct xenstore_domain_interface *page, uint32_t error, bool *notify)
{
    store_release_u32(&page->error, error);
    *notify = true;
    return -EPROTO;
}

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Requests: the domain writes req[] and req_prod, we write req_cons. */
static int pump_requests(struct xenstore_domain_interface *page, struct xs_conn *conn, bool *notify)
{
    uint32_t cons = load_relaxed_u32(&page->req_cons);
    uint32_t start = cons;
    size_t room;
    while (cons - start < INTAKE_MAX && (room = xs_conn_input_room(conn)) > 0) {
        /* The index before the bytes that it covers; pairs with the release in xs_link.c. */
        uint32_t waiting = load_acquire_u32(&page->req_prod) - cons;
        if (waiting > XENSTORE_RING_SIZE)
            return fail(page, XENSTORE_ERROR_RINGIDX, notify);
        if (waiting == 0)
            break;
        uint32_t at = cons % XENSTORE_RING_SIZE;
        size_t n = min3(waiting, room, XENSTORE_RING_SIZE - at);
        if (xs_conn_input(conn, page->req + at, n) < 0)
            return fail(page, XENSTORE_ERROR_PROTO, notify);
        cons += (uint32_t)n;
        /* We have read the bytes before the domain may overwrite them. */
        store_release_u32(&page->req_cons, cons);
        *notify = true;
    }
    return 0;
}

/* Replies and events: we write rsp[] and rsp_prod, the domain writes rsp_cons. */
static int pump_replies(struct xenstore_domain_interface *page, struct xs_conn *conn, bool *notify)
{
    uint32_t prod = load_relaxed_u32(&page->rsp_prod);
    /* The domain has read the bytes before we overwrite them. */
    uint32_t used = prod - load_acquire_u32(&page->rsp_cons);
    if (used > XENSTORE_RING_SIZE)
        return fail(page, XENSTORE_ERROR_RINGIDX, notify);
    const void *bytes;
    size_t waiting;
    while (used < XENSTORE_RING_SIZE && (waiting = xs_conn_output(conn, &bytes)) > 0) {
        uint32_t at = prod % XENSTORE_RING_SIZE;
        size_t n = min3(waiting, XENSTORE_RING_SIZE - used, XENSTORE_RING_SIZE - at);
        memcpy(page->rsp + at, bytes, n);
        prod += (uint32_t)n;
        used += (uint32_t)n;
        store_release_u32(&page->rsp_prod, prod); /* bytes before index */
        *notify = true;
        xs_conn_output_done(conn, n);
    }
    return 0;
}

bool xs_ring_has_work(const struct xenstore_domain_interface *page, const struct xs_conn *conn)
{
    const void *bytes;
    uint32_t used = load_relaxed_u32(&page->rsp_prod) - load_acquire_u32(&page->rsp_cons);
    return load_acquire_u32(&page->req_prod) != load_relaxed_u32(&page->req_cons) ||
           load_acquire_u32(&page->connection) == XENSTORE_RECONNECT || used > XENSTORE_RING_SIZE ||
           xs_conn_output(conn, &bytes) > 0;
}

int xs_ring_pump(struct xenstore_domain_interface *page, struct xs_conn *conn, bool *notify)
{
    if (load_acquire_u32(&page->connection) == XENSTORE_RECONNECT) {
        xs_conn_reset(conn);
        store_relaxed_u32(&page->req_cons, 0);
        store_relaxed_u32(&page->req_prod, 0);
        store_relaxed_u32(&page->rsp_cons, 0);
        store_relaxed_u32(&page->rsp_prod, 0);
        /* The domain looks at the rings again only after it has seen this. */
        store_release_u32(&page->connection, XENSTORE_CONNECTED);
        *notify = true;
    }
    int rc = pump_requests(page, conn, notify);
    return rc < 0 ? rc : pump_replies(page, conn, notify);
}
