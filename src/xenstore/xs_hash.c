/* SPDX-License-Identifier: MIT */
#include "xenstore/xs_hash.h"

#include <stdlib.h>

enum { LINKS_IN_ONE_BUCKET = 4, BUCKETS_MIN = 16 };

void xs_hash_init(struct xs_hash *table)
{
    *table = (struct xs_hash){.bucket_count = 1};
    table->bucket = &table->only;
}

void xs_hash_clear(struct xs_hash *table)
{
    if (table->bucket != &table->only)
        free(table->bucket);
    *table = (struct xs_hash){0};
}

/* FNV's low bits are its weakest: the high ones are folded in. */
static struct xs_hash_link **bucket_of(const struct xs_hash *table, uint32_t hash)
{
    return &table->bucket[(hash ^ (hash >> 15)) & (table->bucket_count - 1)];
}

static void push(struct xs_hash *table, struct xs_hash_link *link)
{
    struct xs_hash_link **slot = bucket_of(table, link->hash);
    link->next = *slot;
    *slot = link;
}

/* Moves the oldest link of a bucket first, so that the newest ends in front. */
static void move_bucket(struct xs_hash *table, struct xs_hash_link *link)
{
    struct xs_hash_link *oldest_first = NULL;
    while (link != NULL) {
        struct xs_hash_link *next = link->next;
        link->next = oldest_first;
        oldest_first = link;
        link = next;
    }
    while (oldest_first != NULL) {
        struct xs_hash_link *next = oldest_first->next;
        push(table, oldest_first);
        oldest_first = next;
    }
}

static void grow(struct xs_hash *table)
{
    const struct xs_hash old = *table;
    size_t count = old.bucket_count == 1 ? BUCKETS_MIN : 4 * old.bucket_count;
    struct xs_hash_link **bucket = calloc(count, sizeof(*bucket));
    if (bucket == NULL)
        return;
    table->bucket = bucket;
    table->bucket_count = count;
    if (old.bucket == &table->only) {
        table->only = NULL;
        move_bucket(table, old.only);
        return;
    }
    for (size_t i = 0; i < old.bucket_count; i++)
        move_bucket(table, old.bucket[i]);
    free(old.bucket);
}

void xs_hash_add(struct xs_hash *table, struct xs_hash_link *link, uint32_t hash)
{
    size_t limit = table->bucket_count == 1 ? LINKS_IN_ONE_BUCKET : table->bucket_count;
    if (table->count >= limit)
        grow(table);
    link->hash = hash;
    push(table, link);
    table->count++;
}

void xs_hash_remove(struct xs_hash *table, struct xs_hash_link *link)
{
    struct xs_hash_link **slot = bucket_of(table, link->hash);
    while (*slot != link)
        slot = &(*slot)->next;
    *slot = link->next;
    table->count--;
}

static struct xs_hash_link *of_hash(struct xs_hash_link *link, uint32_t hash)
{
    while (link != NULL && link->hash != hash)
        link = link->next;
    return link;
}

struct xs_hash_link *xs_hash_first(const struct xs_hash *table, uint32_t hash)
{
    return of_hash(*bucket_of(table, hash), hash);
}

struct xs_hash_link *xs_hash_next(const struct xs_hash_link *link)
{
    return of_hash(link->next, link->hash);
}

uint32_t xs_hash_text(uint32_t seed, const char *text)
{
    while (*text != '\0')
        seed = xs_hash_byte(seed, *text++);
    return seed;
}
