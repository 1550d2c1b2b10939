/* SPDX-License-Identifier: MIT */
/* Floods, nodes, states, ends. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net_cases.h"
#include "ring/evtchn.h"

enum { CUT_BYTES = 54 + 250 };

/* Connected until the deadline; then it must still be. */
static int stays(struct net_attack *a, struct net_peer *np, uint64_t done, const char *what)
{
    int rc = net_peer_wait_state(np, XenbusStateConnected);
    net_peer_close(np);
    return net_saw(a, rc == 0, "%llu %s (%d)", (unsigned long long)done, what, rc);
}

int net_case_no_pages(struct net_attack *a)
{
    struct net_peer np;
    if (net_peer_open(&np, &a->rundir) < 0)
        return net_saw(a, 0, "no good start");
    while (!net_is_over(a))
        peer_sleep_ms(2);
    return stays(a, &np, 0, "pages posted");
}

int net_case_no_answers(struct net_attack *a)
{
    struct net_peer np;
    uint64_t sent = 0;
    if (net_peer_open(&np, &a->rundir) < 0)
        return net_saw(a, 0, "no good start");
    net_peer_fill(&np, NET_PEER_TX_PAGE, np.mac, 60);
    for (; front_ring_free(&np.tx.half) > 0; sent++)
        net_peer_put(&np, NET_PEER_TX_PAGE, 60, 0);
    net_peer_push(&np, true);
    while (!net_is_over(a)) {
        net_peer_push(&np, true);
        peer_sleep_ms(1);
    }
    return stays(a, &np, sent, "frames, no answer taken");
}

int net_case_kicks(struct net_attack *a)
{
    struct net_peer np;
    uint64_t kicks = 0;
    if (net_peer_open(&np, &a->rundir) < 0)
        return net_saw(a, 0, "no good start");
    for (; !net_is_over(a); kicks++)
        (void)evtchn_kick(np.peer.doorbell_fd);
    return stays(a, &np, kicks, "kicks");
}

int net_case_nodes(struct net_attack *a)
{
    static const struct {
        const char *node, *value;
    } wrong[] = {{"tx-ring-ref", "99999999"},     {"rx-ring-ref", "x"},
                 {"event-channel", "4000"},       {"multi-queue-num-queues", "1000"},
                 {"multi-queue-num-queues", "0"}, {"request-rx-copy", "0"},
                 {"ctrl-ring-ref", "8"},          {"feature-sg", "18446744073709551616"}};
    enum { WRONG = sizeof(wrong) / sizeof(wrong[0]) };
    struct net_peer np;
    uint32_t refused = 0;
    int rc = net_peer_open(&np, &a->rundir);
    for (uint32_t i = 0; rc == 0 && (i < WRONG || !net_is_over(a)); i++) {
        const char *node = wrong[i % WRONG].node;
        rc = net_peer_restart(&np);
        if (rc == 0)
            rc = net_peer_write(&np, node, "%s", wrong[i % WRONG].value);
        if (rc == 0)
            rc = net_peer_state(&np, XenbusStateConnected);
        if (rc == 0)
            rc = net_peer_wait_state(&np, XenbusStateClosing);
        refused += rc == 0;
        /* What net_peer_connect does not write itself. */
        if (rc == 0 && strcmp(node, "ctrl-ring-ref") == 0)
            rc = xs_client_rm(np.peer.store, 0, "device/vif/0/ctrl-ring-ref");
        if (rc == 0)
            rc = net_peer_write(&np, "multi-queue-num-queues", "1");
        if (rc == 0)
            rc = net_peer_restart(&np);
        if (rc == 0)
            rc = net_peer_connect(&np);
    }
    net_peer_close(&np);
    return net_saw(a, rc == 0, "refused %u times, connected again (%d)", refused, rc);
}

int net_case_flapping(struct net_attack *a)
{
    struct net_peer np;
    uint32_t times = 0;
    int rc = net_peer_open(&np, &a->rundir);
    for (; rc == 0 && !net_is_over(a); times++) {
        rc = net_peer_restart(&np);
        if (rc == 0)
            rc = net_peer_connect(&np);
    }
    net_peer_close(&np);
    return net_saw(a, rc == 0, "%u times (%d)", times, rc);
}

