/* SPDX-License-Identifier: MIT */
#include "xenstore/tree/xs_change.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "xenstore/xs_path.h"

int xs_changes_add(struct xs_changes *changes, const char *path)
{
    if (changes->count == changes->capacity) {
        size_t capacity = changes->capacity == 0 ? 4 : 2 * changes->capacity;
        void *grown = realloc(changes->item, capacity * sizeof(changes->item[0]));
        if (grown == NULL)
            return -ENOMEM;
        changes->item = grown;
        changes->capacity = capacity;
    }
    char *copy = strdup(path);
    if (copy == NULL)
        return -ENOMEM;
    changes->item[changes->count++] = (struct xs_change){.path = copy};
    return 0;
}

void xs_changes_drop_last(struct xs_changes *changes)
{
    struct xs_change *last = &changes->item[--changes->count];
    free(last->path);
    xs_node_unref(last->removed);
    xs_perms_unref(last->old_perms);
}

void xs_changes_clear(struct xs_changes *changes)
{
    while (changes->count > 0)
        xs_changes_drop_last(changes);
    free(changes->item);
    *changes = (struct xs_changes){0};
}

struct removal {
    struct xs_watch_index *watches;
    struct xs_perms *parent; /* of the node being visited */
    size_t len;
    char path[XS_PATH_SIZE];
};

/* Watches on nodes below a removed one: each is told of its own path, the deepest first. */
static int announce_below(void *ctx, struct xs_node *child)
{
    struct removal *r = ctx;
    size_t len = r->len;
    struct xs_perms *parent = r->parent;
    r->path[len] = '/';
    memcpy(r->path + len + 1, child->name, child->name_len + 1);
    r->len = len + 1 + child->name_len;
    r->parent = child->perms;
    xs_tree_each_child(child, announce_below, r);
    r->parent = parent;
    r->path[r->len] = '\0';
    struct xs_perms *lists[] = {child->perms, parent};
    xs_watch_index_fire(r->watches, r->path, XS_MATCH_EXACT, lists, 2);
    r->len = len;
    return 0;
}

static void announce_removed(const struct xs_change *change, struct xs_watch_index *watches)
{
    struct removal r = {.watches = watches, .parent = change->removed->perms};
    r.len = strlen(change->path);
    memcpy(r.path, change->path, r.len);
    xs_tree_each_child(change->removed, announce_below, &r);
}

static void announce(const struct xs_change *change, const struct xs_tree *tree,
                     struct xs_watch_index *watches)
{
    if (watches->by_path.count == 0)
        return;
    if (change->removed != NULL)
        announce_removed(change, watches);
    struct xs_node *node = xs_tree_find(tree, change->path);
    struct xs_node *parent =
        strcmp(change->path, "/") == 0 ? NULL : xs_tree_parent(tree, change->path);
    struct xs_perms *lists[] = {
        node == NULL ? NULL : node->perms,
        parent == NULL ? NULL : parent->perms,
        change->old_perms,
        change->removed == NULL ? NULL : change->removed->perms,
    };
    xs_watch_index_fire(watches, change->path, XS_MATCH_SUBTREE, lists,
                        sizeof(lists) / sizeof(lists[0]));
}

void xs_changes_announce(struct xs_changes *changes, const struct xs_tree *tree,
                         struct xs_watch_index *watches)
{
    for (size_t i = 0; i < changes->count; i++)
        announce(&changes->item[i], tree, watches);
    xs_changes_clear(changes);
}
