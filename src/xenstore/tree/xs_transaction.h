/* SPDX-License-Identifier: MIT */
/*
 * xs_transaction: a private view of the store that becomes public all at once, or not at all.
 *
 * It starts as a snapshot (one reference, xs_node.h) and works on its own version of the tree. It
 * remembers every path that it looked at, in order, with the generation that the snapshot had
 * there, and the changes that it made. The commit compares: if any of those paths has another
 * generation by now (created, removed and changed since count), it is a conflict, -EAGAIN.
 * Otherwise the changes are made again, to the store's own tree, where permissions and limits have
 * the last word; one that fails undoes the others.
 *
 * What is looked at is what C xenstored looks at: the node of the request; its ancestors up to one
 * that exists, if the node is missing or forbidden; the parent and everything below, if the node is
 * removed. Watches fire in the order in which the nodes were first looked at.
 */
#ifndef SPLITDOM_XENSTORE_TREE_XS_TRANSACTION_H
#define SPLITDOM_XENSTORE_TREE_XS_TRANSACTION_H

#include <stdbool.h>
#include <stdint.h>

#include "xenstore/tree/xs_store.h"
#include "xenstore/xs_hash.h"

enum {
    /* Paths and values that an unprivileged transaction may hold, beyond counting its nodes. */
    XS_TRANSACTION_BYTES = 512 * 1024,
};

struct xs_access;
struct xs_logged_op;

struct xs_transaction {
    uint32_t id; /* not 0; unique in its connection */
    const struct xs_actor *actor;
    struct xs_store *store;
    struct xs_tree view;  /* snapshot plus own changes */
    struct xs_node *base; /* the snapshot */
    bool has_failed;      /* it lacks a change that was refused for want of room */
    uint32_t access_count;
    size_t bytes;      /* of paths and values held */
    uint32_t removals; /* RMs logged so far */
    struct xs_hash by_path;
    struct xs_access *first_access, **last_access;
    struct xs_logged_op *first, **last;
    struct xs_transaction *next; /* of the connection */
};

/* actor outlives it. Returns 0 or -ENOMEM. */
int xs_transaction_open(struct xs_store *store, const struct xs_actor *actor, uint32_t id,
                        struct xs_transaction **out);
void xs_transaction_close(struct xs_transaction *tx); /* without effect; NULL is allowed */

/* Looks a node up in the view and notes what that looks at. Errors of xs_store_get, and -ENOSPC
 * (limit) or -ENOMEM, after which it can't be committed. */
int xs_transaction_get(struct xs_transaction *tx, const char *path, unsigned wanted,
                       struct xs_node **out);

/* Carries out op in the view. Errors of xs_store_apply; after -ENOSPC and -ENOMEM it can't be
 * committed. */
int xs_transaction_apply(struct xs_transaction *tx, const struct xs_op *op);

/* Makes the changes public and fires the watches. Returns 0, -EAGAIN, -ENOSPC, or -ENOMEM, also
 * for a transaction that can't be committed; nothing has changed then. In every case the
 * transaction is only good for xs_transaction_close. */
int xs_transaction_commit(struct xs_transaction *tx);

#endif
