/* SPDX-License-Identifier: MIT */
/*
 * disk_contents: what the model disk holds beside what it held at first: what was written, and, if
 * it has a volatile cache, how much of that would outlast a loss of power.
 *
 * With a volatile cache a change is in the cache first. A flush puts those on stable storage that
 * came before it was asked for; so does the cache by itself with its oldest when it is full. When
 * power is lost, each sector holds what stable storage had, or any of the changes that were in the
 * cache. No sector is ever torn.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_ENGINE_DISK_CONTENTS_H
#define SPLITDOM_SERVICE_BLOCK_ENGINE_DISK_CONTENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct image;
struct prng;
struct disk_contents;

enum { DISK_CONTENTS_CACHED_MAX = 4096 /* changes */ };

/* Errors: -ENOMEM. */
int disk_contents_create(bool has_volatile_cache, struct disk_contents **out);
void disk_contents_destroy(struct disk_contents *contents); /* NULL allowed */

/* data NULL: zeros. Errors: -ENOSPC no memory is left. */
int disk_contents_write(struct disk_contents *contents, const struct image *image,
                        uint64_t offset_bytes, const void *data, size_t bytes);
/* Lays what was written over data, which is what the span held at first. */
void disk_contents_read(const struct disk_contents *contents, const struct image *image,
                        uint64_t offset_bytes, void *data, size_t bytes);
/* How many changes there have been. */
uint64_t disk_contents_changes(const struct disk_contents *contents);
/* The image's changes that are among the first so many outlast a loss of power. Errors: -ENOSPC. */
int disk_contents_flush(struct disk_contents *contents, const struct image *image,
                        uint64_t changes);
/* Without a volatile cache nothing is lost. Errors: -ENOSPC. */
int disk_contents_lose_power(struct disk_contents *contents, struct prng *prng);
/* The image goes. */
void disk_contents_forget(struct disk_contents *contents, const struct image *image);

#endif
