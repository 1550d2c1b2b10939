/* SPDX-License-Identifier: MIT */
/*
 * xen_front: a block front end that knows nothing of this project but how to get a domain.
 *
 * Everything after that is written with Xen's headers: the xenstore ring, the grant table, the
 * event channel bits, the macros of io/ring.h. It reads random sectors and compares them with the
 * image: if it works, the back end speaks Xen's block protocol.
 */
#include <err.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "domain.h"
#include "xen_events.h"
#include "xen_store.h"
#include "xen_vbd.h"

#include "xen_headers.h"

enum {
    NR_SLOTS = __CONST_RING_SIZE(blkif, DOMAIN_PAGE_SIZE),
    QUEUES_MAX = 4,
    SLOTS_MAX = QUEUES_MAX * NR_SLOTS, /* those of a queue lie together */
    SEGMENTS_MAX = 3,
    NR_FREE_PAGES = QUEUES_MAX + SLOTS_MAX * SEGMENTS_MAX,
    RING_REF = GNTTAB_NR_RESERVED_ENTRIES,
    DATA_REF = RING_REF + QUEUES_MAX,
    SECTORS_PER_PAGE = DOMAIN_PAGE_SIZE / 512,
    UNTOUCHED = 0xee, /* what a data page holds where no sector may land */
};

struct front {
    struct domain domain;
    struct xen_events events;
    struct xen_store store;
    struct xen_vbd vbd;
    struct blkif_front_ring ring[QUEUES_MAX];
    uint32_t port[QUEUES_MAX];
    struct blkif_request shadow[SLOTS_MAX];
    bool busy[SLOTS_MAX];
    grant_entry_v1_t *grants;
    int image;
    uint64_t random;
    uint64_t first_id; /* a front end calls its requests what it likes */
};

static uint32_t draw(struct front *front, uint64_t below)
{
    front->random ^= front->random >> 12;
    front->random ^= front->random << 25;
    front->random ^= front->random >> 27;
    return (uint32_t)(((front->random * 0x2545f4914f6cdd1dull) >> 32) % below);
}

static void grant(struct front *front, grant_ref_t ref, uint32_t pfn)
{
    grant_entry_v1_t *entry = &front->grants[ref];
    entry->domid = 0;
    entry->frame = pfn;
    __atomic_store_n(&entry->flags, GTF_permit_access, __ATOMIC_RELEASE);
}

