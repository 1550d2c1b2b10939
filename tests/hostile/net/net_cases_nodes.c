/* SPDX-License-Identifier: MIT */
/* What a front end may write beside its rings: ports, numbers of queues, queues, and what it
 * changes when it is connected. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net_cases.h"

enum { NODES_MAX = 9, FRAME_BYTES = 60, FRAMES = 30 };

/* A value of "+N" is the reference of granted page N, "*" the port. */
struct wish {
    const char *node, *value;
};

struct odd {
    struct wish wish[NODES_MAX]; /* in this order; ends with a node NULL */
    enum xenbus_state state;     /* of the back end then */
    bool lies;                   /* frames need not be answered: its own harm */
};

#define ONE_QUEUE                                                                                  \
    {"tx-ring-ref", "+0"},                                                                         \
    {                                                                                              \
        "rx-ring-ref", "+1"                                                                        \
    }
#define TWO_QUEUES                                                                                 \
    {                                                                                              \
        "multi-queue-num-queues", "2"                                                              \
    }
#define REFUSED  XenbusStateClosing, false
#define SERVED   XenbusStateConnected, false
#define ITS_HARM XenbusStateConnected, true

static const struct odd ports[] = {
    {{ONE_QUEUE, {"event-channel-tx", "*"}, {"event-channel-rx", "*"}}, SERVED},
    {{ONE_QUEUE, {"event-channel-tx", "1"}, {"event-channel-rx", "1"}}, SERVED}, /* the store's */
    {{ONE_QUEUE, {"event-channel", "1"}}, SERVED},
    {{ONE_QUEUE, {"event-channel-tx", "*"}}, REFUSED},
    {{ONE_QUEUE, {"event-channel-rx", "*"}}, REFUSED},
    {{ONE_QUEUE, {"event-channel-tx", "*"}, {"event-channel-rx", "*"}, {"event-channel", "4095"}},
     SERVED},
    {{ONE_QUEUE, {"event-channel-tx", "*"}, {"event-channel-rx", "0"}}, REFUSED},
    {{ONE_QUEUE, {"event-channel-tx", "*"}, {"event-channel-rx", "63"}}, REFUSED},
    {{ONE_QUEUE, {"event-channel-tx", "*"}, {"event-channel-rx", "64"}}, REFUSED},
    {{ONE_QUEUE, {"event-channel-tx", "*"}, {"event-channel-rx", "4294967298"}}, REFUSED},
    {{ONE_QUEUE, {"event-channel-tx", ""}, {"event-channel", "*"}}, REFUSED},
    {{ONE_QUEUE, {"event-channel-tx", "-1"}, {"event-channel", "*"}}, REFUSED},
};

static const struct odd counts[] = {
    {{ONE_QUEUE, {"event-channel", "*"}, {"multi-queue-num-queues", "0"}}, REFUSED},
    {{ONE_QUEUE, {"event-channel", "*"}, {"multi-queue-num-queues", "9"}}, REFUSED},
    {{ONE_QUEUE, {"event-channel", "*"}, {"multi-queue-num-queues", "2"}}, REFUSED},
    {{ONE_QUEUE, {"event-channel", "*"}, {"multi-queue-num-queues", "4294967297"}}, REFUSED},
    {{ONE_QUEUE, {"event-channel", "*"}, {"multi-queue-num-queues", "18446744073709551617"}},
     REFUSED},
    /* No number is as no node, as in Linux's. */
    {{ONE_QUEUE, {"event-channel", "*"}, {"multi-queue-num-queues", "many"}}, SERVED},
    {{ONE_QUEUE, {"event-channel", "*"}, {"multi-queue-num-queues", "-1"}}, SERVED},
    {{ONE_QUEUE, {"event-channel", "*"}, {"multi-queue-num-queues", ""}}, SERVED},
    {{{"multi-queue-num-queues", "many"}}, REFUSED},
    /* Changed before anybody looks. */
    {{ONE_QUEUE,
      {"event-channel", "*"},
      {"multi-queue-num-queues", "9"},
      {"state", "2"},
      {"multi-queue-num-queues", "1"}},
     REFUSED},
};

