/* SPDX-License-Identifier: MIT */
#include "xenstore/xs_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "xenstore/xs_path.h"

enum { XS_WATCH_BUCKETS_MIN = 64 };

/* FNV-1a, one byte further. */
static uint32_t hash_byte(uint32_t hash, char c)
{
    return (hash ^ (uint8_t)c) * 16777619u;
}

static uint32_t hash_path(const struct xs_watch_index *index, const char *path)
{
    uint32_t hash = index->seed;
    while (*path != '\0')
        hash = hash_byte(hash, *path++);
    return hash;
}

/* FNV's low bits are its weakest: fold the high ones in. */
static struct xs_watch **bucket_of(const struct xs_watch_index *index, uint32_t hash)
{
    return &index->bucket[(hash ^ (hash >> 15)) & (index->bucket_count - 1)];
}

int xs_watch_index_init(struct xs_watch_index *index, uint32_t seed)
{
    *index = (struct xs_watch_index){.bucket_count = XS_WATCH_BUCKETS_MIN, .seed = seed};
    index->bucket = calloc(index->bucket_count, sizeof(struct xs_watch *));
    return index->bucket == NULL ? -ENOMEM : 0;
}

void xs_watch_index_clear(struct xs_watch_index *index)
{
    free(index->bucket);
    *index = (struct xs_watch_index){0};
}

static void link_watch(struct xs_watch_index *index, struct xs_watch *watch)
{
    struct xs_watch **slot = bucket_of(index, watch->hash);
    watch->bucket_next = *slot;
    *slot = watch;
}

/* Without memory the table stays as it is and is merely slower. */
static void grow(struct xs_watch_index *index)
{
    struct xs_watch_index old = *index;
    struct xs_watch **bucket = calloc(2 * old.bucket_count, sizeof(struct xs_watch *));
    if (bucket == NULL)
        return;
    index->bucket = bucket;
    index->bucket_count = 2 * old.bucket_count;
    for (size_t i = 0; i < old.bucket_count; i++) {
        struct xs_watch *watch = old.bucket[i];
        while (watch != NULL) {
            struct xs_watch *next = watch->bucket_next;
            link_watch(index, watch);
            watch = next;
        }
    }
    free(old.bucket);
}

void xs_watch_index_add(struct xs_watch_index *index, struct xs_watch *watch)
{
    if (index->watch_count >= index->bucket_count)
        grow(index);
    watch->hash = hash_path(index, watch->path);
    link_watch(index, watch);
    index->watch_count++;
}

void xs_watch_index_remove(struct xs_watch_index *index, struct xs_watch *watch)
{
    struct xs_watch **slot = bucket_of(index, watch->hash);
    while (*slot != watch)
        slot = &(*slot)->bucket_next;
    *slot = watch->bucket_next;
    index->watch_count--;
}

static bool may_read(struct xs_actor actor, struct xs_perms *const *lists, size_t list_count)
{
    if (actor.privileged)
        return true;
    for (size_t i = 0; lists != NULL && i < list_count; i++) {
        if (lists[i] != NULL && (xs_perms_access(lists[i], actor) & XS_PERM_READ) != 0)
            return true;
    }
    return false;
}

struct firing {
    const char *path;
    struct xs_perms *const *lists;
    size_t list_count;
};

/* Fires the watches on the first base_len bytes of the path. */
static void fire_at(struct xs_watch_index *index, const struct firing *f, size_t base_len,
                    uint32_t levels_below, uint32_t hash)
{
    for (struct xs_watch *w = *bucket_of(index, hash); w != NULL; w = w->bucket_next) {
        if (w->hash == hash && w->depth >= levels_below && strlen(w->path) == base_len &&
            memcmp(w->path, f->path, base_len) == 0 && may_read(w->actor, f->lists, f->list_count))
            w->fire(w, f->path);
    }
}

void xs_watch_index_fire(struct xs_watch_index *index, const char *path, bool exact,
                         struct xs_perms *const *lists, size_t list_count)
{
    struct firing f = {.path = path, .lists = lists, .list_count = list_count};
    size_t len = strlen(path);
    if (!exact && path[0] == '/' && len > 1) {
        uint32_t levels = xs_path_levels_below(path, "/");
        uint32_t hash = hash_byte(index->seed, '/');
        fire_at(index, &f, 1, levels, hash);
        for (size_t i = 1; i < len; i++) {
            if (path[i] == '/')
                fire_at(index, &f, i, --levels, hash);
            hash = hash_byte(hash, path[i]);
        }
        fire_at(index, &f, len, 0, hash);
    } else {
        fire_at(index, &f, len, 0, hash_path(index, path));
    }
}
