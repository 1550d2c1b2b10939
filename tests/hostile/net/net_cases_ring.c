/* SPDX-License-Identifier: MIT */
/* The rings' indices, slots and grants. */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "net_cases.h"
#include "ring/barrier.h"
#include "ring/gnttab.h"

int net_saw(struct net_attack *a, int good, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(a->seen, sizeof(a->seen), format, args);
    va_end(args);
    return good ? 0 : -1;
}

bool net_is_over(const struct net_attack *a)
{
    return peer_now_ms() >= a->deadline_ms;
}

int net_another_connects(const struct net_attack *a)
{
    struct net_peer np;
    int rc = net_peer_open(&np, &a->rundir);
    if (rc == 0)
        net_peer_close(&np);
    return rc;
}

int net_case_idle(struct net_attack *a)
{
    struct net_peer np;
    if (net_peer_open(&np, &a->rundir) < 0)
        return net_saw(a, 0, "no good start");
    while (!net_is_over(a))
        peer_sleep_ms(5);
    net_peer_close(&np);
    return net_saw(a, 1, "-");
}

/* A good frame first: whatever follows is the case's own. */
static int good_frame(struct net_peer *np)
{
    struct netif_tx_response rsp;
    net_peer_fill(np, NET_PEER_TX_PAGE, np->mac, 60);
    net_peer_put(np, NET_PEER_TX_PAGE, 60, 0);
    net_peer_push(np, false);
    int rc = net_peer_response(np, &rsp);
    return rc < 0 ? rc : rsp.status;
}

/* Breaks the protocol in a way, is thrown out, starts over, until the time is up. */
static int thrown_out(struct net_attack *a, void (*act)(struct net_peer *np, uint32_t round))
{
    struct net_peer np;
    uint32_t rounds = 0;
    int rc = net_peer_open(&np, &a->rundir);
    while (rc == 0 && (rounds < 2 || !net_is_over(a))) {
        rc = good_frame(&np);
        if (rc == 0) {
            act(&np, rounds);
            rc = net_peer_wait_state(&np, XenbusStateClosing);
        }
        if (rc == 0)
            rc = net_peer_restart(&np);
        if (rc == 0)
            rc = net_peer_connect(&np);
        rounds++;
    }
    net_peer_close(&np);
    return net_saw(a, rc == 0, "ended and started over %u times (%d)", rounds, rc);
}

static void tx_ahead(struct net_peer *np, uint32_t round)
{
    np->tx.half.req_prod_pvt += 257 + round * 1000;
    net_peer_push(np, true);
}

static void tx_back(struct net_peer *np, uint32_t round)
{
    np->tx.half.req_prod_pvt -= 1 + round % 2;
    net_peer_push(np, true);
}

/* The pair's broadcasts make Dom0 look at the index. */
static void rx_wild(struct net_peer *np, uint32_t round)
{
    store_release_u32(&np->rx.half.sring->req_prod, 1000 + round * 77777);
    net_peer_push(np, true);
}

int net_case_tx_ahead(struct net_attack *a)
{
    return thrown_out(a, tx_ahead);
}

int net_case_tx_back(struct net_attack *a)
{
    return thrown_out(a, tx_back);
}

int net_case_rx_wild(struct net_attack *a)
{
    return thrown_out(a, rx_wild);
}

static void put_extra(struct net_peer *np, uint8_t type, uint8_t flags)
{
    netif_tx_put_extra(&np->tx, &(struct netif_extra_info){.type = type, .flags = flags});
}

static void extras(struct net_peer *np, uint32_t round)
{
    net_peer_put(np, NET_PEER_TX_PAGE, 60, NETTXF_extra_info);
    switch (round % 4) {
    case 0:
        put_extra(np, 0, 0);
        break;
    case 1:
        put_extra(np, XEN_NETIF_EXTRA_TYPE_GSO, 0); /* of size 0 */
        break;
    case 2:
        while (front_ring_free(&np->tx.half) > 0)
            put_extra(np, XEN_NETIF_EXTRA_TYPE_HASH, XEN_NETIF_EXTRA_FLAG_MORE);
        break;
    default:
        put_extra(np, 0x80, 0); /* a stamp that was not agreed on */
        break;
    }
    net_peer_push(np, true);
}

int net_case_extras(struct net_attack *a)
{
    return thrown_out(a, extras);
}

static void pieces(struct net_peer *np, uint32_t round)
{
    uint32_t count = round % 3 == 0 ? 22 : 2;
    for (uint32_t i = 0; i < count; i++) {
        bool last = i + 1 == count && round % 3 != 1; /* 1: says that another one follows */
        net_peer_put(np, NET_PEER_TX_PAGE + i,
                     i == 0           ? 100 * count
                     : round % 3 == 2 ? 5000
                                      : 100,
                     last ? 0 : NETTXF_more_data);
    }
    net_peer_push(np, true);
}

int net_case_pieces(struct net_attack *a)
{
    return thrown_out(a, pieces);
}