static const struct odd queues[] = {
    {{TWO_QUEUES}, REFUSED},
    {{TWO_QUEUES, ONE_QUEUE, {"event-channel", "*"}}, REFUSED},
    {{TWO_QUEUES,
      {"queue-0/tx-ring-ref", "+0"},
      {"queue-0/rx-ring-ref", "+1"},
      {"queue-0/event-channel", "*"}},
     REFUSED},
    {{TWO_QUEUES,
      {"queue-1/tx-ring-ref", "+0"},
      {"queue-1/rx-ring-ref", "+1"},
      {"queue-1/event-channel", "*"}},
     REFUSED},
    {{TWO_QUEUES,
      {"queue-0/tx-ring-ref", "+0"},
      {"queue-0/rx-ring-ref", "+1"},
      {"queue-0/event-channel", "*"},
      {"queue-1/tx-ring-ref", "+2"},
      {"queue-1/rx-ring-ref", "99999"},
      {"queue-1/event-channel", "*"}},
     REFUSED},
    {{TWO_QUEUES,
      {"queue-0/tx-ring-ref", "+0"},
      {"queue-0/rx-ring-ref", "+1"},
      {"queue-0/event-channel", "*"},
      {"queue-1/tx-ring-ref", "+0"},
      {"queue-1/rx-ring-ref", "+1"},
      {"queue-1/event-channel", "*"}},
     ITS_HARM},
    {{TWO_QUEUES,
      {"queue-0/tx-ring-ref", "+0"},
      {"queue-0/rx-ring-ref", "+1"},
      {"queue-0/event-channel", "*"},
      {"queue-1/tx-ring-ref", "+1"},
      {"queue-1/rx-ring-ref", "+0"},
      {"queue-1/event-channel", "*"}},
     ITS_HARM},
    {{{"tx-ring-ref", "+0"}, {"rx-ring-ref", "+0"}, {"event-channel", "*"}}, ITS_HARM},
    {{{"tx-ring-ref", "+1"}, {"rx-ring-ref", "+1"}, {"event-channel", "*"}}, ITS_HARM},
    {{{"tx-ring-ref", "1"}, {"rx-ring-ref", "1"}, {"event-channel", "1"}},
     REFUSED}, /* the store's: its bytes are no indices */
    {{{"tx-ring-ref", "0"}, {"rx-ring-ref", "0"}, {"event-channel", "*"}}, REFUSED},
};

static const char *const all_nodes[] = {"tx-ring-ref",      "rx-ring-ref",
                                        "event-channel",    "event-channel-tx",
                                        "event-channel-rx", "multi-queue-num-queues",
                                        "queue-0",          "queue-1"};

static int forget(struct net_peer *np)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof(all_nodes) / sizeof(all_nodes[0]); i++)
        rc = net_peer_remove(np, all_nodes[i]);
    return rc;
}

static int put(struct net_peer *np, const struct wish *wish)
{
    if (wish->value[0] == '+')
        return net_peer_write(np, wish->node, "%u",
                              np->peer.data_ref + (uint32_t)atoi(wish->value + 1));
    if (wish->value[0] == '*')
        return net_peer_write(np, wish->node, "%u", np->peer.port);
    return net_peer_write(np, wish->node, "%s", wish->value);
}

/* Frames to all on both rings, whoever else uses their pages. */
static void play(struct net_peer *np)
{
    net_peer_fill(np, NET_PEER_TX_PAGE, NULL, FRAME_BYTES);
    for (int i = 0; i < FRAMES; i++)
        net_peer_put(np, NET_PEER_TX_PAGE, FRAME_BYTES, 0);
    net_peer_push(np, true);
    net_peer_post_all(np);
    net_peer_push(np, true);
    peer_sleep_ms(2);
}

