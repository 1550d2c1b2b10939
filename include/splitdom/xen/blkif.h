/* SPDX-License-Identifier: MIT */
/*
 * The block device interface between a front end (DomU) and a back end (Dom0).
 *
 * Byte for byte Xen's "x86_64-abi" of xen/include/public/io/blkif.h; tests/abi compares every size
 * and offset with the installed Xen headers. All sector quantities are in units of 512 bytes,
 * whatever the device's own sector size is (blkif.h in Xen's master tree, since September 2024).
 *
 * A request travels: the front end fills a slot of the shared ring (src/ring/blkif_ring.h), the
 * back end copies it out, reads the disk and answers with exactly one response that carries the
 * request's id. Responses come in any order.
 */
#ifndef SPLITDOM_XEN_BLKIF_H
#define SPLITDOM_XEN_BLKIF_H

#include <stddef.h>
#include <stdint.h>

#include "splitdom/xen/grant_table.h"

typedef uint16_t blkif_vdev_t;
typedef uint64_t blkif_sector_t;

enum {
    BLKIF_OP_READ = 0,
    BLKIF_OP_WRITE = 1,
    BLKIF_OP_WRITE_BARRIER = 2,
    BLKIF_OP_FLUSH_DISKCACHE = 3,
    BLKIF_OP_RESERVED_1 = 4,
    BLKIF_OP_DISCARD = 5,
    BLKIF_OP_INDIRECT = 6,
};

enum {
    BLKIF_RSP_OKAY = 0,
    BLKIF_RSP_ERROR = -1,
    BLKIF_RSP_EOPNOTSUPP = -2,
};

/* Bits of the back end's `info` node. */
enum { VDISK_CDROM = 1, VDISK_REMOVABLE = 2, VDISK_READONLY = 4 };

enum {
    BLKIF_MAX_SEGMENTS_PER_REQUEST = 11,
    BLKIF_SECTOR_SIZE = 512,
    BLKIF_SECTORS_PER_PAGE = XEN_PAGE_SIZE / BLKIF_SECTOR_SIZE,
    BLKIF_SECTORS_MAX = BLKIF_MAX_SEGMENTS_PER_REQUEST * BLKIF_SECTORS_PER_PAGE,

    /* Of an indirect request: pages that name its segments, and segments by that. */
    BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST = 8,
    BLKIF_SEGMENTS_PER_INDIRECT_PAGE = XEN_PAGE_SIZE / 8,
    BLKIF_MAX_INDIRECT_SEGMENTS =
        BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST * BLKIF_SEGMENTS_PER_INDIRECT_PAGE,
    BLKIF_INDIRECT_SECTORS_MAX = BLKIF_MAX_INDIRECT_SEGMENTS * BLKIF_SECTORS_PER_PAGE,
};

/* Of the flag of a discard: what is discarded must not be there any more, on no medium. */
enum { BLKIF_DISCARD_SECURE = 1 };

struct blkif_request_segment {
    grant_ref_t gref;   /* the page; writable for a READ from disk, readable for a WRITE */
    uint8_t first_sect; /* first and last 512-byte sector inside the page, inclusive, 0..7 */
    uint8_t last_sect;
};

struct blkif_request {
    uint8_t operation;
    uint8_t nr_segments;
    blkif_vdev_t handle;
    uint64_t id;                  /* echoed; never interpreted by the back end */
    blkif_sector_t sector_number; /* first sector on disk */
    struct blkif_request_segment seg[BLKIF_MAX_SEGMENTS_PER_REQUEST];
};

/* BLKIF_OP_DISCARD: the front end does not need these sectors any more. */
struct blkif_request_discard {
    uint8_t operation;
    uint8_t flag; /* BLKIF_DISCARD_SECURE or 0 */
    blkif_vdev_t handle;
    uint64_t id;
    blkif_sector_t sector_number;
    uint64_t nr_sectors;
};

/*
 * BLKIF_OP_INDIRECT: a read or write whose segments are named in pages of their own, as arrays of
 * struct blkif_request_segment. Of nr_segments / 512 pages, rounded up, the grants are here.
 */
struct blkif_request_indirect {
    uint8_t operation;
    uint8_t indirect_op; /* BLKIF_OP_READ or BLKIF_OP_WRITE; the operation of the answer */
    uint16_t nr_segments;
    uint64_t id;
    blkif_sector_t sector_number;
    blkif_vdev_t handle;
    grant_ref_t indirect_grefs[BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST];
};

struct blkif_response {
    uint64_t id;
    uint8_t operation; /* the request's; of an indirect one its indirect_op */
    int16_t status;
};

/*
 * Completion in virtual time, an extension: where both sides have written
 * feature-virtual-completion = 1, a slot also carries a time of the domain's clock (u64, ns), in
 * bytes that neither structure uses.
 *   request   when it was asked for: in the place of the eleventh segment, so only in requests of
 *             up to BLKIF_STAMPED_SEGMENTS_MAX segments, and in all discards and indirect ones
 *   response  when it is to be seen as complete; 0: when it is taken off the ring
 */
enum {
    BLKIF_STAMPED_SEGMENTS_MAX = BLKIF_MAX_SEGMENTS_PER_REQUEST - 1,
    BLKIF_REQUEST_STAMP_BYTE = 104,
    BLKIF_RESPONSE_STAMP_BYTE = 16,
};

_Static_assert(sizeof(struct blkif_request_segment) == 8, "segment is 8 bytes on the wire");
_Static_assert(sizeof(struct blkif_request) == 112, "request is 112 bytes on the wire");
_Static_assert(offsetof(struct blkif_request, id) == 8, "request.id");
_Static_assert(offsetof(struct blkif_request, sector_number) == 16, "request.sector_number");
_Static_assert(offsetof(struct blkif_request, seg) == 24, "request.seg");
_Static_assert(sizeof(struct blkif_request_discard) == 32, "discard is 32 bytes on the wire");
_Static_assert(offsetof(struct blkif_request_discard, nr_sectors) == 24, "discard.nr_sectors");
_Static_assert(sizeof(struct blkif_request_indirect) == 64, "indirect is 64 bytes on the wire");
_Static_assert(offsetof(struct blkif_request_indirect, handle) == 24, "indirect.handle");
_Static_assert(offsetof(struct blkif_request_indirect, indirect_grefs) == 28, "indirect.grefs");
_Static_assert(sizeof(struct blkif_response) == 16, "response is 16 bytes on the wire");
_Static_assert(offsetof(struct blkif_response, status) == 10, "response.status");

#endif
