/* SPDX-License-Identifier: MIT */
/*
 * segments: the memory of a request, from a place in it on.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_SEGMENTS_H
#define SPLITDOM_SERVICE_BLOCK_SEGMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "service/block/request.h"

struct image;
struct iovec;

/* Whether a device can read into or write from the memory itself: it and the request's sectors are
 * aligned as the image wants, in runs of segments that follow each other. */
bool segments_fit(const struct block_request *request, const struct image *image);
/* The place that is so many sectors further on; the end is one, too. */
struct segment_place segments_after(const struct block_request *request, struct segment_place place,
                                    uint32_t sectors);
/* So many sectors from the place on: a write's into data, a read's out of it. */
void segments_copy(const struct block_request *request, struct segment_place place, uint8_t *data,
                   uint32_t sectors);
/* Describes up to so many sectors from the place on by up to vector_max parts. Returns how many
 * sectors they are; *count: how many parts. */
uint32_t segments_vector(const struct block_request *request, struct segment_place place,
                         uint32_t sectors_max, struct iovec *vector, uint32_t vector_max,
                         uint32_t *count);

#endif
