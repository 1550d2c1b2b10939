/* SPDX-License-Identifier: MIT */
/*
 * xs_transaction: a private view of the store that becomes public all at once, or not at all.
 *
 * It starts as a snapshot (one reference, xs_node.h) and works on its own version of the tree. It
 * remembers every path that it read or wrote, with the generation that the snapshot had there, and
 * the changes that it made, in order. The commit compares: if any of those paths has another
 * generation by now (created, removed and changed since count), it is a conflict, -EAGAIN.
 * Otherwise the changes are made again, to the store's own tree, where permissions and limits have
 * the last word; one that fails undoes the others.
 *
 * C xenstored works the same way on what counts as a conflict: a written node is a read one too,
 * because a write looks at the permissions first. Unlike there, adding different children to one
 * parent is no conflict as long as nobody listed the parent.
 */
#ifndef SPLITDOM_XENSTORE_XS_TRANSACTION_H
#define SPLITDOM_XENSTORE_XS_TRANSACTION_H

#include <stdint.h>

#include "xenstore/xs_store.h"

enum {
    /* Paths and values that an unprivileged transaction may hold, beyond counting its nodes. */
    XS_TRANSACTION_BYTES = 512 * 1024,
    XS_TRANSACTION_BUCKETS = 64,
};

struct xs_access;
struct xs_logged_op;

struct xs_transaction {
    uint32_t id; /* not 0; unique in its connection */
    struct xs_actor actor;
    struct xs_store *store;
    struct xs_tree view;  /* snapshot plus own changes */
    struct xs_node *base; /* the snapshot */
    uint32_t access_count;
    size_t bytes;      /* of paths and values held */
    uint32_t removals; /* RMs logged so far */
    struct xs_access *access[XS_TRANSACTION_BUCKETS];
    struct xs_logged_op *first, **last;
    struct xs_transaction *next; /* of the connection */
};

/* Returns 0 or -ENOMEM. */
int xs_transaction_open(struct xs_store *store, struct xs_actor actor, uint32_t id,
                        struct xs_transaction **out);
void xs_transaction_close(struct xs_transaction *tx); /* without effect; NULL is allowed */

/* Notes that path is read. Returns 0, -ENOSPC (limit) or -ENOMEM. */
int xs_transaction_touch(struct xs_transaction *tx, const char *path);

/* Carries out op in the view. Errors of xs_store_apply and xs_transaction_touch. */
int xs_transaction_apply(struct xs_transaction *tx, const struct xs_op *op);

/* Makes the changes public and fires the watches. Returns 0, -EAGAIN, -ENOSPC or -ENOMEM; nothing
 * has changed then. In every case the transaction is only good for xs_transaction_close. */
int xs_transaction_commit(struct xs_transaction *tx);

#endif
