/* SPDX-License-Identifier: MIT */
#include "xen_store.h"

#include <stdlib.h>
#include <sys/uio.h>

#include "xen_headers.h"

static const char WATCH_TOKEN[] = "xen_front";

/* Both ends of the ring may lie around the seam, so bytes go in pieces. */
static int put_bytes(struct xen_store *store, const void *data, uint32_t bytes)
{
    struct xenstore_domain_interface *ring = store->ring;
    const char *from = data;
    while (bytes > 0) {
        XENSTORE_RING_IDX cons = __atomic_load_n(&ring->req_cons, __ATOMIC_ACQUIRE);
        XENSTORE_RING_IDX prod = ring->req_prod;
        if (prod - cons > XENSTORE_RING_SIZE)
            return -EPROTO;
        uint32_t piece = XENSTORE_RING_SIZE - (prod - cons);
        if (piece == 0) {
            int rc = xen_events_wait(store->events);
            if (rc < 0)
                return rc;
            continue;
        }
        if (piece > XENSTORE_RING_SIZE - MASK_XENSTORE_IDX(prod))
            piece = XENSTORE_RING_SIZE - MASK_XENSTORE_IDX(prod);
        if (piece > bytes)
            piece = bytes;
        memcpy(ring->req + MASK_XENSTORE_IDX(prod), from, piece);
        __atomic_store_n(&ring->req_prod, prod + piece, __ATOMIC_RELEASE);
        from += piece;
        bytes -= piece;
        int rc = xen_events_kick(store->events);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int get_bytes(struct xen_store *store, void *data, uint32_t bytes)
{
    struct xenstore_domain_interface *ring = store->ring;
    char *to = data;
    while (bytes > 0) {
        XENSTORE_RING_IDX prod = __atomic_load_n(&ring->rsp_prod, __ATOMIC_ACQUIRE);
        XENSTORE_RING_IDX cons = ring->rsp_cons;
        uint32_t piece = prod - cons;
        if (piece > XENSTORE_RING_SIZE)
            return -EPROTO;
        if (piece == 0) {
            int rc = xen_events_wait(store->events);
            if (rc < 0)
                return rc;
            continue;
        }
        if (piece > XENSTORE_RING_SIZE - MASK_XENSTORE_IDX(cons))
            piece = XENSTORE_RING_SIZE - MASK_XENSTORE_IDX(cons);
        if (piece > bytes)
            piece = bytes;
        memcpy(to, ring->rsp + MASK_XENSTORE_IDX(cons), piece);
        __atomic_store_n(&ring->rsp_cons, cons + piece, __ATOMIC_SEQ_CST);
        to += piece;
        bytes -= piece;
        /* As Linux does: the store waits for room only if it could fill the ring. */
        if (__atomic_load_n(&ring->rsp_prod, __ATOMIC_SEQ_CST) - cons >= XENSTORE_RING_SIZE) {
            int rc = xen_events_kick(store->events);
            if (rc < 0)
                return rc;
        }
    }
    return 0;
}

static int get_message(struct xen_store *store, struct xsd_sockmsg *header)
{
    int rc = get_bytes(store, header, sizeof(*header));
    if (rc < 0)
        return rc;
    if (header->len > XENSTORE_PAYLOAD_MAX)
        return -EPROTO;
    rc = get_bytes(store, store->payload, header->len);
    store->payload[header->len] = '\0';
    store->payload_bytes = header->len;
    if (rc == 0 && header->type == XS_WATCH_EVENT)
        store->watches_fired++;
    return rc;
}

static int named_error(const char *name)
{
    for (size_t i = 0; i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++) {
        if (strcmp(xsd_errors[i].errstring, name) == 0)
            return -xsd_errors[i].errnum;
    }
    return -EINVAL;
}

/* Sends the parts as one request and waits for its reply. */
static int request(struct xen_store *store, enum xsd_sockmsg_type type, const struct iovec *parts,
                   int nr_parts)
{
    struct xsd_sockmsg header = {.type = type, .req_id = ++store->req_id, .tx_id = store->tx_id};
    for (int i = 0; i < nr_parts; i++)
        header.len += (uint32_t)parts[i].iov_len;
    int rc = put_bytes(store, &header, sizeof(header));
    for (int i = 0; i < nr_parts && rc == 0; i++)
        rc = put_bytes(store, parts[i].iov_base, (uint32_t)parts[i].iov_len);
    if (rc < 0)
        return rc;

    struct xsd_sockmsg reply;
    do {
        rc = get_message(store, &reply);
        if (rc < 0)
            return rc;
    } while (reply.type == XS_WATCH_EVENT);
    if (reply.req_id != header.req_id || reply.tx_id != header.tx_id)
        return -EPROTO;
    if (reply.type == XS_ERROR)
        return named_error(store->payload);
    return reply.type == header.type ? 0 : -EPROTO;
}

static struct iovec text(const char *s, size_t extra)
{
    return (struct iovec){(void *)(uintptr_t)s, strlen(s) + extra};
}

static int request_with_path(struct xen_store *store, enum xsd_sockmsg_type type, const char *path)
{
    const struct iovec part = text(path, 1);
    return request(store, type, &part, 1);
}

int xen_store_read(struct xen_store *store, const char *path)
{
    return request_with_path(store, XS_READ, path);
}

int xen_store_rm(struct xen_store *store, const char *path)
{
    return request_with_path(store, XS_RM, path);
}

int xen_store_write(struct xen_store *store, const char *path, const char *value)
{
    const struct iovec parts[] = {text(path, 1), text(value, 0)};
    return request(store, XS_WRITE, parts, 2);
}

int xen_store_watch(struct xen_store *store, const char *path)
{
    const struct iovec parts[] = {text(path, 1), text(WATCH_TOKEN, 1)};
    return request(store, XS_WATCH, parts, 2);
}

int xen_store_unwatch(struct xen_store *store, const char *path)
{
    const struct iovec parts[] = {text(path, 1), text(WATCH_TOKEN, 1)};
    return request(store, XS_UNWATCH, parts, 2);
}

int xen_store_wait_watch(struct xen_store *store)
{
    while (store->watches_fired == 0) {
        struct xsd_sockmsg header;
        int rc = get_message(store, &header);
        if (rc < 0)
            return rc;
        if (header.type != XS_WATCH_EVENT)
            return -EPROTO;
    }
    store->watches_fired = 0;
    return 0;
}

int xen_store_begin(struct xen_store *store)
{
    int rc = request_with_path(store, XS_TRANSACTION_START, "");
    if (rc < 0)
        return rc;
    store->tx_id = (uint32_t)strtoul(store->payload, NULL, 10);
    return store->tx_id == 0 ? -EPROTO : 0;
}

int xen_store_commit(struct xen_store *store)
{
    int rc = request_with_path(store, XS_TRANSACTION_END, "T");
    store->tx_id = 0;
    return rc;
}
