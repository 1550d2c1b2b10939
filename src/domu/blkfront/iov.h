/* SPDX-License-Identifier: MIT */
/*
 * iov: a caller's data in pieces (struct iovec), seen as one run of bytes.
 *
 * The pieces together hold at least offset + bytes of what is asked for. Empty ones are allowed.
 */
#ifndef SPLITDOM_DOMU_BLKFRONT_IOV_H
#define SPLITDOM_DOMU_BLKFRONT_IOV_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* How many bytes they are. -EINVAL: more than a number can tell. */
int iov_bytes(const struct iovec *iov, uint32_t count, uint64_t *bytes);

/* Copies bytes from offset of the run on: to memory in one piece, or from there. */
void iov_gather(const struct iovec *iov, size_t offset, void *to, size_t bytes);
void iov_scatter(const struct iovec *iov, size_t offset, const void *from, size_t bytes);

#endif
