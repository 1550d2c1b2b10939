/* SPDX-License-Identifier: MIT */
#include "service/back/vif/vif_transport.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "service/back/evtchn_table.h"

enum { NODE_MAX = 40, VALUE_MAX = 64 };

/* A node that is absent or no number counts as 0. */
static int read_flag(struct xenbus_back *back, const char *node, bool *out)
{
    uint64_t value;
    int rc = xenbus_back_front_number(back, node, UINT32_MAX, 0, &value);
    *out = rc == 0 && value != 0;
    return rc;
}

static int read_features(struct xenbus_back *back, struct vif_transport *out, const char **what)
{
    struct vif_features *features = &out->features;
    bool rx_copy = false, rx_notify = false, no_csum = false;
    const struct {
        const char *node;
        bool *value;
    } flags[] = {
        {"request-rx-copy", &rx_copy},
        {"feature-rx-notify", &rx_notify},
        {"feature-sg", &features->sg},
        {"feature-gso-tcpv4", &features->gso_tcpv4},
        {"feature-gso-tcpv6", &features->gso_tcpv6},
        {"feature-no-csum-offload", &no_csum},
        {"feature-ipv6-csum-offload", &features->csum_ipv6},
        {"feature-splitdom-stamp", &features->stamps},
        {"feature-persistent", &features->persistent},
    };
    *what = "a feature is too large a number";
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        int rc = read_flag(back, flags[i].node, flags[i].value);
        if (rc < 0)
            return rc;
    }
    features->csum_ipv4 = !no_csum;
    *what = "request-rx-copy is missing: pages are copied here, never exchanged";
    if (!rx_copy)
        return -EOPNOTSUPP;
    out->polled = !rx_notify; /* nobody is refused for that in Linux either */
    return 0;
}

/* None was offered. Whoever makes one all the same would wait for its answers for ever. */
static int refuse_control_ring(struct xenbus_back *back, const char **what)
{
    char value[VALUE_MAX];
    *what = "ctrl-ring-ref: no control ring was offered";
    return xenbus_back_front_text(back, "ctrl-ring-ref", value, sizeof(value)) == -ENOENT
               ? 0
               : -EOPNOTSUPP;
}

static int read_ref(struct xenbus_back *back, const char *directory, const char *node,
                    grant_ref_t *out)
{
    char path[NODE_MAX];
    uint64_t ref;
    snprintf(path, sizeof(path), "%s%s", directory, node);
    int rc = xenbus_back_front_number(back, path, UINT32_MAX, -1, &ref);
    if (rc == 0)
        *out = (grant_ref_t)ref;
    return rc;
}

static int read_event(struct xenbus_back *back, const char *directory, const char *node,
                      struct vif_event *out)
{
    char path[NODE_MAX];
    uint64_t port;
    snprintf(path, sizeof(path), "%s%s", directory, node);
    int rc = xenbus_back_front_number(back, path, EVTCHN_2L_NR_CHANNELS, -1, &port);
    if (rc < 0)
        return rc;
    rc = evtchn_table_vcpu(back->domain->evtchn, port);
    if (rc < 0)
        return rc;
    *out = (struct vif_event){.port = (evtchn_port_t)port, .vcpu = (uint32_t)rc};
    return 0;
}

/* Two ports, or one for both: also where a half of the two is left over, as Linux's back end has
 * it. */
static int read_events(struct xenbus_back *back, const char *directory,
                       struct vif_transport_queue *queue)
{
    int rc = read_event(back, directory, "event-channel-tx", &queue->tx_event);
    if (rc == 0)
        rc = read_event(back, directory, "event-channel-rx", &queue->rx_event);
    if (rc != -ENOENT)
        return rc;
    rc = read_event(back, directory, "event-channel", &queue->tx_event);
    queue->rx_event = queue->tx_event;
    return rc;
}

static int read_queue(struct xenbus_back *back, const char *directory,
                      struct vif_transport_queue *queue, const char **what)
{
    *what = "tx-ring-ref or rx-ring-ref is missing or out of range";
    int rc = read_ref(back, directory, "tx-ring-ref", &queue->tx_ring_ref);
    if (rc == 0)
        rc = read_ref(back, directory, "rx-ring-ref", &queue->rx_ring_ref);
    if (rc < 0)
        return rc;
    *what = "event-channel-tx and -rx, or event-channel, are no ports of this domain";
    return read_events(back, directory, queue);
}

int vif_transport_read(struct xenbus_back *back, uint32_t max_queues, struct vif_transport *out,
                       const char **what)
{
    uint64_t count;
    assert(max_queues > 0 && max_queues <= VIF_QUEUES_MAX);
    *out = (struct vif_transport){0};
    *what = "multi-queue-num-queues is 0 or more than was offered";
    int rc = xenbus_back_front_number(back, "multi-queue-num-queues", max_queues, 1, &count);
    if (rc < 0 || count == 0)
        return rc < 0 ? rc : -EINVAL;
    out->queue_count = (uint32_t)count;
    rc = read_features(back, out, what);
    if (rc == 0)
        rc = refuse_control_ring(back, what);
    for (uint32_t i = 0; rc == 0 && i < out->queue_count; i++) {
        char directory[NODE_MAX / 2] = "";
        if (out->queue_count > 1)
            snprintf(directory, sizeof(directory), "queue-%u/", i);
        rc = read_queue(back, directory, &out->queue[i], what);
    }
    return rc;
}