/* Keeps the ring full of frames of that many pieces. */
static uint64_t flood(struct net_attack *a, struct net_peer *np, uint32_t pieces, uint32_t size,
                      const uint8_t *target)
{
    struct netif_tx_response rsp;
    uint64_t frames = 0;
    net_peer_fill(np, NET_PEER_TX_PAGE, target, size < 4096 ? 64 : 4096);
    while (!net_is_over(a)) {
        while (netif_tx_take_response(&np->tx, &rsp) == 1) {
        }
        for (; front_ring_free(&np->tx.half) >= pieces; frames++) {
            net_peer_put(np, NET_PEER_TX_PAGE, size * pieces, pieces > 1 ? NETTXF_more_data : 0);
            for (uint32_t i = 1; i < pieces; i++)
                net_peer_put(np, NET_PEER_TX_PAGE + i, size, i + 1 < pieces ? NETTXF_more_data : 0);
        }
        net_peer_push(np, false);
    }
    return frames;
}

static int flood_with(struct net_attack *a, uint32_t pieces, uint32_t size, bool to_all)
{
    struct net_peer np;
    if (net_peer_open(&np, &a->rundir) < 0)
        return net_saw(a, 0, "no good start");
    return stays(a, &np, flood(a, &np, pieces, size, to_all ? NULL : np.mac), "frames");
}

int net_case_flood_small(struct net_attack *a)
{
    return flood_with(a, 1, 60, false);
}

int net_case_flood_all(struct net_attack *a)
{
    return flood_with(a, 1, 60, true);
}

int net_case_flood_large(struct net_attack *a)
{
    return flood_with(a, 15, 4096, false);
}

int net_case_flood_bad(struct net_attack *a)
{
    return flood_with(a, 1, 13, false);
}

/* TCP over IPv4, to all, to be cut into segments of one byte for who takes no large frames. */
static void fill_to_cut(struct net_peer *np)
{
    uint8_t *data = net_peer_page(np, NET_PEER_TX_PAGE);
    net_peer_fill(np, NET_PEER_TX_PAGE, NULL, CUT_BYTES);
    memset(data + 12, 0, CUT_BYTES - 12);
    data[12] = 0x08;
    data[14] = 0x45;
    data[16] = (CUT_BYTES - 14) >> 8;
    data[17] = (CUT_BYTES - 14) & 0xff;
    data[23] = 6;
    data[46] = 0x50;
}

/* The pair takes no large frames: what comes to it is cut by Dom0, or dropped. */
int net_case_flood_cut(struct net_attack *a)
{
    struct net_peer np;
    struct netif_tx_response rsp;
    struct netif_extra_info extra = {.type = XEN_NETIF_EXTRA_TYPE_GSO};
    uint64_t frames = 0;
    if (net_peer_open(&np, &a->rundir) < 0)
        return net_saw(a, 0, "no good start");
    extra.u.gso.type = XEN_NETIF_GSO_TYPE_TCPV4;
    extra.u.gso.size = 1;
    fill_to_cut(&np);
    while (!net_is_over(a)) {
        while (netif_tx_take_response(&np.tx, &rsp) == 1) {
        }
        for (; front_ring_free(&np.tx.half) >= 2; frames++) {
            net_peer_put(&np, NET_PEER_TX_PAGE, CUT_BYTES,
                         NETTXF_csum_blank | NETTXF_data_validated | NETTXF_extra_info);
            netif_tx_put_extra(&np.tx, &extra);
        }
        net_peer_push(&np, false);
    }
    return stays(a, &np, frames, "frames");
}

int net_case_dies(struct net_attack *a)
{
    uint32_t times = 0;
    for (; times < 2 || !net_is_over(a); times++) {
        pid_t child = fork();
        if (child == 0) {
            struct net_attack own = {.rundir = a->rundir, .deadline_ms = INT64_MAX};
            struct net_peer np;
            if (net_peer_open(&np, &a->rundir) == 0)
                (void)flood(&own, &np, 1 + times % 15, 1000, np.mac);
            _exit(1);
        }
        if (child < 0)
            return net_saw(a, 0, "fork: %d", errno);
        peer_sleep_ms(5 + times % 20);
        (void)kill(child, SIGKILL);
        (void)waitpid(child, NULL, 0);
    }
    int rc = net_another_connects(a);
    return net_saw(a, rc == 0, "%u times, another one connects (%d)", times, rc);
}
