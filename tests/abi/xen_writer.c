/* SPDX-License-Identifier: MIT */
/*
 * xen_writer: a block front end that changes its disk, and knows nothing of this project but how to
 * get a domain: all else is Xen's headers, as in xen_front.c.
 *
 * Reads, writes, barriers, flushes, discards and indirect requests, several at once, each in a part
 * of the disk of its own. What each read brings, and in the end the image, must be what was written
 * before. Pages that are only written to the disk are granted for reading alone.
 *
 * With "flip" the pages change while they are written: whatever of that reaches the disk, a later
 * read must bring what is on the disk, and nothing that was in the page at another time.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "xen_lanes.h"

static void fill_slot(struct writer *w, uint32_t number, const struct lane *lane)
{
    static const uint8_t operations[] = {[READ] = BLKIF_OP_READ,
                                         [WRITE] = BLKIF_OP_WRITE,
                                         [BARRIER] = BLKIF_OP_WRITE_BARRIER,
                                         [FLUSH] = BLKIF_OP_FLUSH_DISKCACHE};
    void *slot = RING_GET_REQUEST(&w->ring, w->ring.req_prod_pvt);
    if (lane->kind == DISCARD) {
        blkif_request_discard_t req = {.operation = BLKIF_OP_DISCARD,
                                       .id = number,
                                       .sector_number = lane->sector,
                                       .nr_sectors = lane->sector_count};
        memcpy(slot, &req, sizeof(req));
    } else if (is_indirect(lane->kind)) {
        blkif_request_indirect_t req = {.operation = BLKIF_OP_INDIRECT,
                                        .indirect_op = lane->kind == INDIRECT_READ ? BLKIF_OP_READ
                                                                                   : BLKIF_OP_WRITE,
                                        .nr_segments = (uint16_t)lane->segment_count,
                                        .id = number,
                                        .sector_number = lane->sector,
                                        .indirect_grefs = {page_ref(number, PAGES)}};
        grant(w, page_ref(number, PAGES), page_pfn(w, number, PAGES), true);
        memcpy(page_of(w, number, PAGES), lane->segment,
               lane->segment_count * sizeof(lane->segment[0]));
        memcpy(slot, &req, sizeof(req));
    } else {
        blkif_request_t req = {.operation = operations[lane->kind],
                               .nr_segments = (uint8_t)lane->segment_count,
                               .id = number,
                               .sector_number = lane->sector};
        memcpy(req.seg, lane->segment, lane->segment_count * sizeof(req.seg[0]));
        memcpy(slot, &req, sizeof(req));
    }
    w->ring.req_prod_pvt++;
}

static void issue(struct writer *w, uint32_t number)
{
    struct lane *lane = &w->lane[number];
    lane->busy = true;
    /* What has just been written may be in the back end's memory, and is looked at. */
    bool again = w->flips && lane->kind == WRITE && lane->segment_count > 0;
    lane->kind = again ? READ : (enum kind)draw(w, KINDS);
    if (!again)
        make_place(w, number, lane);
    make_pages(w, number, lane);
    fill_slot(w, number, lane);
}

/* Of a sector: is it what it must be? One that was discarded settles with the first look at it. */
static bool is_right(struct writer *w, uint64_t sector, const uint8_t *found)
{
    static const uint8_t zeros[512];
    uint8_t *expected = w->disk + sector * 512;
    if (w->forgotten[sector] && memcmp(found, zeros, 512) == 0)
        memset(expected, 0, 512);
    w->forgotten[sector] = false;
    return memcmp(found, expected, 512) == 0;
}

static void check_read(struct writer *w, uint32_t number, const struct lane *lane)
{
    uint64_t sector = lane->sector;
    for (uint32_t i = 0; i < lane->segment_count; i++) {
        const struct blkif_request_segment *seg = &lane->segment[i];
        const uint8_t *page = page_of(w, number, i);
        for (uint32_t s = 0; s < SECTORS_PER_PAGE; s++) {
            bool inside = s >= seg->first_sect && s <= seg->last_sect;
            for (uint32_t b = 0; !inside && b < 512; b++) {
                if (page[s * 512 + b] != UNTOUCHED)
                    errx(1, "a read has touched more of a page than it asked for");
            }
            if (inside && !is_right(w, sector++, page + (size_t)s * 512))
                errx(1, "sector %llu is not what was written", (unsigned long long)sector - 1);
        }
    }
}

