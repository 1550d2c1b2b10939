/* SPDX-License-Identifier: MIT */
/*
 * pieces: an array of iovecs as one run of bytes. Pure functions; pieces[0..count) have together at
 * least as many bytes as are asked for.
 */
#ifndef SPLITDOM_BRIDGE_VHOST_PIECES_H
#define SPLITDOM_BRIDGE_VHOST_PIECES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

size_t pieces_bytes(const struct iovec *pieces, uint32_t count);

/* Copies the first bytes to `to`, once. */
void pieces_copy_out(const struct iovec *pieces, uint32_t count, void *to, size_t bytes);
/* Copies from `from` to the first bytes. */
void pieces_copy_in(const struct iovec *pieces, uint32_t count, const void *from, size_t bytes);

/* Leaves out the first bytes: moves the array's beginning, and returns the new count. */
uint32_t pieces_skip(struct iovec **pieces, uint32_t count, size_t bytes);
/* Leaves out the last byte, and returns where it is. There is at least one; no piece is empty. */
uint8_t *pieces_cut_byte(struct iovec *pieces, uint32_t *count);

#endif
