/* SPDX-License-Identifier: MIT */
#include "ring/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory_file.h"

enum {
    PFN_START_INFO = 0,
    PFN_SHARED_INFO = 1,
    PFN_STORE = 2,
    PFN_GNTTAB = 3,
    GRANT_REF_STORE = 1, /* GNTTAB_RESERVED_XENSTORE */
    RESERVE_CHUNK_BYTES = 1 << 20,
    /* Neither half can take pages away from under the other's mapping. */
    SEGMENT_SEALS = F_SEAL_GROW | F_SEAL_SHRINK,
    /* Nor can anybody punch holes. There must be all the writable mappings that are needed. */
    SETTLED_SEALS = F_SEAL_FUTURE_WRITE | F_SEAL_SEAL,
};

/* Enough entries to grant every page twice, read-write and read-only, besides the reserved ones. */
static uint32_t gnttab_frames_for(uint32_t nr_pages)
{
    return (2 * nr_pages + GNTTAB_NR_RESERVED_ENTRIES + GNTTAB_ENTRIES_PER_FRAME - 1) /
           GNTTAB_ENTRIES_PER_FRAME;
}

uint32_t segment_pages_for(uint32_t free_pages)
{
    uint32_t nr_pages = PFN_GNTTAB + free_pages + 1;
    while (nr_pages - PFN_GNTTAB - gnttab_frames_for(nr_pages) < free_pages)
        nr_pages++;
    return nr_pages < SEGMENT_PAGES_MIN ? SEGMENT_PAGES_MIN : nr_pages;
}

/* What start_info must say about a segment of this size. */
static void describe(uint32_t nr_pages, domid_t domid, struct start_info *si)
{
    memset(si, 0, sizeof(*si));
    snprintf(si->magic, sizeof(si->magic), "%s", START_INFO_MAGIC);
    si->abi_version = START_INFO_ABI_VERSION;
    si->struct_size = sizeof(*si);
    si->nr_pages = nr_pages;
    si->domid = domid;
    si->shared_info_pfn = PFN_SHARED_INFO;
    si->store_pfn = PFN_STORE;
    si->store_evtchn = SEGMENT_STORE_EVTCHN;
    si->gnttab_pfn = PFN_GNTTAB;
    si->nr_gnttab_frames = gnttab_frames_for(nr_pages);
    si->free_pfn = si->gnttab_pfn + si->nr_gnttab_frames;
    si->nr_free_pages = nr_pages - si->free_pfn;
}

static void start_hints(struct hints *hints)
{
    *hints = (struct hints){
        .version = HINTS_VERSION, .dom0_cpu = HINTS_CPU_NONE, .domu_cpu = HINTS_CPU_NONE};
}

static int map(int fd, const struct start_info *si, struct segment *out)
{
    size_t bytes = (size_t)si->nr_pages << XEN_PAGE_SHIFT;
    uint8_t *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED)
        return -errno;
    *out = (struct segment){
        .base = base,
        .nr_pages = si->nr_pages,
        .domid = si->domid,
        .nr_grant_entries = si->nr_gnttab_frames * GNTTAB_ENTRIES_PER_FRAME,
        .free_pfn = si->free_pfn,
        .nr_free_pages = si->nr_free_pages,
        .store_evtchn = si->store_evtchn,
    };
    out->start_info = segment_page(out, PFN_START_INFO);
    out->hints = (struct hints *)(void *)(base + HINTS_OFFSET);
    out->sleepers = (struct sleepers *)(void *)(base + SLEEPERS_OFFSET);
    out->shared_info = segment_page(out, si->shared_info_pfn);
    out->store = segment_page(out, si->store_pfn);
    out->gnttab = segment_page(out, si->gnttab_pfn);
    return 0;
}

/* What this system lacks is one error, whatever it says: the caller names it to people. */
static int missing(int rc)
{
    bool lacks = rc == -ENOSYS || rc == -EPERM || rc == -EACCES || rc == -EINVAL;
    return lacks ? -EOPNOTSUPP : rc;
}

/*
 * Takes the memory now. A signal interrupts the reservation, and tmpfs then gives all of it back:
 * in small pieces it gets ahead however often a timer of the process fires.
 */
static int reserve(int file, off_t bytes)
{
    for (off_t done = 0; done < bytes;) {
        off_t left = bytes - done;
        off_t chunk = left < RESERVE_CHUNK_BYTES ? left : RESERVE_CHUNK_BYTES;
        int error = posix_fallocate(file, done, chunk);
        if (error == 0)
            done += chunk;
        else if (error != EINTR)
            return -error;
    }
    return 0;
}

int segment_create(uint32_t nr_pages, domid_t domid, struct segment *out, int *fd)
{
    memset(out, 0, sizeof(*out));
    *fd = -1;
    if (nr_pages < SEGMENT_PAGES_MIN || nr_pages > SEGMENT_PAGES_MAX)
        return -EINVAL;
    int file = memory_file_create("splitdom");
    if (file < 0)
        return missing(file);

    struct start_info si;
    describe(nr_pages, domid, &si);
    off_t bytes = (off_t)nr_pages << XEN_PAGE_SHIFT;
    int rc = ftruncate(file, bytes) < 0 ? -errno : 0;
    if (rc == 0)
        rc = missing(memory_file_seal(file, SEGMENT_SEALS));
    if (rc == 0)
        rc = map(file, &si, out);
    if (rc == 0) {
        out->uses = calloc(out->nr_grant_entries, sizeof(*out->uses));
        rc = out->uses == NULL ? -ENOMEM : 0;
    }
    if (rc < 0) {
        segment_detach(out);
        close(file);
        return rc;
    }
    memcpy(out->start_info, &si, sizeof(si));
    start_hints(out->hints);
    out->gnttab[GRANT_REF_STORE] = (struct grant_entry_v1){
        .flags = GTF_permit_access, .domid = DOM0_DOMID, .frame = PFN_STORE};
    *fd = file;
    return 0;
}

int segment_settle(int fd)
{
    int rc = memory_file_seal(fd, SETTLED_SEALS);
    /* Sealed already, by us or by the domain: what counts is that it is. */
    return rc == -EPERM && memory_file_check(fd, SETTLED_SEALS) == 0 ? 0 : rc;
}

int segment_attach(int fd, struct segment *out)
{
    struct start_info found, expected;
    struct stat st;
    memset(out, 0, sizeof(*out));
    int rc = memory_file_check(fd, SEGMENT_SEALS);
    if (rc < 0)
        return rc;
    if (fstat(fd, &st) < 0)
        return -errno;
    ssize_t n;
    do
        n = pread(fd, &found, sizeof(found), 0);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    if (n != (ssize_t)sizeof(found))
        return -EPROTO;
    if (found.nr_pages < SEGMENT_PAGES_MIN || found.nr_pages > SEGMENT_PAGES_MAX ||
        st.st_size != (off_t)found.nr_pages << XEN_PAGE_SHIFT)
        return -EPROTO;
    describe(found.nr_pages, found.domid, &expected);
    if (memcmp(&found, &expected, sizeof(expected)) != 0)
        return -EPROTO;
    rc = reserve(fd, st.st_size);
    if (rc == 0)
        rc = map(fd, &found, out);
    if (rc == 0 && out->hints->version != HINTS_VERSION) {
        segment_detach(out);
        rc = -EPROTO;
    }
    return rc;
}

void segment_detach(struct segment *segment)
{
    if (segment->base != NULL)
        munmap(segment->base, (size_t)segment->nr_pages << XEN_PAGE_SHIFT);
    free(segment->uses);
    memset(segment, 0, sizeof(*segment));
}
