/* SPDX-License-Identifier: MIT */
/*
 * xen_netfront: two domains with network front ends that know nothing of this project but how to
 * get a domain. Everything after that is written with Xen's headers. One sends frames of all sizes,
 * large ones included, to the other, which sends them back: if all come back as they went, the back
 * end speaks Xen's network protocol. One of them is Linux's, the other one of any kind
 * (xen_vif_kind.h), which closes and opens again in the middle.
 */
#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "domain.h"
#include "xen_events.h"
#include "xen_net.h"
#include "xen_store.h"
#include "xen_vif.h"

#include "xen_headers.h"

enum {
    TX_RING_REF = GNTTAB_NR_RESERVED_ENTRIES,
    RX_RING_REF,
    TX_REF,
    RX_REF = TX_REF + XEN_NET_SLOTS,
    REFS_END = RX_REF + XEN_NET_SLOTS,
    NR_FREE_PAGES = REFS_END - TX_RING_REF,
    BATCH_PAGES = 200, /* at most: what is on its way fits into the pages that are posted */
};

struct end {
    const struct xen_vif_kind *kind;
    struct domain domain;
    struct xen_events events;
    struct xen_store store;
    struct xen_vif vif;
    struct xen_vif_offer offer;
    struct xen_net *net;
    grant_entry_v1_t *grants;
    struct xen_net_frame frame;
    uint32_t answered;
};

static uint64_t random_state = 1;

static uint32_t draw(uint64_t below)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (uint32_t)(((random_state * 0x2545f4914f6cdd1dull) >> 32) % below);
}

static void grant_all(struct end *end)
{
    for (uint32_t i = 0; i < NR_FREE_PAGES; i++) {
        grant_entry_v1_t *entry = &end->grants[TX_RING_REF + i];
        uint16_t flags = GTF_permit_access;
        entry->domid = 0;
        entry->frame = end->domain.free_pfn + i;
        if (TX_RING_REF + i >= TX_REF && TX_RING_REF + i < RX_REF)
            flags |= GTF_readonly;
        __atomic_store_n(&entry->flags, flags, __ATOMIC_RELEASE);
    }
}

static void kick(struct end *end, bool wanted)
{
    if (wanted && xen_events_kick(&end->events) < 0)
        errx(1, "doorbell: write failed");
}

static void post(struct end *end)
{
    bool notify;
    xen_net_post(end->net, end->kind->pages, &notify);
    kick(end, notify && !end->kind->silent);
}

static void make_domain(struct end *end, const char *socket_path)
{
    struct domain *domain = &end->domain;
    struct xen_vif_offer *offer = &end->offer;
    *offer = (struct xen_vif_offer){
        .kind = end->kind, .tx_ring_ref = TX_RING_REF, .rx_ring_ref = RX_RING_REF};
    if (domain_create(domain, socket_path, NR_FREE_PAGES) < 0 ||
        domain_alloc_unbound(domain, &offer->tx_port) < 0)
        errx(1, "%s", domain->why);
    offer->rx_port = offer->tx_port;
    if (end->kind->split && domain_alloc_unbound(domain, &offer->rx_port) < 0)
        errx(1, "%s", domain->why);
    if (domain->nr_grant_entries < REFS_END)
        errx(1, "the grant table has only %u entries", domain->nr_grant_entries);
    end->events = (struct xen_events){.shared_info = domain_page(domain, domain->shared_info_pfn),
                                      .doorbell = domain->doorbell};
    end->store =
        (struct xen_store){.ring = domain_page(domain, domain->store_pfn), .events = &end->events};
    end->vif.store = &end->store;
    end->grants = domain_page(domain, domain->gnttab_pfn);
    grant_all(end);
}

static void check_grants(const struct end *end)
{
    for (uint32_t ref = TX_RING_REF; ref < REFS_END; ref++)
        if ((end->grants[ref].flags & (GTF_reading | GTF_writing)) != 0)
            errx(1, "grant %u is still mapped after the device was closed", ref);
}

