/* SPDX-License-Identifier: MIT */
/*
 * xs_hash: a hash table of links that are members of the objects to be looked up.
 *
 * The table grows with its contents, so a look-up costs the same among ten thousand links as among
 * a few. Links with the same hash are found newest first; the caller compares the objects.
 */
#ifndef SPLITDOM_XENSTORE_XS_HASH_H
#define SPLITDOM_XENSTORE_XS_HASH_H

#include <stddef.h>
#include <stdint.h>

struct xs_hash_link {
    struct xs_hash_link *next;
    uint32_t hash;
};

/* It must not move while links are in it. */
struct xs_hash {
    struct xs_hash_link **bucket;
    size_t bucket_count; /* a power of two */
    size_t count;
    struct xs_hash_link *only; /* the bucket of a small table, or of one without memory */
};

void xs_hash_init(struct xs_hash *table);
void xs_hash_clear(struct xs_hash *table); /* no link is left in it */

/* Never fails: without memory the table does not grow, and look-ups take longer. */
void xs_hash_add(struct xs_hash *table, struct xs_hash_link *link, uint32_t hash);
void xs_hash_remove(struct xs_hash *table, struct xs_hash_link *link);

/* The newest link of that hash, or NULL; and the one before it. */
struct xs_hash_link *xs_hash_first(const struct xs_hash *table, uint32_t hash);
struct xs_hash_link *xs_hash_next(const struct xs_hash_link *link);

/* FNV-1a that starts with seed, of the first bytes of a text, or of the whole text. A secret seed
 * makes collisions hard to construct. The hash of the beginning of a text, as the seed for the
 * rest, gives the hash of the text. */
static inline uint32_t xs_hash_byte(uint32_t hash, char c)
{
    return (hash ^ (uint8_t)c) * 16777619u;
}
uint32_t xs_hash_text(uint32_t seed, const char *text);

#endif
