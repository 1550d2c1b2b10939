/* SPDX-License-Identifier: MIT */
/* Several rings of one disk: their nodes, one page for two of them, one that lies beside honest
 * ones. Where Dom0 offers a single one (a machine with one CPU), any second one is refused. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cases.h"
#include "ring/barrier.h"

enum {
    QUEUES = 2,
    RING_PAGE = 32, /* of the peer's data pages: where further rings lie */
    ROUNDS = 20,
    VCPU_RING = 1,
};

/* The first is the peer's own ring. The second has its own memory, port and index. */
struct pair {
    struct peer peer; /* what it does is done to its ring: see use */
    struct blkif_front_ring rings[QUEUES];
    evtchn_port_t ports[QUEUES];
};

static grant_ref_t ring_ref(const struct pair *p, int queue)
{
    return queue == 0 ? PEER_REF : p->peer.data_ref + RING_PAGE;
}

static void start_rings(struct pair *p)
{
    for (int i = 0; i < QUEUES; i++) {
        void *page =
            i == 0 ? p->peer.view : segment_page(&p->peer.segment, p->peer.data_pfn + RING_PAGE);
        sring_init(page, 0);
        front_ring_init(&p->rings[i].half, page, blkif_ring_entries(0), 0);
    }
}

/* The peer's functions work on this ring from now on. */
static void use(struct pair *p, int from, int to)
{
    p->rings[from] = p->peer.ring;
    p->peer.ring = p->rings[to];
}

static int port_of(struct pair *p, enum control_op op, uint32_t arg, evtchn_port_t *out)
{
    struct control_request request = {.op = op, .arg0 = arg};
    struct control_reply reply;
    int fds[2];
    int rc = peer_ask(p->peer.control_fd, &request, &reply, fds);
    if (rc == 0 && out != NULL)
        *out = reply.arg0;
    return rc;
}

static int pair_create(struct pair *p, const struct rundir *rundir)
{
    int rc = peer_create(&p->peer, rundir, 0, false);
    if (rc < 0)
        return rc;
    start_rings(p);
    p->peer.ring = p->rings[0];
    p->ports[0] = p->peer.port;
    rc = port_of(p, CONTROL_EVTCHN_ALLOC_UNBOUND, VCPU_RING, &p->ports[1]);
    if (rc < 0)
        peer_destroy(&p->peer);
    return rc;
}

/* How many Dom0 offers, or -errno. */
static int queues_offered(struct peer *peer)
{
    char path[128], value[16];
    unsigned offered;
    snprintf(path, sizeof(path), "/local/domain/0/backend/vbd/%u/51712/multi-queue-max-queues",
             peer->segment.domid);
    int rc = peer_wait_state(peer, XenbusStateInitWait);
    if (rc == 0)
        rc = xs_client_read(peer->store, 0, path, value, sizeof(value));
    if (rc < 0)
        return rc;
    return sscanf(value, "%u", &offered) == 1 ? (int)offered : -EPROTO;
}

/* All nodes of two queues, as an honest front end writes them. */
static int write_nodes(struct pair *p)
{
    int rc = peer_write(&p->peer, "multi-queue-num-queues", "%d", QUEUES);
    for (int i = 0; rc == 0 && i < QUEUES; i++) {
        char node[32];
        snprintf(node, sizeof(node), "queue-%d/ring-ref", i);
        rc = peer_write(&p->peer, node, "%u", ring_ref(p, i));
        snprintf(node, sizeof(node), "queue-%d/event-channel", i);
        if (rc == 0)
            rc = peer_write(&p->peer, node, "%u", p->ports[i]);
    }
    return rc;
}

static int connect_pair(struct pair *p)
{
    int rc = peer_state(&p->peer, XenbusStateInitialised);
    if (rc == 0)
        rc = peer_wait_state(&p->peer, XenbusStateConnected);
    return rc == 0 ? peer_state(&p->peer, XenbusStateConnected) : rc;
}

/* 1: this Dom0 offers one ring only. */
static int pair_open(struct pair *p, const struct rundir *rundir)
{
    int rc = pair_create(p, rundir);
    if (rc < 0)
        return rc;
    int offered = queues_offered(&p->peer);
    rc = offered < 0 ? offered : offered < QUEUES;
    if (rc == 0)
        rc = write_nodes(p);
    if (rc == 0)
        rc = connect_pair(p);
    if (rc != 0)
        peer_destroy(&p->peer);
    return rc;
}

