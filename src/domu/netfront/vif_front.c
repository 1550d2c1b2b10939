/* SPDX-License-Identifier: MIT */
#include "domu/netfront/vif_front.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/container_of.h"
#include "base/decimal.h"
#include "base/mac_text.h"

enum { NODE_MAX = 40, QUEUE_NODES = 4 };

static const char *const queue_nodes[QUEUE_NODES] = {"tx-ring-ref", "rx-ring-ref",
                                                     "event-channel-tx", "event-channel-rx"};

static int read_flag(struct vif_front *front, const char *node, bool *out)
{
    uint64_t number;
    int rc = xenbus_front_number(&front->xenbus, node, 1, 0, &number);
    if (rc == 0)
        *out = number == 1;
    return rc;
}

int vif_front_prepare(struct vif_front *front, uint32_t wanted_queues, char *why, size_t why_bytes)
{
    bool split = false, copies = false;
    uint64_t max_queues = 1;
    const char *step;
    int rc = xenbus_front_find_back(&front->xenbus, &step);
    if (rc == -ENODEV)
        snprintf(why, why_bytes,
                 "Dom0 gave no interface %u to the domain: 'service start --vif', "
                 "'service network-attach'",
                 front->xenbus.devid);
    else if (rc < 0)
        rc = xenbus_front_fail(&front->xenbus, rc, step, why, why_bytes);
    if (rc < 0)
        return rc;
    const struct {
        const char *node;
        bool *out;
    } flags[] = {{"feature-split-event-channels", &split},
                 {"feature-rx-copy", &copies},
                 {"feature-sg", &front->scatter_gather},
                 {"feature-gso-tcpv4", &front->gso_tcpv4},
                 {"feature-gso-tcpv6", &front->gso_tcpv6},
                 {"feature-ipv6-csum-offload", &front->ipv6_checksum},
                 {"feature-splitdom-stamp", &front->stamps},
                 {"feature-persistent", &front->persistent}};
    for (size_t i = 0; rc == 0 && i < sizeof(flags) / sizeof(flags[0]); i++)
        rc = read_flag(front, flags[i].node, flags[i].out);
    if (rc == 0)
        rc = xenbus_front_number(&front->xenbus, "multi-queue-max-queues", UINT32_MAX, 1,
                                 &max_queues);
    if (rc < 0)
        return xenbus_front_fail(&front->xenbus, rc, "read the back end's features", why,
                                 why_bytes);
    if (!split || !copies) {
        snprintf(why, why_bytes, "Dom0's back end has no feature-%s, which is needed",
                 split ? "rx-copy" : "split-event-channels");
        return -EOPNOTSUPP;
    }
    if (max_queues == 0)
        max_queues = 1;
    front->queue_count = wanted_queues <= max_queues ? wanted_queues : (uint32_t)max_queues;
    return 0;
}

/* An interface that was opened before may have had it. */
static int write_agreed(struct vif_front *front, uint32_t tx, const char *node, bool agreed)
{
    return agreed ? xenbus_front_put(&front->xenbus, tx, node, "1")
                  : xenbus_front_remove(&front->xenbus, tx, node);
}

static int write_features(struct vif_front *front, uint32_t tx)
{
    const struct {
        const char *node;
        bool has;
    } ours[] = {{"request-rx-copy", true},
                {"feature-rx-notify", true},
                {"feature-sg", true},
                {"feature-gso-tcpv4", !front->no_offload},
                {"feature-gso-tcpv6", !front->no_offload},
                {"feature-ipv6-csum-offload", !front->no_offload}};
    struct xenbus_front *xenbus = &front->xenbus;
    int rc = 0;
    for (size_t i = 0; rc >= 0 && i < sizeof(ours) / sizeof(ours[0]); i++)
        rc = xenbus_front_put(xenbus, tx, ours[i].node, ours[i].has ? "1" : "0");
    if (rc >= 0)
        rc = write_agreed(front, tx, "feature-no-csum-offload", front->no_offload);
    if (rc >= 0)
        rc = write_agreed(front, tx, "feature-splitdom-stamp", front->stamps);
    return rc < 0 ? rc : write_agreed(front, tx, "feature-persistent", front->persistent);
}