/* A word of each page that is being written. */
static void flip(struct writer *w)
{
    for (uint32_t number = 0; number < LANES; number++) {
        const struct lane *lane = &w->lane[number];
        for (uint32_t i = 0; lane->busy && writes(lane->kind) && i < lane->segment_count; i++) {
            volatile uint32_t *words = (volatile uint32_t *)(void *)page_of(w, number, i);
            words[draw(w, DOMAIN_PAGE_SIZE / sizeof(uint32_t))] = draw(w, UINT32_MAX);
        }
    }
}

static bool is_answered(const struct writer *w)
{
    return __atomic_load_n(&w->ring.sring->rsp_prod, __ATOMIC_ACQUIRE) != w->ring.rsp_cons;
}

static void flip_until_answered(struct writer *w)
{
    const time_t end = time(NULL) + PATIENCE_S;
    while (!is_answered(w) && time(NULL) <= end)
        flip(w);
}

static void look_at_image(struct writer *w, const struct lane *lane)
{
    const size_t bytes = lane->sector_count * (size_t)512;
    if (pread(w->image, w->disk + lane->sector * 512, bytes, (off_t)(lane->sector * 512)) !=
        (ssize_t)bytes)
        err(1, "image");
    memset(w->forgotten + lane->sector, false, lane->sector_count);
}

static void note_write(struct writer *w, uint32_t number, const struct lane *lane)
{
    uint64_t sector = lane->sector;
    if (w->flips) {
        look_at_image(w, lane);
        return;
    }
    for (uint32_t i = 0; i < lane->segment_count; i++) {
        const struct blkif_request_segment *seg = &lane->segment[i];
        const uint8_t *from = page_of(w, number, i) + (size_t)seg->first_sect * 512;
        memcpy(w->disk + sector * 512, from, sectors_of(seg) * (size_t)512);
        for (uint32_t s = 0; s < sectors_of(seg); s++)
            w->forgotten[sector++] = false;
    }
}

static void complete(struct writer *w, const struct blkif_response *rsp)
{
    static const uint8_t operations[KINDS] = {
        BLKIF_OP_READ,    BLKIF_OP_WRITE, BLKIF_OP_WRITE_BARRIER, BLKIF_OP_FLUSH_DISKCACHE,
        BLKIF_OP_DISCARD, BLKIF_OP_READ,  BLKIF_OP_WRITE};
    if (rsp->id >= LANES || !w->lane[rsp->id].busy)
        errx(1, "response to request %llu, which is not in flight", (unsigned long long)rsp->id);
    uint32_t number = (uint32_t)rsp->id;
    struct lane *lane = &w->lane[number];
    bool can_fail = lane->kind == DISCARD && rsp->status == BLKIF_RSP_EOPNOTSUPP;
    if (rsp->operation != operations[lane->kind] || (rsp->status != BLKIF_RSP_OKAY && !can_fail))
        errx(1, "response: operation %u status %d for kind %d at sector %llu", rsp->operation,
             rsp->status, lane->kind, (unsigned long long)lane->sector);
    for (uint32_t i = 0; i < lane->segment_count; i++)
        end_access(w, lane->segment[i].gref);
    if (is_indirect(lane->kind))
        end_access(w, page_ref(number, PAGES));
    if (writes(lane->kind))
        note_write(w, number, lane);
    else if (lane->kind == DISCARD)
        memset(w->forgotten + lane->sector, true, lane->sector_count);
    else
        check_read(w, number, lane);
    lane->busy = false;
    w->done[lane->kind]++;
}

static uint64_t collect(struct writer *w)
{
    uint64_t collected = 0;
    RING_IDX prod = __atomic_load_n(&w->ring.sring->rsp_prod, __ATOMIC_RELAXED);
    xen_rmb();
    for (; w->ring.rsp_cons != prod; w->ring.rsp_cons++, collected++) {
        struct blkif_response rsp;
        RING_COPY_RESPONSE(&w->ring, w->ring.rsp_cons, &rsp);
        complete(w, &rsp);
    }
    return collected;
}

static void change(struct writer *w, uint64_t count)
{
    uint64_t issued = 0, done = 0;
    while (done < count) {
        unsigned int work;
        int notify;
        for (uint32_t i = 0; i < LANES; i++) {
            if (!w->lane[i].busy && issued < count && draw(w, 4) > 0) {
                issue(w, i);
                issued++;
            }
        }
        RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&w->ring, notify);
        if (notify && xen_events_kick(&w->events) < 0)
            errx(1, "doorbell: write failed");
        if (w->flips && issued > done)
            flip_until_answered(w);
        done += collect(w);
        if (issued == done)
            continue;
        RING_FINAL_CHECK_FOR_RESPONSES(&w->ring, work);
        if (!work && xen_events_wait(&w->events) < 0)
            errx(1, "no event for 60 s, with %llu requests in flight",
                 (unsigned long long)(issued - done));
    }
}

