/* SPDX-License-Identifier: MIT */
/*
 * xs_store: the store itself: the tree, its limits, its watches, and what may be done with it.
 *
 * Operations work on one version of the tree: the store's own, or the one of a transaction. They
 * check permissions and limits for the actor. Paths are absolute and valid.
 */
#ifndef SPLITDOM_XENSTORE_TREE_XS_STORE_H
#define SPLITDOM_XENSTORE_TREE_XS_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "xenstore/tree/xs_change.h"
#include "xenstore/tree/xs_quota.h"
#include "xenstore/tree/xs_special.h"
#include "xenstore/tree/xs_strays.h"
#include "xenstore/tree/xs_tree.h"
#include "xenstore/tree/xs_watch.h"

struct xs_store {
    struct xs_tree tree;
    uint64_t generation; /* the last one given out */
    struct xs_quotas quotas;
    struct xs_watch_index watches;
    struct xs_specials specials;
    struct xs_strays strays;
    uint32_t *life; /* of each domid: odd while there is such a domain, one more at its end */
};

enum xs_op_type { XS_OP_WRITE, XS_OP_MKDIR, XS_OP_RM, XS_OP_SET_PERMS };

/* One change asked for; value and perms are borrowed. */
struct xs_op {
    enum xs_op_type type;
    const char *path;
    struct xs_value *value; /* WRITE; NULL: empty */
    struct xs_perms *perms; /* SET_PERMS */
};

/* quota NULL: the defaults. Creates the nodes that every store has. Returns 0 or -ENOMEM. */
int xs_store_init(struct xs_store *store, const struct xs_quota *quota);
void xs_store_clear(struct xs_store *store);

bool xs_store_is_introduced(const struct xs_store *store, domid_t domid);

/* The life of the domain that has that number now: earlier and later domains of the number have
 * other lives. XS_LIFE_NONE: there is no such domain. */
uint32_t xs_store_life(const struct xs_store *store, domid_t domid);

/* Binds the entries of a list that has just been parsed to the domains that exist now. Returns 0,
 * or -ENOENT if the owner does not exist. */
int xs_store_resolve(const struct xs_store *store, struct xs_perms *perms);

/*
 * Looks a node up for the access bits wanted. Returns 0, -EACCES if the actor lacks one of them;
 * for a missing node -ENOENT if it has one of them on the nearest ancestor, otherwise -EACCES.
 */
int xs_store_get(const struct xs_tree *tree, struct xs_actor actor, const char *path,
                 unsigned wanted, struct xs_node **out);

/*
 * Carries out op on tree, one of the store's versions; notes it in changes unless NULL. Completely
 * or not at all. Returns 0, -ENOENT, -EACCES, -EPERM (owner changed by someone unprivileged),
 * -EINVAL (removal of "/"), -ENOSPC (limit), -ENOMEM.
 */
int xs_store_apply(struct xs_store *store, struct xs_tree *tree, struct xs_actor actor,
                   const struct xs_op *op, struct xs_changes *changes);

/* xs_store_apply on the store's own tree, and its watches fire. */
int xs_store_do(struct xs_store *store, struct xs_actor actor, const struct xs_op *op);

/* Notes that domid exists. */
void xs_store_introduce(struct xs_store *store, domid_t domid);

/*
 * Forgets a domain: no entry of any permission list is valid for it any more. Removes the nodes
 * that it owns, and /local/domain/<domid> unless keep_home; watches fire. The cost depends on what
 * is removed (and on the home), not on the rest of the store. Returns 0, or -ENOMEM with a part of
 * the work done; it may be called again.
 */
int xs_store_forget(struct xs_store *store, domid_t domid, bool keep_home);

#endif
