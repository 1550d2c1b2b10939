/* SPDX-License-Identifier: MIT */
/* Nodes, states and the store's own ring. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cases.h"
#include "ring/barrier.h"
#include "ring/evtchn.h"

/* One wrong node beside good ones; value NULL: the node is missing. */
struct bogus {
    const char *node, *value;
};

static const struct bogus bogus_nodes[] = {
    {"multi-queue-num-queues", "2"},
    {"multi-queue-num-queues", "0"},
    {"ring-page-order", "5"},
    {"ring-page-order", "18446744073709551616"},
    {"ring-page-order", "1"}, /* without ring-ref0, ring-ref1 */
    {"protocol", "x86_32-abi"},
    {"event-channel", "0"},
    {"event-channel", "63"},
    {"event-channel", "4095"},
    {"event-channel", "4294967297"},
    {"event-channel", NULL},
    {"ring-ref", NULL},
    {"ring-ref", "100000"},
    {"ring-ref", "4294967304"},
    {"ring-ref", "0"},
};

/* Returns 0 if Dom0 refused. */
static int try_bogus(struct peer *peer, const struct bogus *bogus)
{
    char path[64];
    int rc = peer_write(peer, "ring-ref", "%u", PEER_REF);
    if (rc == 0)
        rc = peer_write(peer, "event-channel", "%u", peer->port);
    snprintf(path, sizeof(path), "device/vbd/51712/%s", bogus->node);
    if (rc == 0)
        rc = bogus->value == NULL ? xs_client_rm(peer->store, 0, path)
                                  : xs_client_write(peer->store, 0, path, bogus->value);
    if (rc == 0)
        rc = peer_state(peer, XenbusStateInitialised);
    if (rc == 0)
        rc = peer_wait_state(peer, XenbusStateClosing);
    if (rc == 0 && bogus->value != NULL)
        rc = xs_client_rm(peer->store, 0, path);
    return rc == 0 ? peer_restart(peer) : rc;
}

int case_bogus_nodes(struct attack *a)
{
    struct peer peer;
    enum { COUNT = sizeof(bogus_nodes) / sizeof(bogus_nodes[0]) };
    int i = 0, rc = peer_create(&peer, &a->rundir, 0, false);
    if (rc < 0)
        return saw(a, 0, "no good start: %d", rc);
    for (; i < COUNT && rc == 0; i++)
        rc = try_bogus(&peer, &bogus_nodes[i]);
    if (rc < 0) {
        rc = saw(a, 0, "%s = %s: not refused (%d)", bogus_nodes[i - 1].node,
                 bogus_nodes[i - 1].value ? bogus_nodes[i - 1].value : "(missing)", rc);
    } else {
        rc = peer_connect(&peer);
        rc = saw(a, rc == 0, "%d offers refused with Closing, then a good one: %d", i, rc);
    }
    peer_destroy(&peer);
    return rc;
}

int case_refs_change(struct attack *a)
{
    struct peer peer;
    int rc = peer_open(&peer, &a->rundir);
    if (rc == 0)
        rc = peer_write(&peer, "ring-ref", "4000000000");
    if (rc == 0)
        rc = peer_write(&peer, "event-channel", "nonsense");
    if (rc == 0)
        rc = peer_state(&peer, XenbusStateConnected);
    struct blkif_request req = peer_read_request(&peer, 1, 1);
    int status = rc == 0 ? peer_request(&peer, &req) : rc;
    rc = saw(a, status == BLKIF_RSP_OKAY, "ignored: the ring goes on (%d)", status);
    peer_destroy(&peer);
    return rc;
}

/* A fresh domain goes through these texts of `state`; wanted: where the back end ends up. */
static int jump(struct attack *a, const char *const *texts, enum xenbus_state wanted)
{
    struct peer peer;
    int rc = peer_create(&peer, &a->rundir, 0, false);
    for (; rc == 0 && *texts != NULL; texts++)
        rc = peer_write(&peer, "state", "%s", *texts);
    if (rc == 0)
        rc = peer_wait_state(&peer, wanted);
    if (rc < 0)
        saw(a, 0, "back end at %d instead of %d (%d)", peer_back_state(&peer), wanted, rc);
    peer_destroy(&peer);
    return rc;
}