static int is_served(struct net_peer *np)
{
    struct netif_tx_response rsp;
    net_peer_fill(np, NET_PEER_TX_PAGE, np->mac, FRAME_BYTES);
    net_peer_put(np, NET_PEER_TX_PAGE, FRAME_BYTES, 0);
    net_peer_push(np, true);
    int rc = net_peer_response(np, &rsp);
    return rc < 0 ? rc : rsp.status;
}

/* Dom0 offers a queue for each processor. */
static enum xenbus_state expected(const struct odd *odd)
{
    bool two = strcmp(odd->wish[0].node, "multi-queue-num-queues") == 0;
    return two && sysconf(_SC_NPROCESSORS_ONLN) < 2 ? XenbusStateClosing : odd->state;
}

static int try_one(struct net_peer *np, const struct odd *odd)
{
    const enum xenbus_state state = expected(odd);
    int rc = net_peer_restart(np);
    if (rc == 0)
        rc = forget(np);
    net_peer_start_rings(np);
    for (const struct wish *wish = odd->wish; rc == 0 && wish->node != NULL; wish++)
        rc = put(np, wish);
    if (rc == 0)
        rc = net_peer_state(np, XenbusStateConnected);
    if (rc == 0)
        rc = net_peer_wait_state(np, state);
    if (rc < 0 || state != XenbusStateConnected)
        return rc;
    if (!odd->lies)
        return is_served(np);
    play(np);
    return 0;
}

/* Each of them, again and again; then an honest start. */
static int each(struct net_attack *a, const struct odd *odds, size_t count)
{
    struct net_peer np;
    size_t done = 0;
    int rc = net_peer_open(&np, &a->rundir);
    for (; rc == 0 && (done < count || !net_is_over(a)); done++)
        rc = try_one(&np, &odds[done % count]);
    if (rc < 0)
        return net_saw(a, 0, "number %zu: %d", (done - 1) % count, rc);
    rc = net_peer_restart(&np);
    if (rc == 0)
        rc = forget(&np);
    if (rc == 0)
        rc = net_peer_connect(&np);
    if (rc == 0)
        rc = is_served(&np);
    net_peer_close(&np);
    return net_saw(a, rc == 0, "%zu times, then an honest one (%d)", done, rc);
}

int net_case_ports(struct net_attack *a)
{
    return each(a, ports, sizeof(ports) / sizeof(ports[0]));
}

int net_case_counts(struct net_attack *a)
{
    return each(a, counts, sizeof(counts) / sizeof(counts[0]));
}

int net_case_queues(struct net_attack *a)
{
    return each(a, queues, sizeof(queues) / sizeof(queues[0]));
}

/* What counts is what was there when it connected. */
int net_case_after(struct net_attack *a)
{
    static const struct wish changes[] = {
        {"multi-queue-num-queues", "2"},
        {"tx-ring-ref", "0"},
        {"rx-ring-ref", "x"},
        {"event-channel", "4000"},
        {"request-rx-copy", "0"},
        {"feature-rx-notify", "0"},
        {"feature-sg", "0"},
        {"feature-gso-tcpv4", "1"},
        {"feature-no-csum-offload", "1"},
        {"feature-persistent", "1"},
        {"ctrl-ring-ref", "+3"},
        {"mac", "ff:ff:ff:ff:ff:ff"},
        {"handle", "9"},
        {"backend-id", "7"},
        {"backend", "/local/domain/0"},
    };
    enum { CHANGES = sizeof(changes) / sizeof(changes[0]) };
    struct net_peer np;
    size_t done = 0;
    int rc = net_peer_open(&np, &a->rundir);
    for (; rc == 0 && (done < CHANGES || !net_is_over(a)); done++) {
        rc = put(&np, &changes[done % CHANGES]);
        if (rc == 0)
            rc = net_peer_state(&np, XenbusStateConnected);
        if (rc == 0)
            rc = is_served(&np);
    }
    if (rc == 0)
        rc = net_peer_wait_state(&np, XenbusStateConnected);
    net_peer_close(&np);
    return net_saw(a, rc == 0, "%zu changes, served (%d)", done, rc);
}