/* For the first time, or again with new rings. */
static void open_device(struct end *end, uint32_t index)
{
    const struct domain *domain = &end->domain;
    int rc = xen_vif_begin(&end->vif, domain->domid, end->kind);
    if (rc < 0)
        errx(1, "begin: %s: %s", end->vif.doing, strerror(-rc));
    check_grants(end);
    const uint32_t pfn = domain->free_pfn;
    const struct xen_net_pages pages = {.tx_ring = domain_page(domain, pfn),
                                        .rx_ring = domain_page(domain, pfn + 1),
                                        .tx_data = domain_page(domain, pfn + 2),
                                        .rx_data = domain_page(domain, pfn + 2 + XEN_NET_SLOTS),
                                        .tx_ref = TX_REF,
                                        .rx_ref = RX_REF,
                                        .index = index};
    xen_net_destroy(end->net);
    end->net = xen_net_create(&pages);
    if (end->net == NULL)
        err(1, "memory");
    rc = xen_vif_connect(&end->vif, &end->offer);
    if (rc < 0)
        errx(1, "connect: %s: %s", end->vif.doing, strerror(-rc));
    post(end);
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Frame number n of those that one end sends to the other, of a kind that both take: returns how
 * many pages it takes. */
static uint32_t make(const struct end *from, const struct end *to, uint32_t n,
                     struct xen_net_frame *frame)
{
    const uint32_t both_max = least(from->kind->frame_bytes_max, to->kind->frame_bytes_max);
    const uint32_t gso_types = least(from->kind->gso_types, to->kind->gso_types);
    uint64_t kept = random_state;
    random_state = n * 2ull + 1;
    (void)draw(2);
    static const uint32_t most[] = {1514, 1514, 9014, XEN_NET_FRAME_MAX};
    frame->length_bytes = 60 + draw(least(most[draw(4)], both_max) - 59);
    frame->checksum_blank = draw(2) == 0 && !from->kind->no_csum && !to->kind->no_csum;
    frame->data_validated = frame->checksum_blank || draw(2) == 0;
    frame->gso_type = frame->length_bytes > 1514 ? draw(gso_types + 1) : 0;
    frame->gso_size = frame->gso_type != 0 ? 1 + draw(1460) : 0;
    for (uint32_t i = 0; i < frame->length_bytes; i++)
        frame->data[i] = (uint8_t)(i * 7 + n);
    memcpy(frame->data, to->vif.mac, 6);
    memcpy(frame->data + 6, from->vif.mac, 6);
    frame->data[12] = 0x88; /* IEEE 802 - local experimental */
    frame->data[13] = 0xb5;
    random_state = kept;
    return frame->length_bytes / DOMAIN_PAGE_SIZE + 2;
}

static void send_frame(struct end *from, const struct end *to, uint32_t n)
{
    bool notify;
    (void)make(from, to, n, &from->frame);
    if (!xen_net_send(from->net, &from->frame, &notify))
        errx(1, "frame %u: no room on the tx ring", n);
    kick(from, notify);
}

static void collect(struct end *end)
{
    int frames = xen_net_collect(end->net);
    if (frames < 0)
        errx(1, "an answer is not okay");
    end->answered += (uint32_t)frames;
}

/* Waits for frame n, and compares. */
static void expect(struct end *at, const struct end *from, uint32_t n)
{
    static struct xen_net_frame wanted;
    (void)make(from, at, n, &wanted);
    int rc;
    while ((rc = xen_net_receive(at->net, &at->frame)) == 0)
        if (xen_events_wait(&at->events) < 0)
            errx(1, "no event for 60 s, frame %u is missing", n);
    if (rc < 0)
        errx(1, "frame %u: the slots make no frame", n);
    const struct xen_net_frame *got = &at->frame;
    if (got->length_bytes != wanted.length_bytes ||
        memcmp(got->data, wanted.data, got->length_bytes) != 0)
        errx(1, "frame %u came with %u bytes, not the %u that were sent", n, got->length_bytes,
             wanted.length_bytes);
    if (got->checksum_blank != wanted.checksum_blank ||
        got->data_validated != wanted.data_validated || got->gso_type != wanted.gso_type ||
        got->gso_size != wanted.gso_size)
        errx(1, "frame %u came as another kind", n);
}

/* A batch to the other end, and back. */
static uint32_t exchange(struct end *a, struct end *b, uint32_t first, uint32_t count)
{
    uint32_t pages = 0, last = first;
    for (; last < count; last++) {
        pages += make(a, b, last, &a->frame);
        if (pages > least(BATCH_PAGES, least(a->kind->pages, b->kind->pages)))
            break;
        send_frame(a, b, last);
    }
    for (uint32_t n = first; n < last; n++)
        expect(b, a, n);
    collect(a);
    post(b);
    for (uint32_t n = first; n < last; n++)
        send_frame(b, a, n);
    for (uint32_t n = first; n < last; n++)
        expect(a, b, n);
    collect(b);
    post(a);
    return last;
}

/* The last answers may come after the frames themselves. */
static void await_answers(struct end *end, uint32_t count)
{
    while (end->answered < count && xen_events_wait(&end->events) == 0)
        collect(end);
    if (end->answered != count)
        errx(1, "%u frames are answered, not %u", end->answered, count);
}

static void close_device(struct end *end)
{
    int rc = xen_vif_close(&end->vif, end->kind);
    if (rc < 0)
        errx(1, "close: %s: %s", end->vif.doing, strerror(-rc));
    if (end->kind->end != XEN_VIF_CRASH)
        check_grants(end);
}

static void finish(struct end *end)
{
    close_device(end);
    xen_net_destroy(end->net);
    domain_destroy(&end->domain);
}

int main(int argc, char **argv)
{
    static struct end a, b;
    if (argc < 3 || argc > 5) {
        fputs("usage: xen_netfront DOM0_SOCK COUNT [RING_START [KIND]]\n"
              "sends COUNT frames from one domain to another and back by Xen's network protocol\n",
              stderr);
        return 2;
    }
    uint32_t count = (uint32_t)strtoul(argv[2], NULL, 10);
    uint32_t index = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0;
    a.kind = xen_vif_kind_find("linux");
    b.kind = xen_vif_kind_find(argc > 4 ? argv[4] : "linux");
    if (b.kind == NULL)
        errx(2, "there is no front end of kind %s", argv[4]);
    make_domain(&a, argv[1]);
    make_domain(&b, argv[1]);
    open_device(&a, index);
    open_device(&b, index);
    for (uint32_t n = 0; n < count / 2;)
        n = exchange(&a, &b, n, count / 2);
    await_answers(&b, count / 2);
    close_device(&b);
    open_device(&b, index);
    for (uint32_t n = count / 2; n < count;)
        n = exchange(&a, &b, n, count);
    await_answers(&a, count);
    await_answers(&b, count);
    finish(&a);
    finish(&b);
    printf("%u frames went and came; %llu kicks, %llu upcalls\n", count,
           (unsigned long long)(a.events.kicks + b.events.kicks),
           (unsigned long long)(a.events.upcalls + b.events.upcalls));
    return 0;
}