/* What an interface that was opened before, with more queues or with one, may have written. */
static int remove_queues(struct vif_front *front, uint32_t tx)
{
    struct xenbus_front *xenbus = &front->xenbus;
    int rc = 0;
    for (size_t i = 0; rc >= 0 && front->queue_count > 1 && i < QUEUE_NODES; i++)
        rc = xenbus_front_remove(xenbus, tx, queue_nodes[i]);
    return rc < 0 ? rc : xenbus_front_remove_queues(xenbus, tx, NETFRONT_QUEUES_MAX);
}

/* In the interface's directory, or in the queue's. */
static int write_queue(struct vif_front *front, uint32_t tx, const struct vif_front_queue *queue,
                       const char *directory)
{
    const uint32_t values[QUEUE_NODES] = {queue->tx_ring_ref, queue->rx_ring_ref, queue->tx_port,
                                          queue->rx_port};
    int rc = 0;
    for (size_t i = 0; rc >= 0 && i < QUEUE_NODES; i++) {
        char node[NODE_MAX];
        snprintf(node, sizeof(node), "%s%s", directory, queue_nodes[i]);
        rc = xenbus_front_put(&front->xenbus, tx, node, "%u", values[i]);
    }
    return rc;
}

/* In the order of Linux's front end. */
static int write_queues(struct vif_front *front, uint32_t tx)
{
    int rc = remove_queues(front, tx);
    if (front->queue_count == 1)
        return rc < 0 ? rc : write_queue(front, tx, &front->queue[0], "");
    if (rc >= 0)
        rc = xenbus_front_put(&front->xenbus, tx, "multi-queue-num-queues", "%u",
                              front->queue_count);
    for (uint32_t i = 0; rc >= 0 && i < front->queue_count; i++) {
        char directory[NODE_MAX / 2];
        snprintf(directory, sizeof(directory), "queue-%u/", i);
        rc = write_queue(front, tx, &front->queue[i], directory);
    }
    return rc;
}

static int write_transport(struct xenbus_front *xenbus, uint32_t tx)
{
    struct vif_front *front = container_of(xenbus, struct vif_front, xenbus);
    int rc = write_queues(front, tx);
    return rc < 0 ? rc : write_features(front, tx);
}

/* "00:16:3e:00:00:01": all digits are there. Of a group no frame would pass. */
static int read_mac(struct vif_front *front, uint8_t mac[VIF_MAC_BYTES])
{
    char text[MAC_TEXT_SIZE];
    int rc = xenbus_front_own(&front->xenbus, "mac", text, sizeof(text));
    if (rc < 0)
        return rc;
    return strlen(text) == sizeof(text) - 1 && mac_text_parse_single(text, mac) == 0 ? 0 : -EPROTO;
}

/* A toolstack's advice: nonsense is as good as none. */
static int read_mtu(struct vif_front *front, uint32_t *mtu_bytes)
{
    char text[16];
    uint64_t number;
    int rc = xenbus_front_own(&front->xenbus, "mtu", text, sizeof(text));
    *mtu_bytes = VIF_MTU_DEFAULT;
    if (rc == -ENOENT || rc == -EACCES || rc == -E2BIG)
        return 0;
    if (rc >= 0 && decimal_parse(text, VIF_MTU_MIN, VIF_MTU_MAX, &number) == 0)
        *mtu_bytes = (uint32_t)number;
    return rc < 0 ? rc : 0;
}

int vif_front_read_link(struct vif_front *front)
{
    struct vif_link link;
    uint64_t carrier;
    int rc = read_mac(front, link.mac);
    if (rc == 0)
        rc = read_mtu(front, &link.mtu_bytes);
    if (rc == 0)
        rc = xenbus_front_number(&front->xenbus, "carrier", 1, 1, &carrier);
    if (rc < 0)
        return rc;
    link.carrier = carrier == 1;
    front->link = link;
    return 0;
}

int vif_front_connect(struct vif_front *front, char *why, size_t why_bytes)
{
    const char *step;
    int rc = xenbus_front_offer(&front->xenbus, write_transport, &step);
    if (rc >= 0) {
        step = "watch the link";
        rc = xenbus_front_watch_back(&front->xenbus, "carrier");
    }
    if (rc >= 0) {
        step = "read the interface's address";
        rc = vif_front_read_link(front);
    }
    if (rc >= 0) {
        step = "say that we are connected";
        rc = xenbus_front_connected(&front->xenbus);
    }
    return rc < 0 ? xenbus_front_fail(&front->xenbus, rc, step, why, why_bytes) : 0;
}
