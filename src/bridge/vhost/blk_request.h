/* SPDX-License-Identifier: MIT */
/*
 * blk_request: a request to a virtio block device, taken out of its chain and judged.
 *
 * Source: Virtual I/O Device (VIRTIO) 1.1, section 5.2.6 "Block Device: Device Operation". The
 * pieces of a chain may be cut anywhere (2.6.4): a header or a status byte need not be a piece of
 * its own.
 */
#ifndef SPLITDOM_BRIDGE_VHOST_BLK_REQUEST_H
#define SPLITDOM_BRIDGE_VHOST_BLK_REQUEST_H

#include <stdint.h>
#include <sys/uio.h>

#include "bridge/vhost/split_queue.h"
#include "splitdom/blkfront.h"

enum {
    BLK_SECTOR_BYTES = 512,
    BLK_REQUEST_SECTORS_MAX = 32768,   /* of one request: 16 MiB */
    BLK_DISCARD_SECTORS_MAX = 1 << 22, /* 2 GiB */
    BLK_ID_BYTES = 20,                 /* VIRTIO_BLK_ID_BYTES */
};

enum blk_action {
    BLK_SUBMIT, /* io is to be asked of the disk */
    BLK_ZERO,   /* io without its data: zeros are to be written */
    BLK_ID,     /* data gets the disk's name */
    BLK_ANSWER, /* nothing to be done: answer with status */
};

struct blk_request {
    enum blk_action action;
    uint8_t status;        /* VIRTIO_BLK_S_*, for BLK_ANSWER */
    struct blkfront_io io; /* its iov is data; its cookie the owner's to set */
    struct iovec *data;    /* in the chain's pieces */
    uint32_t data_count;
    uint32_t written;     /* bytes that a success fills, the status byte included */
    uint8_t *status_byte; /* in the guest's memory */
    struct split_chain chain;
};

/*
 * Judges request->chain. sector_count: the disk's size. Errors: -EPROTO it has no header or no byte
 * for the status: it can't even be answered. What is wrong otherwise is answered.
 */
int blk_request_parse(struct blk_request *request, uint64_t sector_count, bool read_only);

/* The answer to a blkfront status. */
uint8_t blk_request_status(int32_t status);

#endif
