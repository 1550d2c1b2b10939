/* SPDX-License-Identifier: MIT */
#include "xenstore/xs_store.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "xenstore/xs_path.h"

static const struct xs_actor xs_dom0 = {.domid = DOM0_DOMID, .privileged = true};

static int create_first_nodes(struct xs_store *store)
{
    static const char *const path[] = {"/tool/xenstored", "/local/domain/0"};
    for (size_t i = 0; i < sizeof(path) / sizeof(path[0]); i++) {
        int rc = xs_store_do(store, xs_dom0, &(struct xs_op){XS_OP_MKDIR, path[i], NULL, NULL});
        if (rc < 0)
            return rc;
    }
    return 0;
}

int xs_store_init(struct xs_store *store, const struct xs_quota *quota)
{
    uint32_t seed;
    memset(store, 0, sizeof(*store));
    store->quota = quota != NULL ? *quota : xs_quota_default;
    if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed))
        seed = 2166136261u; /* FNV's own: only the resistance to aimed collisions is lost */
    xs_watch_index_init(&store->watches, seed);
    int rc = xs_tree_init(&store->tree, &store->generation);
    if (rc == 0)
        rc = create_first_nodes(store);
    if (rc < 0)
        xs_store_clear(store);
    else
        xs_store_introduce(store, DOM0_DOMID);
    return rc;
}

void xs_store_clear(struct xs_store *store)
{
    xs_tree_clear(&store->tree);
    xs_watch_index_clear(&store->watches);
}

bool xs_store_is_introduced(const struct xs_store *store, domid_t domid)
{
    return (store->introduced[domid / 8] >> (domid % 8) & 1) != 0;
}

void xs_store_introduce(struct xs_store *store, domid_t domid)
{
    store->introduced[domid / 8] |= (uint8_t)(1u << (domid % 8));
}

int xs_store_get(const struct xs_tree *tree, struct xs_actor actor, const char *path,
                 unsigned wanted, struct xs_node **out)
{
    uint32_t missing;
    struct xs_node *node = xs_tree_nearest(tree, path, &missing);
    if ((xs_perms_access(node->perms, actor) & wanted) != wanted)
        return -EACCES;
    if (missing > 0)
        return -ENOENT;
    *out = node;
    return 0;
}

/* Creates path for an actor who may write to the nearest ancestor. */
static int create(struct xs_store *store, struct xs_tree *tree, struct xs_actor actor,
                  const char *path, struct xs_value *value)
{
    uint32_t missing;
    struct xs_node *nearest = xs_tree_nearest(tree, path, &missing);
    struct xs_perms *perms = xs_perms_inherit(nearest->perms, actor);
    if (perms == NULL)
        return -ENOMEM;
    int rc = -ENOSPC;
    uint64_t owned = xs_usage_of(&tree->usage, xs_perms_owner(perms));
    if (actor.privileged || owned + missing <= store->quota.nodes)
        rc = xs_tree_create(tree, path, perms, value, &store->generation);
    xs_perms_unref(perms);
    return rc;
}

static int apply_write(struct xs_store *store, struct xs_tree *tree, struct xs_actor actor,
                       const struct xs_op *op)
{
    struct xs_node *node;
    if (!actor.privileged && op->value != NULL && op->value->len > store->quota.node_bytes)
        return -ENOSPC;
    int rc = xs_store_get(tree, actor, op->path, XS_PERM_WRITE, &node);
    if (rc == -ENOENT)
        return create(store, tree, actor, op->path, op->value);
    return rc < 0 ? rc : xs_tree_set_value(tree, op->path, op->value, &store->generation);
}

