/* SPDX-License-Identifier: MIT */
#include "xenstore/tree/xs_watch.h"

#include <string.h>

#include "base/container_of.h"
#include "xenstore/xs_path.h"

bool xs_match_wants(enum xs_match match, uint32_t depth, uint32_t levels)
{
    switch (match) {
    case XS_MATCH_SUBTREE:
        return depth >= levels;
    case XS_MATCH_EXACT:
        return levels == 0;
    case XS_MATCH_NO_DEPTH:
        return levels == 0 && depth == XS_WATCH_DEPTH_ANY;
    case XS_MATCH_GIVEN_DEPTH:
        return levels == 0 || (depth != XS_WATCH_DEPTH_ANY && depth >= levels);
    }
    return false;
}

void xs_ancestry_begin(struct xs_ancestry *ancestry, const char *path, uint32_t seed)
{
    *ancestry =
        (struct xs_ancestry){.path = path, .levels = xs_path_levels_below(path, "/"), .hash = seed};
}

bool xs_ancestry_next(struct xs_ancestry *ancestry)
{
    const char *path = ancestry->path;
    size_t len = ancestry->len;
    uint32_t hash = ancestry->hash;
    if (len > 0 && ancestry->levels == 0)
        return false;
    if (path[len] == '/')
        hash = xs_hash_byte(hash, path[len++]);
    if (ancestry->len > 0 || len == 0) { /* all but "/" itself */
        for (; path[len] != '/' && path[len] != '\0'; len++)
            hash = xs_hash_byte(hash, path[len]);
        ancestry->levels--;
    }
    ancestry->len = len;
    ancestry->hash = hash;
    return true;
}

void xs_watch_index_init(struct xs_watch_index *index, uint32_t seed)
{
    index->seed = seed;
    index->firings = 0;
    xs_hash_init(&index->by_path);
}

void xs_watch_index_clear(struct xs_watch_index *index)
{
    xs_hash_clear(&index->by_path);
}

void xs_watch_index_add(struct xs_watch_index *index, struct xs_watch *watch)
{
    xs_hash_add(&index->by_path, &watch->link, xs_hash_text(index->seed, watch->path));
}

void xs_watch_index_remove(struct xs_watch_index *index, struct xs_watch *watch)
{
    xs_hash_remove(&index->by_path, &watch->link);
}

struct firing {
    struct xs_watch_index *index;
    const char *path;
    enum xs_match match;
    struct xs_perms *const *lists;
    size_t list_count;
};

static bool may_read(const struct firing *f, const struct xs_actor *actor)
{
    if (actor->privileged)
        return true;
    for (size_t i = 0; i < f->list_count; i++) {
        if (f->lists[i] != NULL && (xs_perms_access(f->lists[i], *actor) & XS_PERM_READ) != 0)
            return true;
    }
    return false;
}

static bool wants(const struct xs_watch *watch, enum xs_match match, uint32_t levels)
{
    return (watch->any_depth && xs_match_wants(match, XS_WATCH_DEPTH_ANY, levels)) ||
           xs_match_wants(match, watch->depth_max, levels);
}

static void fire_at(const struct firing *f, size_t len, uint32_t levels, uint32_t hash)
{
    struct xs_hash_link *link = xs_hash_first(&f->index->by_path, hash);
    for (; link != NULL; link = xs_hash_next(link)) {
        struct xs_watch *w = container_of(link, struct xs_watch, link);
        if (wants(w, f->match, levels) && strncmp(w->path, f->path, len) == 0 &&
            w->path[len] == '\0' && may_read(f, w->actor))
            w->fire(w, f->path, f->match);
    }
}

void xs_watch_index_fire(struct xs_watch_index *index, const char *path, enum xs_match match,
                         struct xs_perms *const *lists, size_t list_count)
{
    const struct firing f = {index, path, match, lists, list_count};
    if (index->by_path.count == 0)
        return;
    index->firings++;
    if (match == XS_MATCH_EXACT || match == XS_MATCH_NO_DEPTH) {
        fire_at(&f, strlen(path), 0, xs_hash_text(index->seed, path));
        return;
    }
    struct xs_ancestry a;
    xs_ancestry_begin(&a, path, index->seed);
    while (xs_ancestry_next(&a))
        fire_at(&f, a.len, a.levels, a.hash);
}