/* The back end must have unmapped by now; Linux gives the device up if it has not (XSA-396). */
static void end_access(struct front *front, grant_ref_t ref, const char *when)
{
    uint16_t *flags = &front->grants[ref].flags;
    uint16_t found = __atomic_load_n(flags, __ATOMIC_SEQ_CST);
    do {
        if (found & (GTF_reading | GTF_writing))
            errx(1, "grant %u is still mapped by the back end (flags 0x%x) %s", ref, found, when);
    } while (
        !__atomic_compare_exchange_n(flags, &found, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
}

static grant_ref_t data_ref(uint64_t slot, uint32_t segment)
{
    return (grant_ref_t)(DATA_REF + slot * SEGMENTS_MAX + segment);
}

static uint32_t data_pfn(const struct front *front, uint64_t slot, uint32_t segment)
{
    return front->domain.free_pfn + QUEUES_MAX + (uint32_t)(slot * SEGMENTS_MAX) + segment;
}

static uint32_t segment_sectors(const struct blkif_request_segment *seg)
{
    return (uint32_t)seg->last_sect - seg->first_sect + 1;
}

/* 1..3 segments anywhere in their pages; whole pages if the disk has larger sectors than 512. */
static void make_request(struct front *front, uint64_t slot)
{
    struct blkif_request *req = &front->shadow[slot];
    bool whole_pages = front->vbd.sector_size > 512;
    uint32_t total = 0;
    memset(req, 0, sizeof(*req));
    req->operation = BLKIF_OP_READ;
    req->nr_segments = (uint8_t)(1 + draw(front, SEGMENTS_MAX));
    req->id = front->first_id + slot;
    for (uint32_t i = 0; i < req->nr_segments; i++) {
        struct blkif_request_segment *seg = &req->seg[i];
        uint32_t pfn = data_pfn(front, slot, i);
        seg->gref = data_ref(slot, i);
        seg->first_sect = (uint8_t)(whole_pages ? 0 : draw(front, SECTORS_PER_PAGE));
        seg->last_sect =
            (uint8_t)(whole_pages ? SECTORS_PER_PAGE - 1
                                  : seg->first_sect +
                                        draw(front, (uint64_t)SECTORS_PER_PAGE - seg->first_sect));
        total += segment_sectors(seg);
        memset(domain_page(&front->domain, pfn), UNTOUCHED, DOMAIN_PAGE_SIZE);
        if (!front->vbd.persistent)
            grant(front, seg->gref, pfn);
    }
    req->sector_number = draw(front, front->vbd.sectors - total + 1);
    if (whole_pages)
        req->sector_number -= req->sector_number % SECTORS_PER_PAGE;
    front->busy[slot] = true;
}

static void verify(struct front *front, const struct blkif_request *req)
{
    uint64_t sector = req->sector_number;
    for (uint32_t i = 0; i < req->nr_segments; i++) {
        const struct blkif_request_segment *seg = &req->seg[i];
        uint8_t expected[DOMAIN_PAGE_SIZE];
        uint8_t *page = domain_page(&front->domain, data_pfn(front, req->id - front->first_id, i));
        size_t bytes = segment_sectors(seg) * 512u;
        memset(expected, UNTOUCHED, sizeof(expected));
        if (pread(front->image, expected + seg->first_sect * 512u, bytes, (off_t)sector * 512) !=
            (ssize_t)bytes)
            err(1, "image: reading sector %llu", (unsigned long long)sector);
        for (size_t b = 0; b < sizeof(expected); b++) {
            if (page[b] != expected[b])
                errx(1,
                     "mismatch: sectors %llu.. at page sectors %u..%u: byte %zu is 0x%02x, not "
                     "0x%02x",
                     (unsigned long long)sector, seg->first_sect, seg->last_sect, b, page[b],
                     expected[b]);
        }
        sector += segment_sectors(seg);
    }
}

static void complete(struct front *front, uint32_t queue, const struct blkif_response *rsp)
{
    uint64_t slot = rsp->id - front->first_id;
    if (slot / NR_SLOTS != queue || !front->busy[slot])
        errx(1, "queue %u: response to request %llu, which is not in flight there", queue,
             (unsigned long long)rsp->id);
    const struct blkif_request *req = &front->shadow[slot];
    if (rsp->operation != req->operation || rsp->status != BLKIF_RSP_OKAY)
        errx(1, "response: operation %u status %d for a read of sector %llu", rsp->operation,
             rsp->status, (unsigned long long)req->sector_number);
    for (uint32_t i = 0; i < req->nr_segments && !front->vbd.persistent; i++)
        end_access(front, req->seg[i].gref, "after its response");
    verify(front, req);
    front->busy[slot] = false;
}

static uint64_t free_slot(const struct front *front, uint32_t queue)
{
    uint64_t slot = (uint64_t)queue * NR_SLOTS;
    while (slot < ((uint64_t)queue + 1) * NR_SLOTS && front->busy[slot])
        slot++;
    return slot;
}

static uint64_t issue(struct front *front, uint32_t queue, uint64_t count)
{
    struct blkif_front_ring *ring = &front->ring[queue];
    uint64_t issued = 0;
    int notify;
    for (; issued < count && !RING_FULL(ring); issued++) {
        uint64_t slot = free_slot(front, queue);
        make_request(front, slot);
        *RING_GET_REQUEST(ring, ring->req_prod_pvt) = front->shadow[slot];
        ring->req_prod_pvt++;
    }
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(ring, notify);
    if (notify && xen_events_kick(&front->events) < 0)
        errx(1, "doorbell: write failed");
    return issued;
}

static uint64_t collect(struct front *front, uint32_t queue)
{
    struct blkif_front_ring *ring = &front->ring[queue];
    uint64_t collected = 0;
    RING_IDX prod = __atomic_load_n(&ring->sring->rsp_prod, __ATOMIC_RELAXED);
    xen_rmb();
    if (RING_RESPONSE_PROD_OVERFLOW(ring, prod))
        errx(1, "the back end claims more responses than the ring has slots");
    for (; ring->rsp_cons != prod; ring->rsp_cons++, collected++) {
        struct blkif_response rsp;
        RING_COPY_RESPONSE(ring, ring->rsp_cons, &rsp);
        complete(front, queue, &rsp);
    }
    return collected;
}

/* Whether any ring has answers; if none has, each will tell of its next one. */
static bool any_answer(struct front *front)
{
    bool any = false;
    for (uint32_t i = 0; i < front->vbd.queues; i++) {
        unsigned int work;
        RING_FINAL_CHECK_FOR_RESPONSES(&front->ring[i], work);
        any |= work != 0;
    }
    return any;
}

static void read_and_verify(struct front *front, uint64_t count)
{
    uint64_t issued = 0, done = 0;
    while (done < count) {
        uint64_t batch = draw(front, NR_SLOTS + 1); /* sometimes none: just wait */
        if (batch > count - issued)
            batch = count - issued;
        uint32_t queue = front->vbd.queues > 1 ? draw(front, front->vbd.queues) : 0;
        issued += issue(front, queue, batch);
        for (uint32_t i = 0; i < front->vbd.queues; i++)
            done += collect(front, i);
        if (issued != done && !any_answer(front) && xen_events_wait(&front->events) < 0)
            errx(1, "no event for 60 s, with %llu requests in flight",
                 (unsigned long long)(issued - done));
    }
}

static void open_image(struct front *front, const char *path)
{
    front->image = open(path, O_RDONLY | O_CLOEXEC);
    if (front->image < 0)
        err(1, "%s", path);
}

static void check_geometry(const struct front *front)
{
    struct stat st;
    if (fstat(front->image, &st) < 0)
        err(1, "image");
    if (front->vbd.sectors != (uint64_t)st.st_size / 512 ||
        front->vbd.sectors < SEGMENTS_MAX * SECTORS_PER_PAGE)
        errx(1, "the back end says %llu sectors, the image has %llu (at least %d are needed)",
             (unsigned long long)front->vbd.sectors, (unsigned long long)st.st_size / 512,
             SEGMENTS_MAX * SECTORS_PER_PAGE);
}

static void start_ring(struct front *front, uint32_t queue, uint32_t index)
{
    struct domain *domain = &front->domain;
    struct blkif_sring *sring = domain_page(domain, domain->free_pfn + queue);
    SHARED_RING_INIT(sring);
    sring->req_prod = sring->rsp_prod = index;
    sring->req_event = sring->rsp_event = index + 1;
    FRONT_RING_ATTACH(&front->ring[queue], sring, index, DOMAIN_PAGE_SIZE);
    grant(front, RING_REF + queue, domain->free_pfn + queue);
    if (domain_alloc_unbound(domain, &front->port[queue]) < 0)
        errx(1, "%s", domain->why);
}

static void start(struct front *front, const char *socket_path, uint32_t index)
{
    struct domain *domain = &front->domain;
    if (domain_create(domain, socket_path, NR_FREE_PAGES) < 0)
        errx(1, "%s", domain->why);
    front->events = (struct xen_events){.shared_info = domain_page(domain, domain->shared_info_pfn),
                                        .doorbell = domain->doorbell};
    front->store = (struct xen_store){.ring = domain_page(domain, domain->store_pfn),
                                      .events = &front->events};
    front->vbd.store = &front->store;
    front->grants = domain_page(domain, domain->gnttab_pfn);
    if (domain->nr_grant_entries < DATA_REF + SLOTS_MAX * SEGMENTS_MAX)
        errx(1, "the grant table has only %u entries", domain->nr_grant_entries);

    for (uint32_t i = 0; i < QUEUES_MAX; i++)
        start_ring(front, i, index);
    for (uint32_t i = 0; i < SLOTS_MAX * SEGMENTS_MAX && front->vbd.persistent; i++)
        grant(front, DATA_REF + i, data_pfn(front, i / SEGMENTS_MAX, i % SEGMENTS_MAX));
}

static void give_back(struct front *front)
{
    for (uint32_t i = 0; i < SLOTS_MAX * SEGMENTS_MAX; i++)
        end_access(front, DATA_REF + i, "after the device was closed");
    for (uint32_t i = 0; i < QUEUES_MAX; i++) {
        end_access(front, RING_REF + i, "after the device was closed");
        if (domain_close_port(&front->domain, front->port[i]) < 0)
            errx(1, "closing port %u: %s", front->port[i], front->domain.why);
    }
}

static void usage(void)
{
    fputs("usage: xen_front DOM0_SOCK IMAGE COUNT [options]\n"
          "reads COUNT times 1..24 random sectors by Xen's block protocol and compares with IMAGE\n"
          "  --mini-os        connect as mini-os does: state 1 -> 4 at once\n"
          "  --persistent     ask for persistent grants\n"
          "  --queues N       rings, 1..4, as far as the back end has them; default 1\n"
          "  --ring-start N   first index of the ring, 0..4294967295; default 0\n"
          "  --seed N         of the random numbers; default 1\n"
          "  --first-id N     requests are called N, N + 1, ...; default 0\n",
          stderr);
    exit(2);
}

static uint64_t number(const char *text, uint64_t max)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *text == '-' || value > max)
        usage();
    return value;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"mini-os", no_argument, NULL, 'm'},
                                            {"persistent", no_argument, NULL, 'p'},
                                            {"queues", required_argument, NULL, 'q'},
                                            {"ring-start", required_argument, NULL, 'r'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"first-id", required_argument, NULL, 'i'},
                                            {NULL, 0, NULL, 0}};
    static struct front front = {.random = 1};
    uint32_t index = 0;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'm')
            front.vbd.mini_os = true;
        else if (c == 'p')
            front.vbd.persistent = true;
        else if (c == 'q')
            front.vbd.queues = (uint32_t)number(optarg, QUEUES_MAX);
        else if (c == 'r')
            index = (uint32_t)number(optarg, UINT32_MAX);
        else if (c == 'i')
            front.first_id = number(optarg, UINT64_MAX - SLOTS_MAX);
        else if (c == 's')
            front.random = number(optarg, UINT64_MAX) * 2 + 1;
        else
            usage();
    }
    if (argc - optind != 3 || (front.vbd.queues > 1 && front.vbd.mini_os))
        usage();
    uint64_t count = number(argv[optind + 2], UINT32_MAX);

    open_image(&front, argv[optind + 1]);
    start(&front, argv[optind], index);
    int rc = xen_vbd_connect(&front.vbd, front.domain.domid, RING_REF, front.port);
    if (rc < 0)
        errx(1, "connect: %s: %s", front.vbd.doing, strerror(-rc));
    check_geometry(&front);
    read_and_verify(&front, count);
    rc = xen_vbd_close(&front.vbd);
    if (rc < 0)
        errx(1, "close: %s: %s", front.vbd.doing, strerror(-rc));
    give_back(&front);
    printf("%llu requests match; %u queues, %llu kicks, %llu upcalls\n", (unsigned long long)count,
           front.vbd.queues, (unsigned long long)front.events.kicks,
           (unsigned long long)front.events.upcalls);
    domain_destroy(&front.domain);
    close(front.image);
    return 0;
}