static int apply_rm(struct xs_store *store, struct xs_tree *tree, struct xs_actor actor,
                    const struct xs_op *op, struct xs_node **removed)
{
    struct xs_node *node;
    if (strcmp(op->path, "/") == 0)
        return -EINVAL;
    int rc = xs_store_get(tree, actor, op->path, XS_PERM_WRITE, &node);
    if (rc == -ENOENT)
        return xs_tree_parent(tree, op->path) != NULL ? 1 : -ENOENT;
    return rc < 0 ? rc : xs_tree_remove(tree, op->path, &store->generation, removed);
}

/* Entries of an unprivileged list for domains that don't exist would pass to later ones with that
 * number: leaves them out. */
static struct xs_perms *existing_only(const struct xs_store *store, struct xs_perms *perms)
{
    struct xs_perms *kept = xs_perms_ref(perms);
    for (uint32_t i = 1; kept != NULL && i < perms->count; i++) {
        if (!xs_store_is_introduced(store, perms->entry[i].domid)) {
            struct xs_perms *without = xs_perms_without(kept, perms->entry[i].domid);
            xs_perms_unref(kept);
            kept = without;
        }
    }
    return kept;
}

static int apply_set_perms(struct xs_store *store, struct xs_tree *tree, struct xs_actor actor,
                           const struct xs_op *op)
{
    struct xs_node *node;
    int rc = xs_store_get(tree, actor, op->path, XS_PERM_WRITE | XS_PERM_OWNER, &node);
    if (rc < 0)
        return rc;
    if (actor.privileged)
        return xs_tree_set_perms(tree, op->path, op->perms, &store->generation);
    if (xs_perms_owner(op->perms) != xs_perms_owner(node->perms))
        return -EPERM;
    if (op->perms->count > store->quota.perms)
        return -ENOSPC;
    struct xs_perms *perms = existing_only(store, op->perms);
    if (perms == NULL)
        return -ENOMEM;
    rc = xs_tree_set_perms(tree, op->path, perms, &store->generation);
    xs_perms_unref(perms);
    return rc;
}

/* 0: changed; 1: nothing to do; or -errno. */
static int apply(struct xs_store *store, struct xs_tree *tree, struct xs_actor actor,
                 const struct xs_op *op, struct xs_node **removed)
{
    struct xs_node *node;
    switch (op->type) {
    case XS_OP_WRITE:
        return apply_write(store, tree, actor, op);
    case XS_OP_MKDIR: {
        int rc = xs_store_get(tree, actor, op->path, XS_PERM_WRITE, &node);
        return rc == -ENOENT ? create(store, tree, actor, op->path, NULL) : rc == 0 ? 1 : rc;
    }
    case XS_OP_RM:
        return apply_rm(store, tree, actor, op, removed);
    case XS_OP_SET_PERMS:
        return apply_set_perms(store, tree, actor, op);
    }
    return -EINVAL;
}

int xs_store_apply(struct xs_store *store, struct xs_tree *tree, struct xs_actor actor,
                   const struct xs_op *op, struct xs_changes *changes)
{
    struct xs_node *removed = NULL;
    struct xs_perms *old_perms = NULL;
    if (changes != NULL) {
        int rc = xs_changes_add(changes, op->path);
        if (rc < 0)
            return rc;
        struct xs_node *node = xs_tree_find(tree, op->path);
        if (op->type == XS_OP_SET_PERMS && node != NULL)
            old_perms = xs_perms_ref(node->perms);
    }
    int rc = apply(store, tree, actor, op, &removed);
    if (changes == NULL) {
        xs_node_unref(removed);
        return rc < 0 ? rc : 0;
    }
    struct xs_change *change = &changes->item[changes->count - 1];
    change->removed = removed;
    change->old_perms = old_perms;
    if (rc != 0)
        xs_changes_drop_last(changes);
    return rc < 0 ? rc : 0;
}

int xs_store_do(struct xs_store *store, struct xs_actor actor, const struct xs_op *op)
{
    struct xs_changes changes = {0};
    int rc = xs_store_apply(store, &store->tree, actor, op, &changes);
    xs_changes_announce(&changes, &store->tree, &store->watches);
    return rc;
}