int net_case_grants(struct net_attack *a)
{
    struct net_peer np;
    struct netif_tx_response rsp;
    uint32_t frames = 0;
    int rc = net_peer_open(&np, &a->rundir);
    if (rc < 0)
        return net_saw(a, 0, "no good start: %d", rc);
    struct grant_entry_v1 *table = np.peer.segment.gnttab;
    table[np.peer.data_ref + 5].flags = 0;          /* revoked */
    table[np.peer.data_ref + 6].domid = 7;          /* for somebody else */
    table[np.peer.data_ref + 7].frame = 0x00ffffff; /* beyond its memory */
    while (rc == 0 && !net_is_over(a)) {
        uint32_t page = frames % 4 == 3 ? 1000000 : 5 + frames % 4;
        net_peer_put(&np, page, 60, 0);
        net_peer_push(&np, false);
        rc = net_peer_response(&np, &rsp);
        if (rc == 0 && rsp.status != NETIF_RSP_ERROR)
            rc = -EPROTO;
        frames++;
    }
    if (rc == 0)
        rc = good_frame(&np);
    net_peer_close(&np);
    return net_saw(a, rc == 0, "%u frames refused, then a good one (%d)", frames, rc);
}

static uint32_t grants_in_use(const struct net_peer *np)
{
    uint32_t count = 0;
    for (uint32_t ref = 0; ref < np->peer.segment.nr_grant_entries; ref++)
        count += (np->peer.segment.gnttab[ref].flags & (GTF_reading | GTF_writing)) != 0;
    return count;
}

/* Each reference that it has names one page; then they are revoked, and name no page. */
static int send_by_all(struct net_peer *np)
{
    struct netif_tx_response rsp = {0};
    struct grant_entry_v1 *table = np->peer.segment.gnttab;
    const uint32_t first = np->peer.data_ref + PEER_DATA_PAGES;
    int rc = 0;
    net_peer_fill(np, NET_PEER_TX_PAGE, np->mac, 60);
    for (uint32_t ref = first; rc == 0 && ref < np->peer.segment.nr_grant_entries; ref++) {
        gnttab_grant_access(table, ref, DOM0_DOMID, np->peer.data_pfn + NET_PEER_TX_PAGE, true);
        net_peer_put(np, ref - np->peer.data_ref, 60, 0);
        net_peer_push(np, false);
        rc = net_peer_response(np, &rsp);
        if (rc == 0 && rsp.status != NETIF_RSP_OKAY)
            rc = -EPROTO;
    }
    uint32_t used = grants_in_use(np);
    if (rc == 0 && (used <= 2 || used > 2 * NETIF_RING_ENTRIES + 2))
        rc = -ERANGE;
    table[first] = (struct grant_entry_v1){.frame = UINT32_MAX};
    net_peer_put(np, first - np->peer.data_ref, 60, 0);
    net_peer_push(np, false);
    if (rc == 0)
        rc = net_peer_response(np, &rsp);
    return rc == 0 && rsp.status != NETIF_RSP_OKAY ? -EPROTO : rc;
}

int net_case_persistent(struct net_attack *a)
{
    struct net_peer np;
    uint32_t rounds = 0;
    int rc = net_peer_open(&np, &a->rundir);
    while (rc == 0 && (rounds < 2 || !net_is_over(a))) {
        rc = net_peer_restart(&np);
        if (rc == 0 && grants_in_use(&np) != 0)
            rc = -EBUSY;
        if (rc == 0)
            rc = net_peer_write(&np, "feature-persistent", "1");
        if (rc == 0)
            rc = net_peer_connect(&np);
        if (rc == 0)
            rc = send_by_all(&np);
        rounds++;
    }
    net_peer_close(&np);
    return net_saw(a, rc == 0, "kept and given back %u times (%d)", rounds, rc);
}

struct scribbler {
    struct net_peer *np;
    uint32_t stop;
};

static void *scribble(void *arg)
{
    struct scribbler *s = arg;
    uint32_t *word = (uint32_t *)(void *)s->np->tx.half.sring->slots;
    uint32_t seed = 1;
    while (load_relaxed_u32(&s->stop) == 0) {
        seed = seed * 1664525 + 1013904223;
        store_relaxed_u32(&word[(seed >> 8) % (NETIF_RING_ENTRIES * 3)], seed);
    }
    return NULL;
}

/* Whatever the slots say when they are read: answered, or thrown out. */
int net_case_slots(struct net_attack *a)
{
    struct net_peer np;
    uint32_t answers = 0, restarts = 0;
    int rc = net_peer_open(&np, &a->rundir);
    while (rc == 0 && !net_is_over(a)) {
        struct scribbler s = {.np = &np};
        struct netif_tx_response rsp;
        pthread_t thread;
        rc = -pthread_create(&thread, NULL, scribble, &s);
        for (int i = 0; rc == 0 && i < 2000 && !net_is_over(a); i++) {
            net_peer_put(&np, NET_PEER_TX_PAGE, 60, 0);
            net_peer_push(&np, false);
            if (netif_tx_take_response(&np.tx, &rsp) == 1)
                answers++;
            if (front_ring_free(&np.tx.half) == 0)
                break;
        }
        store_relaxed_u32(&s.stop, 1);
        if (rc == 0)
            pthread_join(thread, NULL);
        if (rc == 0)
            rc = net_peer_restart(&np);
        if (rc == 0)
            rc = net_peer_connect(&np);
        restarts++;
    }
    net_peer_close(&np);
    return net_saw(a, rc == 0, "%u answers, started over %u times (%d)", answers, restarts, rc);
}
