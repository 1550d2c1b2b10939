/* SPDX-License-Identifier: MIT */
/* Anything, in any order: nodes, states, frames, rings that start anew under Dom0. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/prng.h"
#include "net_cases.h"
#include "ring/evtchn.h"

enum { FRAME_BYTES = 60, STEPS_MIN = 300 };

static const char *const nodes[] = {
    "tx-ring-ref",
    "rx-ring-ref",
    "event-channel",
    "event-channel-tx",
    "event-channel-rx",
    "multi-queue-num-queues",
    "queue-0/tx-ring-ref",
    "queue-0/rx-ring-ref",
    "queue-0/event-channel",
    "queue-1/tx-ring-ref",
    "queue-1/rx-ring-ref",
    "queue-1/event-channel-tx",
    "queue-1/event-channel-rx",
    "request-rx-copy",
    "feature-rx-notify",
    "feature-sg",
    "feature-gso-tcpv4",
    "feature-no-csum-offload",
    "feature-splitdom-stamp",
    "feature-persistent",
    "ctrl-ring-ref",
    "mac",
    "state",
};

enum { NODES = sizeof(nodes) / sizeof(nodes[0]) };

/* Most are what an honest front end would write there. */
static int write_any(struct net_peer *np, struct prng *prng)
{
    static const char *const odd[] = {"",  "x",  "-1",   "0",          "1",
                                      "2", "64", "4095", "4294967296", "18446744073709551616"};
    const char *node = nodes[prng_below(prng, NODES)];
    switch (prng_below(prng, 8)) {
    case 0:
        return net_peer_remove(np, node);
    case 1:
        return net_peer_write(np, node, "%s", odd[prng_below(prng, sizeof(odd) / sizeof(odd[0]))]);
    case 2:
    case 3:
        return net_peer_write(np, node, "%u", np->peer.port);
    case 4:
        return net_peer_write(np, node, "%u", (unsigned)prng_below(prng, 3));
    default:
        return net_peer_write(np, node, "%u", np->peer.data_ref + (unsigned)prng_below(prng, 4));
    }
}

static void use_rings(struct net_peer *np, struct prng *prng)
{
    const bool to_all = prng_below(prng, 8) == 0;
    net_peer_fill(np, NET_PEER_TX_PAGE, to_all ? NULL : np->mac, FRAME_BYTES);
    if (prng_below(prng, 4) == 0 || front_ring_free(&np->tx.half) == 0 ||
        front_ring_free(&np->rx.half) == 0)
        net_peer_start_rings(np);
    if (prng_below(prng, 2) == 0)
        net_peer_put(np, NET_PEER_TX_PAGE, FRAME_BYTES,
                     prng_below(prng, 8) == 0 ? NETTXF_more_data : 0);
    else
        net_peer_post(np, NET_PEER_RX_PAGE);
    net_peer_push(np, true);
}

static int step(struct net_peer *np, struct prng *prng)
{
    switch (prng_below(prng, 8)) {
    case 0:
        return net_peer_state(np, XenbusStateInitialising);
    case 1:
        return net_peer_state(np, XenbusStateConnected);
    case 2:
        return net_peer_state(np, (enum xenbus_state)prng_below(prng, XenbusStateReconfigured + 1));
    case 3:
    case 4:
        use_rings(np, prng);
        return 0;
    case 5: { /* so that what follows is from a good start */
        int rc = net_peer_restart(np);
        if (rc == 0)
            (void)net_peer_remove(np, "multi-queue-num-queues");
        return rc == 0 ? net_peer_remove(np, "ctrl-ring-ref") : rc;
    }
    default:
        return write_any(np, prng);
    }
}

int net_case_anything(struct net_attack *a)
{
    const char *text = getenv("HOSTILE_SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 10) : clock_monotonic_ns();
    struct prng prng;
    struct net_peer np;
    uint32_t steps = 0;
    prng_init(&prng, seed, 0);
    int rc = net_peer_open(&np, &a->rundir);
    for (; rc == 0 && (steps < STEPS_MIN || !net_is_over(a)); steps++)
        rc = step(&np, &prng);
    net_peer_close(&np);
    if (rc == 0)
        rc = net_another_connects(a);
    return net_saw(a, rc == 0, "%u steps of seed %" PRIu64 ", another one connects (%d)", steps,
                   seed, rc);
}