int case_state_jumps(struct attack *a)
{
    static const char *const to_connected[] = {"4", NULL}, *const twice[] = {"6", "6", NULL},
                             *const nine[] = {"9", NULL}, *const text[] = {"open", NULL},
                             *const empty[] = {"", NULL}, *const back[] = {"4", "1", NULL},
                             *const resurrect[] = {"5", "6", "1", NULL},
                             *const late[] = {"6", "4", NULL};
    struct peer peer;
    int rc = jump(a, to_connected, XenbusStateClosing);
    rc = rc < 0 ? rc : jump(a, twice, XenbusStateClosed);
    rc = rc < 0 ? rc : jump(a, nine, XenbusStateClosing);
    rc = rc < 0 ? rc : jump(a, text, XenbusStateClosed);
    rc = rc < 0 ? rc : jump(a, empty, XenbusStateClosed);
    rc = rc < 0 ? rc : jump(a, back, XenbusStateClosing);
    rc = rc < 0 ? rc : jump(a, resurrect, XenbusStateInitWait);
    rc = rc < 0 ? rc : jump(a, late, XenbusStateClosed);
    if (rc < 0)
        return -1;
    /* Connected, then from the beginning without a goodbye, with requests in flight: not heard. */
    rc = peer_open(&peer, &a->rundir);
    for (uint32_t i = 0; rc == 0 && i < 32; i++) {
        struct blkif_request req = peer_read_request(&peer, i, i * 31);
        peer_put(&peer, &req);
    }
    peer_push(&peer, true);
    rc = rc < 0 ? rc : peer_state(&peer, XenbusStateInitialising);
    rc = rc < 0 ? rc : peer_restart(&peer);
    rc = rc < 0 ? rc : peer_connect(&peer);
    rc = saw(a, rc == 0, "8 jumps end where they must; 4 -> 1 with reads in flight: %d", rc);
    peer_destroy(&peer);
    return rc;
}

int case_flapping(struct attack *a)
{
    static const enum xenbus_state circle[] = {XenbusStateClosed, XenbusStateInitialising,
                                               XenbusStateInitialised};
    struct peer peer;
    uint32_t flaps = 0;
    int rc = peer_create(&peer, &a->rundir, 0, false);
    if (rc == 0)
        rc = peer_connect(&peer);
    while (rc == 0 && peer_now_ms() < a->deadline_ms) {
        rc = peer_state(&peer, circle[flaps % 3]);
        flaps++;
    }
    if (rc == 0)
        rc = peer_restart(&peer);
    if (rc == 0)
        rc = peer_connect(&peer);
    rc = saw(a, rc == 0, "%u changes of state, then a good connection: %d", flaps, rc);
    peer_destroy(&peer);
    return rc;
}

int case_node_quota(struct attack *a)
{
    struct peer peer;
    int nodes = 0, watches = 0, transactions = 0;
    int rc = peer_create(&peer, &a->rundir, 0, false);
    if (rc < 0)
        return saw(a, 0, "no good start: %d", rc);
    for (; rc == 0 && nodes < 5000; nodes++) {
        char path[32];
        snprintf(path, sizeof(path), "data/%d/%d", nodes / 100, nodes);
        rc = xs_client_write(peer.store, 0, path, "x");
    }
    int node_rc = rc;
    for (rc = 0; rc == 0 && watches < 5000; watches++) {
        char token[32];
        snprintf(token, sizeof(token), "t%d", watches);
        rc = xs_client_watch(peer.store, "data/none", token);
    }
    int watch_rc = rc;
    for (rc = 0; rc == 0 && transactions < 5000; transactions++) {
        uint32_t tx;
        rc = xs_client_transaction_start(peer.store, &tx);
    }
    bool refused = node_rc == -ENOSPC && watch_rc == -E2BIG && rc == -ENOSPC;
    rc = saw(a, refused, "refused at %d nodes, %d watches, %d transactions", nodes, watches,
             transactions);
    peer_destroy(&peer);
    return rc;
}

int case_store_ring(struct attack *a)
{
    struct peer peer;
    int64_t broken = -1;
    int rc = peer_open(&peer, &a->rundir);
    if (rc < 0)
        return saw(a, 0, "no good start: %d", rc);
    store_release_u32(&peer.segment.store->req_prod,
                      load_relaxed_u32(&peer.segment.store->req_cons) + 5000);
    (void)evtchn_kick(peer.doorbell_fd);
    for (int i = 0; i < 200 && broken != 1; i++) {
        broken = peer_status(&a->rundir, peer.segment.domid, "store_broken");
        peer_sleep_ms(1);
    }
    /* The disk does not depend on it. */
    struct blkif_request req = peer_read_request(&peer, 1, 1);
    int status = peer_request(&peer, &req);
    rc = saw(a, broken == 1 && status == BLKIF_RSP_OKAY, "store ring ignored, disk goes on (%d)",
             status);
    peer_destroy(&peer);
    return rc;
}

int case_store_flood(struct attack *a)
{
    struct peer peer;
    uint32_t writes = 0;
    int rc = peer_create(&peer, &a->rundir, 0, false);
    for (int i = 0; rc == 0 && i < 50; i++) {
        char token[16];
        snprintf(token, sizeof(token), "w%d", i);
        rc = xs_client_watch(peer.store, "data", token); /* each write is 50 events more */
    }
    while (rc == 0 && peer_now_ms() < a->deadline_ms) {
        char path[128], token[32];
        rc = xs_client_write(peer.store, 0, "data/x", "y");
        writes++;
        while (rc == 0 &&
               xs_client_next_event(peer.store, 0, path, sizeof(path), token, sizeof(token)) == 0)
            continue;
    }
    rc = saw(a, rc == 0, "%u writes with 50 watches served, in turn with all others", writes);
    peer_destroy(&peer);
    return rc;
}
