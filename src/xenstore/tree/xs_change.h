/* SPDX-License-Identifier: MIT */
/*
 * xs_change: what an operation changed, kept until it is certain to stay: then watches fire.
 */
#ifndef SPLITDOM_XENSTORE_TREE_XS_CHANGE_H
#define SPLITDOM_XENSTORE_TREE_XS_CHANGE_H

#include <stddef.h>

#include "xenstore/tree/xs_tree.h"
#include "xenstore/tree/xs_watch.h"

struct xs_change {
    char *path;
    struct xs_node *removed;    /* what was there, if it was removed */
    struct xs_perms *old_perms; /* what was valid before, if permissions changed */
};

/* Zero-initialise it. */
struct xs_changes {
    struct xs_change *item;
    size_t count, capacity;
};

/* Notes a change of path before it is made, so that nothing can fail after it. 0 or -ENOMEM. The
 * other fields are empty; the caller fills them in the last item. */
int xs_changes_add(struct xs_changes *changes, const char *path);

/* Takes the last one back: it did not happen. */
void xs_changes_drop_last(struct xs_changes *changes);

void xs_changes_clear(struct xs_changes *changes);

/*
 * Fires the watches for all of them and forgets them. A domain hears of a node if it may read the
 * node or its parent, or could before the change; watches on nodes below a removed one hear of
 * their own node. tree is the version after the changes.
 */
void xs_changes_announce(struct xs_changes *changes, const struct xs_tree *tree,
                         struct xs_watch_index *watches);

#endif
