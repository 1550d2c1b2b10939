/* SPDX-License-Identifier: MIT */
#include "service/back/vbd/vbd_transport.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "service/back/evtchn_table.h"

enum { PROTOCOL_TEXT_MAX = 64, NODE_MAX = 40, NO_ORDER = -1 };

#define BLANKS " \t\n\v\f\r"

static int read_protocol(struct xenbus_back *back)
{
    char value[PROTOCOL_TEXT_MAX];
    int rc = xenbus_back_front_text(back, "protocol", value, sizeof(value));
    if (rc == -ENOENT)
        return 0;
    if (rc < 0)
        return rc;
    /* The word alone, as Linux reads it; without one the default holds. */
    const char *word = value + strspn(value, BLANKS);
    size_t length = strcspn(word, BLANKS);
    bool known = length == strlen(VBD_PROTOCOL) && memcmp(word, VBD_PROTOCOL, length) == 0;
    return length == 0 || known ? 0 : -EPROTONOSUPPORT;
}

/* Returns the order, or NO_ORDER in *order: there is no such number, the ring has one page. */
static int read_order(struct xenbus_back *back, uint32_t max, int *order)
{
    uint64_t value;
    int rc = xenbus_back_front_number(back, "ring-page-order", max, INT64_MAX, &value);
    *order = rc < 0 || value == INT64_MAX ? NO_ORDER : (int)value;
    return rc;
}

/* Single-page rings name their page in ring-ref, those that have an order in ring-ref0.. */
static int read_ring_refs(struct xenbus_back *back, const char *directory, int order,
                          struct vbd_queue *queue)
{
    const uint32_t count = order == NO_ORDER ? 1 : 1u << order;
    for (uint32_t i = 0; i < count; i++) {
        char node[NODE_MAX];
        uint64_t ref;
        if (order == NO_ORDER)
            snprintf(node, sizeof(node), "%sring-ref", directory);
        else
            snprintf(node, sizeof(node), "%sring-ref%u", directory, i);
        int rc = xenbus_back_front_number(back, node, UINT32_MAX, -1, &ref);
        if (rc < 0)
            return rc;
        queue->ring_ref[i] = (grant_ref_t)ref;
    }
    return 0;
}

static int read_event_channel(struct xenbus_back *back, const char *directory,
                              struct vbd_queue *queue)
{
    char node[NODE_MAX];
    uint64_t port;
    snprintf(node, sizeof(node), "%sevent-channel", directory);
    int rc = xenbus_back_front_number(back, node, EVTCHN_2L_NR_CHANNELS, -1, &port);
    if (rc < 0)
        return rc;
    rc = evtchn_table_vcpu(back->domain->evtchn, port);
    if (rc < 0)
        return rc;
    queue->port = (evtchn_port_t)port;
    queue->vcpu = (uint32_t)rc;
    return 0;
}

static int read_queues(struct xenbus_back *back, const struct vbd_transport_limits *limits,
                       struct vbd_transport *out, const char **what)
{
    uint64_t count;
    int order;
    *what = "multi-queue-num-queues is 0 or more than was offered";
    int rc =
        xenbus_back_front_number(back, "multi-queue-num-queues", limits->max_queues, 1, &count);
    if (rc < 0 || count == 0)
        return rc < 0 ? rc : -EINVAL;
    out->queue_count = (uint32_t)count;
    *what = "ring-ref or ring-page-order is missing or out of range";
    rc = read_order(back, limits->max_page_order, &order);
    if (rc < 0)
        return rc;
    out->page_order = order == NO_ORDER ? 0 : (uint32_t)order;
    for (uint32_t i = 0; i < out->queue_count; i++) {
        char directory[NODE_MAX / 2] = "";
        if (out->queue_count > 1)
            snprintf(directory, sizeof(directory), "queue-%u/", i);
        *what = "ring-ref or ring-page-order is missing or out of range";
        rc = read_ring_refs(back, directory, order, &out->queue[i]);
        if (rc < 0)
            return rc;
        *what = "event-channel is not a port of this domain";
        rc = read_event_channel(back, directory, &out->queue[i]);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int vbd_transport_read(struct xenbus_back *back, const struct vbd_transport_limits *limits,
                       struct vbd_transport *out, const char **what)
{
    uint64_t persistent, stamped, ranks;
    assert(limits->max_page_order <= BLKIF_RING_PAGE_ORDER_MAX);
    assert(limits->max_queues > 0 && limits->max_queues <= VBD_QUEUES_MAX);
    *out = (struct vbd_transport){0};
    *what = "protocol: only " VBD_PROTOCOL " is spoken here";
    int rc = read_protocol(back);
    if (rc == 0)
        rc = read_queues(back, limits, out, what);
    if (rc < 0)
        return rc;
    *what = "a feature is too large a number";
    rc = xenbus_back_front_number(back, "feature-persistent", UINT32_MAX, 0, &persistent);
    if (rc == 0)
        rc = xenbus_back_front_number(back, "feature-virtual-completion", UINT32_MAX, 0, &stamped);
    if (rc == 0)
        rc = xenbus_back_front_number(back, "feature-trace-rank", UINT32_MAX, 0, &ranks);
    if (rc < 0)
        return rc;
    out->persistent_grants = persistent != 0;
    out->virtual_completion = stamped != 0;
    out->trace_ranks = ranks != 0;
    return 0;
}