static uint32_t start(struct writer *w, const char *socket_path)
{
    uint32_t port;
    struct domain *domain = &w->domain;
    if (domain_create(domain, socket_path, 1 + LANES * LANE_PAGES) < 0)
        errx(1, "%s", domain->why);
    w->events = (struct xen_events){.shared_info = domain_page(domain, domain->shared_info_pfn),
                                    .doorbell = domain->doorbell};
    w->store =
        (struct xen_store){.ring = domain_page(domain, domain->store_pfn), .events = &w->events};
    w->vbd.store = &w->store;
    w->grants = domain_page(domain, domain->gnttab_pfn);
    struct blkif_sring *sring = domain_page(domain, domain->free_pfn);
    SHARED_RING_INIT(sring);
    FRONT_RING_INIT(&w->ring, sring, DOMAIN_PAGE_SIZE);
    grant(w, RING_REF, domain->free_pfn, false);
    if (domain_alloc_unbound(domain, &port) < 0)
        errx(1, "%s", domain->why);
    return port;
}

static void read_image(const char *path, uint8_t *out, size_t bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t done = 0;
    if (fd < 0)
        err(1, "%s", path);
    while (done < bytes) {
        ssize_t n = pread(fd, out + done, bytes - done, (off_t)done);
        if (n <= 0)
            err(1, "reading %s", path);
        done += (size_t)n;
    }
    close(fd);
}

static void prepare(struct writer *w, const char *path)
{
    const size_t bytes = w->vbd.sectors * 512;
    if (!w->vbd.flush || !w->vbd.barrier || w->vbd.indirect_segments < PAGES)
        errx(1, "the back end does not offer flushes, barriers and %d indirect segments", PAGES);
    w->lane_sectors = w->vbd.sectors / LANES / SECTORS_PER_PAGE * SECTORS_PER_PAGE;
    if (w->lane_sectors < 2 * PAGES * SECTORS_PER_PAGE)
        errx(1, "the disk is too small");
    if (w->flips) /* so that what is read mostly was written before */
        w->lane_sectors = 2 * PAGES * SECTORS_PER_PAGE;
    w->disk = malloc(bytes);
    w->forgotten = calloc(w->vbd.sectors, sizeof(*w->forgotten));
    if (w->disk == NULL || w->forgotten == NULL)
        errx(1, "out of memory");
    read_image(path, w->disk, bytes);
}

static void check_image(struct writer *w, const char *path)
{
    const size_t bytes = w->vbd.sectors * 512;
    uint8_t *found = malloc(bytes);
    if (found == NULL)
        errx(1, "out of memory");
    read_image(path, found, bytes);
    for (uint64_t sector = 0; sector < w->vbd.sectors; sector++) {
        if (!is_right(w, sector, found + sector * 512))
            errx(1, "sector %llu of the image is not what was written", (unsigned long long)sector);
    }
    free(found);
}

int main(int argc, char **argv)
{
    static struct writer w;
    if (argc < 5 || argc > 6 || (argc == 6 && strcmp(argv[5], "flip") != 0)) {
        fputs("usage: xen_writer DOM0_SOCK IMAGE COUNT SEED [flip]\n"
              "changes its disk by COUNT requests of all kinds; IMAGE is where the disk lies\n",
              stderr);
        return 2;
    }
    uint64_t count = strtoull(argv[3], NULL, 10);
    w.random = strtoull(argv[4], NULL, 10) * 2 + 1;
    w.flips = argc == 6;
    w.image = open(argv[2], O_RDONLY | O_CLOEXEC);
    if (w.image < 0)
        err(1, "%s", argv[2]);
    uint32_t port = start(&w, argv[1]);
    int rc = xen_vbd_connect(&w.vbd, w.domain.domid, RING_REF, &port);
    if (rc < 0)
        errx(1, "connect: %s: %s", w.vbd.doing, strerror(-rc));
    prepare(&w, argv[2]);
    change(&w, count);
    check_image(&w, argv[2]);
    rc = xen_vbd_close(&w.vbd);
    if (rc < 0)
        errx(1, "close: %s: %s", w.vbd.doing, strerror(-rc));
    end_access(&w, RING_REF);
    printf("%llu requests match:", (unsigned long long)count);
    for (int kind = 0; kind < KINDS; kind++)
        printf(" %llu", (unsigned long long)w.done[kind]);
    printf("\n");
    domain_destroy(&w.domain);
    return 0;
}