static int saw_no_start(struct attack *a, int rc)
{
    return rc == 1 ? saw(a, 1, "this Dom0 offers one ring") : saw(a, 0, "no good start: %d", rc);
}

/* The usual single ring, after whatever there was, and a read that it answers. */
static int fresh_start(struct peer *peer)
{
    struct blkif_request req = peer_read_request(peer, 1, 1);
    int rc = peer_restart(peer);
    if (rc == 0)
        rc = xs_client_rm(peer->store, 0, "device/vbd/51712/multi-queue-num-queues");
    if (rc == 0)
        rc = peer_connect(peer);
    return rc == 0 ? peer_request(peer, &req) : rc;
}

/* One node that is wrong, among those of two queues; value NULL: it is missing. */
static int try_node(struct pair *p, const char *node, const char *value)
{
    char path[64];
    int rc = write_nodes(p);
    snprintf(path, sizeof(path), "device/vbd/51712/%s", node);
    if (rc == 0)
        rc = value == NULL ? xs_client_rm(p->peer.store, 0, path)
                           : xs_client_write(p->peer.store, 0, path, value);
    if (rc == 0)
        rc = peer_state(&p->peer, XenbusStateInitialised);
    if (rc == 0)
        rc = peer_wait_state(&p->peer, XenbusStateClosing);
    if (rc == 0 && value != NULL)
        rc = xs_client_rm(p->peer.store, 0, path);
    return rc == 0 ? peer_restart(&p->peer) : rc;
}

int case_queue_nodes(struct attack *a)
{
    static const struct {
        const char *node, *value;
    } wrong[] = {
        {"multi-queue-num-queues", "0"},
        {"multi-queue-num-queues", "65"},
        {"multi-queue-num-queues", "4294967298"},
        {"multi-queue-num-queues", "18446744073709551618"},
        {"multi-queue-num-queues", "-2"},
        {"multi-queue-num-queues", "two"},
        {"queue-1/ring-ref", NULL},
        {"queue-1/ring-ref", "100000"},
        {"queue-0/ring-ref", "4294967304"},
        {"queue-1/event-channel", NULL},
        {"queue-1/event-channel", "0"},
        {"queue-1/event-channel", "63"}, /* none of its ports */
        /* Rings of different sizes: the order is one for all, and there is one page for each. */
        {"ring-page-order", "1"},
        {"ring-page-order", "0"}, /* with an order it is ring-ref0 */
    };
    enum { COUNT = sizeof(wrong) / sizeof(wrong[0]) };
    struct pair p;
    int i = 0, rc = pair_create(&p, &a->rundir);
    if (rc < 0)
        return saw(a, 0, "no good start: %d", rc);
    rc = peer_wait_state(&p.peer, XenbusStateInitWait);
    for (; i < COUNT && rc == 0; i++)
        rc = try_node(&p, wrong[i].node, wrong[i].value);
    if (rc < 0)
        rc = saw(a, 0, "%s = %s: not refused (%d)", wrong[i - 1].node,
                 wrong[i - 1].value != NULL ? wrong[i - 1].value : "(missing)", rc);
    else
        rc = saw(a, fresh_start(&p.peer) == BLKIF_RSP_OKAY,
                 "%d offers refused with Closing, then one ring that is served", i);
    peer_destroy(&p.peer);
    return rc;
}

/* Two back halves then read the same requests, and write answers over each other's. */
int case_queue_twice(struct attack *a)
{
    struct pair p;
    uint32_t rounds = 0;
    int rc = pair_create(&p, &a->rundir);
    if (rc == 0) {
        int offered = queues_offered(&p.peer);
        rc = offered < 0 ? offered : offered < QUEUES;
    }
    if (rc == 0)
        rc = write_nodes(&p);
    if (rc == 0)
        rc = peer_write(&p.peer, "queue-1/ring-ref", "%u", ring_ref(&p, 0));
    if (rc == 0)
        rc = connect_pair(&p);
    if (rc != 0)
        return saw_no_start(a, rc);
    do {
        for (uint32_t i = 0; i < 16; i++) {
            struct blkif_request req = peer_read_request(&p.peer, i, i * 8);
            peer_put(&p.peer, &req);
        }
        peer_push(&p.peer, true);
        peer_sleep_ms(1);
        rounds++;
    } while (peer_now_ms() < a->deadline_ms);
    int state = peer_back_state(&p.peer);
    rc = fresh_start(&p.peer);
    rc = saw(a,
             rc == BLKIF_RSP_OKAY && (state == XenbusStateConnected || state == XenbusStateClosing),
             "%u rounds, state %d, then a fresh start: %d", rounds, state, rc);
    peer_destroy(&p.peer);
    return rc;
}

