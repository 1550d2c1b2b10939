/* SPDX-License-Identifier: MIT */
#include "xenstore/xs_link.h"

#include <errno.h>
#include <string.h>

#include "ring/barrier.h"

void xs_link_init(struct xs_link *link, struct xenstore_domain_interface *page)
{
    *link = (struct xs_link){.page = page};
    link->req_prod = load_relaxed_u32(&page->req_prod);
    link->rsp_cons = load_relaxed_u32(&page->rsp_cons);
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

int xs_link_send(struct xs_link *link)
{
    struct xenstore_domain_interface *page = link->page;
    size_t before = link->out_sent;
    if (load_acquire_u32(&page->error) != XENSTORE_ERROR_NONE)
        return -EPROTO;
    /* The store has read the bytes before we overwrite them; pairs with xs_ring.c. */
    uint32_t used = link->req_prod - load_acquire_u32(&page->req_cons);
    if (used > XENSTORE_RING_SIZE)
        return -EPROTO;
    while (used < XENSTORE_RING_SIZE && link->out_sent < link->out_size) {
        size_t at = link->req_prod % XENSTORE_RING_SIZE;
        size_t n = min_size(link->out_size - link->out_sent,
                            min_size(XENSTORE_RING_SIZE - used, XENSTORE_RING_SIZE - at));
        memcpy(page->req + at, (const char *)&link->out + link->out_sent, n);
        link->out_sent += n;
        link->req_prod += (uint32_t)n;
        used += (uint32_t)n;
    }
    store_release_u32(&page->req_prod, link->req_prod); /* bytes before index */
    return (int)(link->out_sent - before);
}

/* Bytes that the message being received still needs; -EPROTO if it is too long. */
static int wanted(const struct xs_link *link)
{
    size_t size = sizeof(link->in.hdr);
    if (link->in_used >= size) {
        if (link->in.hdr.len > XENSTORE_PAYLOAD_MAX)
            return -EPROTO;
        size += link->in.hdr.len;
    }
    return (int)(size - link->in_used);
}

int xs_link_receive(struct xs_link *link, bool *complete)
{
    struct xenstore_domain_interface *page = link->page;
    int moved = 0;
    *complete = false;
    /* The index before the bytes that it covers; pairs with the release in xs_ring.c. */
    uint32_t waiting = load_acquire_u32(&page->rsp_prod) - link->rsp_cons;
    if (waiting > XENSTORE_RING_SIZE)
        return -EPROTO;
    while (!*complete) {
        int need = wanted(link);
        if (need < 0)
            return need;
        if (need == 0) {
            *complete = true;
            link->in_used = 0;
        } else if (waiting == 0) {
            break;
        } else {
            size_t at = link->rsp_cons % XENSTORE_RING_SIZE;
            size_t n = min_size((size_t)need, min_size(waiting, XENSTORE_RING_SIZE - at));
            memcpy((char *)&link->in + link->in_used, page->rsp + at, n);
            link->in_used += n;
            link->rsp_cons += (uint32_t)n;
            waiting -= (uint32_t)n;
            moved += (int)n;
        }
    }
    /* We have read the bytes before the store may overwrite them. */
    store_release_u32(&page->rsp_cons, link->rsp_cons);
    return moved;
}
