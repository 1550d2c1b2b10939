/* SPDX-License-Identifier: MIT */
/*
 * xs_watch: who wants to hear of which path.
 *
 * The index holds one entry for each listener and path: a connection, however many of its watches
 * are on that path, or a local watch. A change looks up its own path and each of its ancestors, so
 * its cost grows with the depth of the path and the listeners that match; neither the watches that
 * exist nor the watches that one connection has there count.
 */
#ifndef SPLITDOM_XENSTORE_TREE_XS_WATCH_H
#define SPLITDOM_XENSTORE_TREE_XS_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xenstore/xs_hash.h"
#include "xenstore/xs_perms.h"

enum { XS_WATCH_DEPTH_ANY = UINT32_MAX };

/* Which watches an event is for. */
enum xs_match {
    XS_MATCH_SUBTREE,     /* on its path, or on an ancestor within their depth */
    XS_MATCH_EXACT,       /* on its path */
    XS_MATCH_NO_DEPTH,    /* on its path and without a depth: "@releaseDomain" */
    XS_MATCH_GIVEN_DEPTH, /* on its path, or on an ancestor with a depth: "@releaseDomain/5" */
};

/* Whether a watch of that depth, on an ancestor levels above the event's path, is meant. */
bool xs_match_wants(enum xs_match match, uint32_t depth, uint32_t levels);

/* Walks over the ancestors of a path that can be watched, the path itself last. */
struct xs_ancestry {
    const char *path;
    size_t len;      /* of the ancestor, at the start of path */
    uint32_t levels; /* of path below it */
    uint32_t hash;   /* of it, from the seed */
};
void xs_ancestry_begin(struct xs_ancestry *ancestry, const char *path, uint32_t seed);
bool xs_ancestry_next(struct xs_ancestry *ancestry); /* false: there is no further one */

/* Part of whatever wants to hear. All fields but the last are set by its owner before
 * xs_watch_index_add; actor stays where it is, and the two about depth may be changed later. */
struct xs_watch {
    const struct xs_actor *actor;
    const char *path;   /* absolute, or special ("@releaseDomain") */
    bool any_depth;     /* somebody wants to hear of everything below */
    uint32_t depth_max; /* and others of so many levels; more than there are is allowed */
    /* Only takes note of the event: it must not touch the store or the watches. */
    void (*fire)(struct xs_watch *watch, const char *path, enum xs_match match);
    struct xs_hash_link link;
};

struct xs_watch_index {
    struct xs_hash by_path;
    uint32_t seed;
    uint64_t firings; /* so far: tells whether two calls of fire are about one change */
};

void xs_watch_index_init(struct xs_watch_index *index, uint32_t seed);
void xs_watch_index_clear(struct xs_watch_index *index); /* no watch is left in it */

/* The index keeps the pointer until xs_watch_index_remove. */
void xs_watch_index_add(struct xs_watch_index *index, struct xs_watch *watch);
void xs_watch_index_remove(struct xs_watch_index *index, struct xs_watch *watch);

/*
 * Fires the watches that match. One of an unprivileged actor fires only if one of the lists (NULLs
 * are skipped) lets the actor read.
 */
void xs_watch_index_fire(struct xs_watch_index *index, const char *path, enum xs_match match,
                         struct xs_perms *const *lists, size_t list_count);

#endif
