/* SPDX-License-Identifier: MIT */
/*
 * tail: the end of a large piece, which goes by way of Dom0's own memory.
 *
 * A disk takes so many parts of memory in one operation (image.parts_max), and the pages of a
 * domain lie anywhere, so that each of them is a part. Of 256 pages a disk that takes 254 is given
 * 254, and then two, in an operation of their own that costs almost as much. So the last few pages
 * are copied: a job's buffer is one part.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_TAIL_H
#define SPLITDOM_SERVICE_BLOCK_TAIL_H

#include <stdint.h>
#include <sys/uio.h>

#include "service/block/request.h"

enum {
    TAIL_PAGE_BYTES = 4096,
    TAIL_PAGES_MAX = 7,
    TAIL_BYTES_MAX = TAIL_PAGES_MAX * TAIL_PAGE_BYTES,
};

struct device_job;

/*
 * Where the parts of a vector lie in more pages than parts_max, but not many more: cuts off its end
 * what is to be one part more, so that there are parts_max. Returns how many bytes that is, a
 * multiple of unit_bytes; 0: there is nothing to win, and the vector is as it was. parts_max 0:
 * nobody knows.
 */
uint32_t tail_cut(struct iovec *vector, uint32_t *count, uint32_t parts_max, uint32_t unit_bytes);

/* Puts memory in place of the end of a direct piece's vector, which lies in the job's buffer;
 * vector_max: what it has room for, also before that memory. Sets job->tail_sectors. */
void tail_replace(struct device_job *job, uint32_t vector_max);

/* Between that memory and the owner's segments: before a write, and after a read. */
void tail_copy(const struct device_job *job);

#endif
