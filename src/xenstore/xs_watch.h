/* SPDX-License-Identifier: MIT */
/*
 * xs_watch: who wants to hear of which path.
 *
 * Watches hang in a hash table by the path that they watch. A change looks up its own path and each
 * of its ancestors, so its cost grows with the depth of the path and the watches that match, not
 * with the watches that exist.
 */
#ifndef SPLITDOM_XENSTORE_XS_WATCH_H
#define SPLITDOM_XENSTORE_XS_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xenstore/xs_perms.h"

enum { XS_WATCH_DEPTH_ANY = UINT32_MAX };

/* Part of whatever wants to hear (a connection's watch, a local watch). All fields are set by its
 * owner before xs_watch_index_add, except the last two. */
struct xs_watch {
    struct xs_actor actor;
    const char *path; /* absolute, or special ("@releaseDomain") */
    uint32_t depth;   /* levels below path that count; 0: path alone */
    /* Only takes note of the event: it must not touch the store or the watches. */
    void (*fire)(struct xs_watch *watch, const char *path);
    uint32_t hash;
    struct xs_watch *bucket_next;
};

struct xs_watch_index {
    struct xs_watch **bucket;
    size_t bucket_count; /* a power of two */
    size_t watch_count;
    uint32_t seed; /* makes collisions hard to aim at */
};

/* Returns 0 or -ENOMEM. */
int xs_watch_index_init(struct xs_watch_index *index, uint32_t seed);
void xs_watch_index_clear(struct xs_watch_index *index); /* no watch is left in it */

/* The index keeps the pointer until xs_watch_index_remove. Never fails: it grows if it can. */
void xs_watch_index_add(struct xs_watch_index *index, struct xs_watch *watch);
void xs_watch_index_remove(struct xs_watch_index *index, struct xs_watch *watch);

/*
 * Fires the watches on path and, unless exact, those on its ancestors whose depth allows it. Every
 * watch of an unprivileged actor fires only if one of the lists (NULLs are skipped) lets the actor
 * read; lists == NULL: privileged actors only.
 */
void xs_watch_index_fire(struct xs_watch_index *index, const char *path, bool exact,
                         struct xs_perms *const *lists, size_t list_count);

#endif