/* One ring full of what may not be asked for. */
static int ask_nonsense(struct pair *p)
{
    struct blkif_response rsp;
    int refused = 0, rc = 0;
    for (uint32_t i = 0; i < 16; i++) {
        struct blkif_request req = peer_read_request(&p->peer, i, UINT64_MAX / 512 - i);
        if (i % 2 == 0)
            req.operation = (uint8_t)(40 + i);
        peer_put(&p->peer, &req);
    }
    peer_push(&p->peer, true);
    for (uint32_t i = 0; rc == 0 && i < 16; i++) {
        rc = peer_response(&p->peer, &rsp);
        refused += rc == 0 && rsp.status < 0;
    }
    return refused;
}

int case_queue_lies(struct attack *a)
{
    struct pair p;
    int honest = 0, refused = 0, rc = pair_open(&p, &a->rundir);
    if (rc != 0)
        return saw_no_start(a, rc);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct blkif_request req = peer_read_request(&p.peer, 100 + i, i);
        use(&p, 0, 1);
        refused += ask_nonsense(&p);
        use(&p, 1, 0);
        honest += peer_request(&p.peer, &req) == BLKIF_RSP_OKAY;
    }
    use(&p, 0, 1);
    p.peer.ring.half.req_prod_pvt += 1000;
    peer_push(&p.peer, true);
    use(&p, 1, 0);
    rc = peer_wait_state(&p.peer, XenbusStateClosing);
    int64_t halted = peer_status(&p.peer.rundir, p.peer.segment.domid, "halted");
    int again = rc == 0 ? fresh_start(&p.peer) : rc;
    rc =
        saw(a, honest == ROUNDS && refused == ROUNDS * 16 && halted == 1 && again == BLKIF_RSP_OKAY,
            "%d of %d honest reads, %d lies refused, then halted %lld, and a fresh start: %d",
            honest, ROUNDS, refused, (long long)halted, again);
    peer_destroy(&p.peer);
    return rc;
}

/* Of a ring that is connected: its answers are there, and nobody is told. */
int case_queue_port_closed(struct attack *a)
{
    struct pair p;
    int honest = 0, untold = 0, rc = pair_open(&p, &a->rundir);
    if (rc != 0)
        return saw_no_start(a, rc);
    rc = port_of(&p, CONTROL_EVTCHN_CLOSE, p.ports[1], NULL);
    for (uint32_t i = 0; rc == 0 && i < ROUNDS; i++) {
        struct blkif_request req = peer_read_request(&p.peer, i, i);
        honest += peer_request(&p.peer, &req) == BLKIF_RSP_OKAY;
        use(&p, 0, 1);
        untold += peer_request(&p.peer, &req) == BLKIF_RSP_OKAY; /* it looks by itself */
        use(&p, 1, 0);
    }
    /* Offered anew with the port that is none any more. */
    int refused = rc < 0 ? rc : peer_restart(&p.peer);
    start_rings(&p);
    refused = refused < 0 ? refused : write_nodes(&p);
    refused = refused < 0 ? refused : peer_state(&p.peer, XenbusStateInitialised);
    refused = refused < 0 ? refused : peer_wait_state(&p.peer, XenbusStateClosing);
    int again = refused < 0 ? refused : fresh_start(&p.peer);
    rc = saw(a, honest == ROUNDS && untold == ROUNDS && again == BLKIF_RSP_OKAY,
             "%d and %d of %d answered; offered anew: refused %d; a fresh start: %d", honest,
             untold, ROUNDS, refused, again);
    peer_destroy(&p.peer);
    return rc;
}
