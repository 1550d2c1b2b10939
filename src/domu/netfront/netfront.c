/* SPDX-License-Identifier: MIT */
/* netfront: opening and closing an interface of a domain, information, statistics. */
#include "splitdom/netfront.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domu/cancel_hold.h"
#include "domu/netfront/netfront_private.h"
#include "domu/options.h"

enum { RING_PAGES = 2 }; /* of a queue */

_Static_assert(NETFRONT_SLOTS_MAX == (int)NETIF_RING_ENTRIES, "a page for each slot");
_Static_assert(NETFRONT_FRAME_MAX == (int)XEN_NETIF_MAX_TX_SIZE, "Xen's limit is ours");
_Static_assert(NETFRONT_MAC_BYTES == (int)VIF_MAC_BYTES, "an address is an address");
_Static_assert(NETFRONT_SLOTS_MIN >= (int)XEN_NETIF_NR_SLOTS_MIN, "any frame fits");

/* What the options of the first release had. */
static const size_t options_size_first = offsetof(struct netfront_options, no_spin) + sizeof(bool);

static bool are_slots(uint32_t count)
{
    return count >= NETFRONT_SLOTS_MIN && count <= NETFRONT_SLOTS_MAX && (count & (count - 1)) == 0;
}

static int copy_options(const struct netfront_options *given, struct netfront_options *out,
                        char *why, size_t why_bytes)
{
    const struct options_shape shape = {"struct netfront_options", options_size_first,
                                        sizeof(*out)};
    int rc = options_copy(out, given, &shape, why, why_bytes);
    if (rc < 0)
        return rc;
    out->size = sizeof(*out);
    if (out->tx_slots == 0)
        out->tx_slots = NETFRONT_SLOTS_MAX;
    if (out->rx_slots == 0)
        out->rx_slots = NETFRONT_SLOTS_MAX;
    if (!are_slots(out->tx_slots) || !are_slots(out->rx_slots)) {
        snprintf(why, why_bytes, "an interface has %d to %d slots each way, a power of two",
                 NETFRONT_SLOTS_MIN, NETFRONT_SLOTS_MAX);
        return -EINVAL;
    }
    if (out->queues == 0)
        out->queues = 1;
    if (out->queues > NETFRONT_QUEUES_MAX) {
        snprintf(why, why_bytes, "an interface has up to %d queues, %u were asked for",
                 NETFRONT_QUEUES_MAX, out->queues);
        return -EINVAL;
    }
    if (out->devid > NETFRONT_DEVID_MAX) {
        snprintf(why, why_bytes, "an interface has a number up to %d, %u was asked for",
                 NETFRONT_DEVID_MAX, out->devid);
        return -EINVAL;
    }
    return 0;
}

uint32_t netfront_pages(const struct netfront_options *options)
{
    struct netfront_options checked;
    struct netfront_error unwanted;
    if (copy_options(options, &checked, unwanted.text, sizeof(unwanted.text)) < 0)
        return 0;
    return checked.queues * (checked.tx_slots + checked.rx_slots + RING_PAGES);
}

static struct netfront *create(void)
{
    struct netfront *nf = calloc(1, sizeof(*nf));
    if (nf == NULL)
        return NULL;
    for (uint32_t i = 0; i < NETFRONT_QUEUES_MAX; i++) {
        struct netfront_queue *q = &nf->queue[i];
        q->nf = nf;
        netfront_side_init(&q->tx);
        netfront_side_init(&q->rx);
        pthread_cond_init(&q->undelivered, NULL);
        q->ready_fd = -1;
    }
    pthread_mutex_init(&nf->state_lock, NULL);
    return nf;
}

int netfront_open(struct domu *domu, const struct netfront_options *options, struct netfront **out,
                  struct netfront_error *why)
{
    CANCEL_HOLD();
    struct netfront_error unwanted;
    if (why == NULL)
        why = &unwanted;
    *out = NULL;
    struct netfront *nf = create();
    snprintf(why->text, sizeof(why->text), "%s", nf != NULL ? "" : "out of memory");
    if (nf == NULL)
        return -ENOMEM;
    int rc = copy_options(options, &nf->options, why->text, sizeof(why->text));
    if (rc == 0) {
        nf->domu = domu;
        rc = netfront_link_start(nf, why->text, sizeof(why->text));
    }
    if (rc < 0)
        netfront_close(nf);
    else
        *out = nf;
    return rc;
}

void netfront_close(struct netfront *nf)
{
    CANCEL_HOLD();
    if (nf == NULL)
        return;
    for (uint32_t i = 0; i < nf->nr_queues; i++)
        netfront_fd_stop(&nf->queue[i]);
    netfront_link_stop(nf);
    pthread_mutex_destroy(&nf->state_lock);
    for (uint32_t i = 0; i < NETFRONT_QUEUES_MAX; i++) {
        struct netfront_queue *q = &nf->queue[i];
        pthread_cond_destroy(&q->undelivered);
        netfront_side_fini(&q->rx);
        netfront_side_fini(&q->tx);
    }
    free(nf);
}

void netfront_info(struct netfront *nf, struct netfront_info *out)
{
    pthread_mutex_lock(&nf->state_lock);
    *out = (struct netfront_info){
        .mtu_bytes = nf->link.mtu_bytes,
        .link_up = nf->link.carrier,
        .scatter_gather = nf->scatter_gather,
        .gso_tcpv4 = nf->gso_tcpv4,
        .gso_tcpv6 = nf->gso_tcpv6,
        .ipv6_checksum = nf->ipv6_checksum,
        .stamps = nf->stamps,
        .domid = nf->domid,
        .devid = nf->options.devid,
    };
    memcpy(out->mac, nf->link.mac, sizeof(out->mac));
    pthread_mutex_unlock(&nf->state_lock);
}

static void add_side(const struct netfront_side *side, struct netfront_statistics *out)
{
    out->kicks += side->kicks;
    out->upcalls += side->upcalls;
    out->spins_won += side->spins_won;
    out->spins_lost += side->spins_lost;
}

static void add_queue(struct netfront_queue *q, struct netfront_statistics *out)
{
    pthread_mutex_lock(&q->tx.lock);
    out->tx_frames += q->tx_count.frames;
    out->tx_bytes += q->tx_count.bytes;
    out->tx_errors += q->tx_count.errors;
    out->tx_dropped += q->tx_count.dropped;
    out->tx_lost += q->tx_count.lost;
    out->tx_waits += q->tx_count.waits;
    add_side(&q->tx, out);
    pthread_mutex_unlock(&q->tx.lock);
    pthread_mutex_lock(&q->rx.lock);
    out->rx_frames += q->rx_count.frames;
    out->rx_bytes += q->rx_count.bytes;
    out->rx_errors += q->rx_count.errors;
    out->rx_truncated += q->rx_count.truncated;
    out->rx_slots += q->rx_count.slots;
    add_side(&q->rx, out);
    pthread_mutex_unlock(&q->rx.lock);
}

void netfront_statistics(struct netfront *nf, struct netfront_statistics *out)
{
    *out = (struct netfront_statistics){0};
    for (uint32_t i = 0; i < nf->nr_queues; i++)
        add_queue(&nf->queue[i], out);
    pthread_mutex_lock(&nf->state_lock);
    out->reconnects = nf->reconnects;
    pthread_mutex_unlock(&nf->state_lock);
}

uint32_t netfront_queues(struct netfront *nf)
{
    return nf->nr_queues;
}

const char *netfront_failure(struct netfront *nf)
{
    return netfront_failed(nf) != 0 ? nf->failure : ""; /* written once, before */
}
