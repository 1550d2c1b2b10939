/* SPDX-License-Identifier: MIT */
#include "bridge/vhost/blk_request.h"

#include <errno.h>
#include <linux/virtio_blk.h>
#include <stdbool.h>

#include "bridge/vhost/pieces.h"

static int answer(struct blk_request *request, uint8_t status)
{
    request->action = BLK_ANSWER;
    request->status = status;
    request->written = 1;
    return 0;
}

static bool is_outside(uint64_t sector, uint64_t count, uint64_t sector_count)
{
    return count > sector_count || sector > sector_count - count;
}

static int take_data(struct blk_request *request, uint64_t sector_count)
{
    struct blkfront_io *io = &request->io;
    size_t bytes = pieces_bytes(request->data, request->data_count);

    io->sector_count = bytes / BLK_SECTOR_BYTES;
    io->iov = request->data;
    io->iov_count = request->data_count;
    if (bytes == 0 || bytes % BLK_SECTOR_BYTES != 0 || io->sector_count > BLK_REQUEST_SECTORS_MAX ||
        is_outside(io->sector, io->sector_count, sector_count))
        return answer(request, VIRTIO_BLK_S_IOERR);
    request->action = BLK_SUBMIT;
    if (io->operation == BLKFRONT_READ)
        request->written += (uint32_t)bytes;
    return 0;
}

/* DISCARD and WRITE_ZEROES: one range (the config space promises no more), in the data. */
static int take_range(struct blk_request *request, uint32_t type, uint64_t sector_count)
{
    struct blkfront_io *io = &request->io;
    struct virtio_blk_discard_write_zeroes range;
    bool zeroes = type == VIRTIO_BLK_T_WRITE_ZEROES;
    uint32_t most = zeroes ? BLK_REQUEST_SECTORS_MAX : BLK_DISCARD_SECTORS_MAX;

    if (pieces_bytes(request->data, request->data_count) != sizeof(range))
        return answer(request, VIRTIO_BLK_S_IOERR);
    pieces_copy_out(request->data, request->data_count, &range, sizeof(range));
    /* The one flag is a permission to discard, of which a discard has no need. */
    if ((range.flags & ~(zeroes ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0U)) != 0)
        return answer(request, VIRTIO_BLK_S_UNSUPP);
    if (range.num_sectors == 0 || range.num_sectors > most ||
        is_outside(range.sector, range.num_sectors, sector_count))
        return answer(request, VIRTIO_BLK_S_IOERR);
    io->operation = zeroes ? BLKFRONT_WRITE : BLKFRONT_DISCARD;
    io->sector = range.sector;
    io->sector_count = range.num_sectors;
    request->action = zeroes ? BLK_ZERO : BLK_SUBMIT;
    return 0;
}

static int take_type(struct blk_request *request, uint32_t type, uint64_t sector_count)
{
    struct blkfront_io *io = &request->io;

    switch (type) {
    case VIRTIO_BLK_T_IN:
        io->operation = BLKFRONT_READ;
        return take_data(request, sector_count);
    case VIRTIO_BLK_T_OUT:
        io->operation = BLKFRONT_WRITE;
        return take_data(request, sector_count);
    case VIRTIO_BLK_T_FLUSH:
        request->action = BLK_SUBMIT;
        io->operation = BLKFRONT_FLUSH;
        return 0;
    case VIRTIO_BLK_T_DISCARD:
    case VIRTIO_BLK_T_WRITE_ZEROES:
        return take_range(request, type, sector_count);
    case VIRTIO_BLK_T_GET_ID:
        request->action = BLK_ID;
        if (pieces_bytes(request->data, request->data_count) < BLK_ID_BYTES)
            return answer(request, VIRTIO_BLK_S_IOERR);
        request->written += BLK_ID_BYTES;
        return 0;
    default:
        return answer(request, VIRTIO_BLK_S_UNSUPP);
    }
}

/* Does the driver give data, or ask for some? */
static bool gives_data(uint32_t type)
{
    return type == VIRTIO_BLK_T_OUT || type == VIRTIO_BLK_T_DISCARD ||
           type == VIRTIO_BLK_T_WRITE_ZEROES;
}

int blk_request_parse(struct blk_request *request, uint64_t sector_count, bool read_only)
{
    struct split_chain *chain = &request->chain;
    struct iovec *readable = chain->pieces, *writable = chain->pieces + chain->readable;
    uint32_t readable_count = chain->readable, writable_count = chain->count - chain->readable;
    struct virtio_blk_outhdr header;

    if (pieces_bytes(readable, readable_count) < sizeof(header) || writable_count == 0)
        return -EPROTO;
    pieces_copy_out(readable, readable_count, &header, sizeof(header));
    readable_count = pieces_skip(&readable, readable_count, sizeof(header));
    request->status_byte = pieces_cut_byte(writable, &writable_count);
    request->written = 1;
    request->io = (struct blkfront_io){.sector = header.sector};
    bool gives = gives_data(header.type);
    request->data = gives ? readable : writable;
    request->data_count = gives ? readable_count : writable_count;
    if (gives && read_only)
        return answer(request, VIRTIO_BLK_S_IOERR);
    return take_type(request, header.type, sector_count);
}

uint8_t blk_request_status(int32_t status)
{
    if (status == 0)
        return VIRTIO_BLK_S_OK;
    return status == -EOPNOTSUPP ? VIRTIO_BLK_S_UNSUPP : VIRTIO_BLK_S_IOERR;
}
