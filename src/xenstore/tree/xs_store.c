/* SPDX-License-Identifier: MIT */
#include "xenstore/tree/xs_store.h"

#include <errno.h>
#include <stdlib.h>
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
    *store = (struct xs_store){0};
    store->quotas.all = quota != NULL ? *quota : xs_quota_default;
    if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed))
        seed = 2166136261u; /* FNV's own: only the resistance to aimed collisions is lost */
    xs_watch_index_init(&store->watches, seed);
    xs_strays_init(&store->strays);
    store->life = calloc(UINT16_MAX + 1, sizeof(store->life[0]));
    int rc = store->life == NULL ? -ENOMEM : xs_tree_init(&store->tree, &store->generation);
    if (rc == 0)
        rc = xs_specials_init(&store->specials);
    if (rc == 0) {
        xs_store_introduce(store, DOM0_DOMID);
        rc = create_first_nodes(store);
    }
    if (rc < 0)
        xs_store_clear(store);
    return rc;
}

void xs_store_clear(struct xs_store *store)
{
    xs_tree_clear(&store->tree);
    xs_watch_index_clear(&store->watches);
    xs_quotas_clear(&store->quotas);
    xs_specials_clear(&store->specials);
    xs_strays_clear(&store->strays);
    free(store->life);
    store->life = NULL;
}

bool xs_store_is_introduced(const struct xs_store *store, domid_t domid)
{
    return (store->life[domid] & 1) != 0;
}

uint32_t xs_store_life(const struct xs_store *store, domid_t domid)
{
    return xs_store_is_introduced(store, domid) ? store->life[domid] : XS_LIFE_NONE;
}

void xs_store_introduce(struct xs_store *store, domid_t domid)
{
    store->life[domid]++;
}

int xs_store_resolve(const struct xs_store *store, struct xs_perms *perms)
{
    for (uint32_t i = 0; i < perms->count; i++) {
        struct xs_perm *entry = &perms->entry[i];
        if (entry->domid >= 0 && entry->domid <= UINT16_MAX)
            entry->life = xs_store_life(store, (domid_t)entry->domid);
    }
    return perms->entry[0].life == XS_LIFE_NONE ? -ENOENT : 0;
}

int xs_store_get(const struct xs_tree *tree, struct xs_actor actor, const char *path,
                 unsigned wanted, struct xs_node **out)
{
    uint32_t missing;
    struct xs_node *node = xs_tree_nearest(tree, path, &missing);
    unsigned access = xs_perms_access(node->perms, actor) & wanted;
    if (missing > 0)
        return access != 0 ? -ENOENT : -EACCES;
    if (access != wanted)
        return -EACCES;
    *out = node;
    return 0;
}

/* The node at the first len bytes of path, if it is a stray of its owner, is noted. */
static void note_stray(struct xs_store *store, const char *path, size_t len)
{
    char noted[XS_PATH_SIZE];
    memcpy(noted, path, len);
    noted[len] = '\0';
    const struct xs_node *node = xs_tree_find(&store->tree, noted);
    domid_t owner = xs_perms_owner(node->perms);
    if (xs_strays_is_one(&store->tree, owner, noted))
        xs_strays_note(&store->strays, &store->tree, owner, noted);
}

static bool is_too_large(const struct xs_store *store, struct xs_actor actor, uint32_t perm_count,
                         const struct xs_value *value, uint64_t name_bytes)
{
    uint64_t bytes = xs_quota_node_bytes(perm_count, value == NULL ? 0 : value->len, name_bytes);
    return !actor.privileged &&
           xs_quota_exceeded(xs_quotas_of(&store->quotas, actor.domid)->node_bytes, bytes + 1);
}

/* Whether the nodes fit that creating path makes and changes: each but the last gets the name of
 * the next. */
static bool fits(const struct xs_store *store, struct xs_actor actor, const struct xs_node *nearest,
                 const char *path, uint32_t missing, const struct xs_value *value)
{
    const char *cursor = path + xs_path_ancestor_len(path, missing), *name;
    uint32_t perm_count = nearest->perms->count;
    const struct xs_value *above = nearest->value;
    uint64_t name_bytes = xs_names_bytes(nearest->names);
    size_t len;
    while ((name = xs_path_next(&cursor, &len)) != NULL) {
        if (is_too_large(store, actor, perm_count, above, name_bytes + len + 1))
            return false;
        above = NULL;
        name_bytes = 0;
    }
    return !is_too_large(store, actor, perm_count, value, 0);
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
    uint32_t limit = xs_quotas_of(&store->quotas, actor.domid)->nodes;
    bool is_room = actor.privileged || !xs_quota_exceeded(limit, owned + missing);
    if (is_room && fits(store, actor, nearest, path, missing, value))
        rc = xs_tree_create(tree, path, perms, value, &store->generation);
    if (rc == 0 && tree == &store->tree && xs_perms_owner(perms) != DOM0_DOMID)
        note_stray(store, path, xs_path_ancestor_len(path, missing - 1));
    xs_perms_unref(perms);
    return rc;
}

static int apply_write(struct xs_store *store, struct xs_tree *tree, struct xs_actor actor,
                       const struct xs_op *op)
{
    struct xs_node *node;
    int rc = xs_store_get(tree, actor, op->path, XS_PERM_WRITE, &node);
    if (rc == -ENOENT)
        return create(store, tree, actor, op->path, op->value);
    if (rc == 0 &&
        is_too_large(store, actor, node->perms->count, op->value, xs_names_bytes(node->names)))
        return -ENOSPC;
    return rc < 0 ? rc : xs_tree_set_value(tree, op->path, op->value, &store->generation);
}

static int apply_rm(struct xs_store *store, struct xs_tree *tree, struct xs_actor actor,
                    const struct xs_op *op, struct xs_node **removed)
{
    struct xs_node *node;
    int rc = xs_store_get(tree, actor, op->path, XS_PERM_WRITE, &node);
    if (rc == -ENOENT)
        return xs_tree_parent(tree, op->path) != NULL ? 1 : -ENOENT;
    if (rc == 0 && strcmp(op->path, "/") == 0)
        return -EINVAL;
    return rc < 0 ? rc : xs_tree_remove(tree, op->path, &store->generation, removed);
}

struct disowned {
    struct xs_store *store;
    size_t len;
    char path[XS_PATH_SIZE]; /* of the parent */
};

static int note_disowned(void *ctx, struct xs_node *child)
{
    struct disowned *d = ctx;
    d->path[d->len] = '/';
    memcpy(d->path + d->len + 1, child->name, child->name_len + 1);
    note_stray(d->store, d->path, d->len + 1 + child->name_len);
    return 0;
}

/* The node at path has another owner: it may be a stray now, and so may its children. */
static void note_new_owner(struct xs_store *store, const char *path, domid_t old_owner)
{
    struct disowned d = {.store = store, .len = strcmp(path, "/") == 0 ? 0 : strlen(path)};
    if (strcmp(path, "/") != 0)
        note_stray(store, path, d.len);
    memcpy(d.path, path, d.len);
    if (old_owner != DOM0_DOMID)
        xs_tree_each_child(xs_tree_find(&store->tree, path), note_disowned, &d);
}

static int apply_set_perms(struct xs_store *store, struct xs_tree *tree, struct xs_actor actor,
                           const struct xs_op *op)
{
    struct xs_node *node;
    int rc = xs_store_get(tree, actor, op->path, XS_PERM_WRITE | XS_PERM_OWNER, &node);
    if (rc < 0)
        return rc;
    domid_t owner = xs_perms_owner(op->perms), old_owner = xs_perms_owner(node->perms);
    if (!actor.privileged && owner != old_owner)
        return -EPERM;
    if (op->perms->entry[0].life != store->life[owner])
        return -ENOENT; /* has died since a transaction named it */
    uint32_t limit = xs_quotas_of(&store->quotas, actor.domid)->perms;
    if (!actor.privileged &&
        (xs_quota_exceeded(limit, op->perms->count) ||
         is_too_large(store, actor, op->perms->count, node->value, xs_names_bytes(node->names))))
        return -ENOSPC;
    rc = xs_tree_set_perms(tree, op->path, op->perms, &store->generation);
    if (rc == 0 && tree == &store->tree && owner != old_owner)
        note_new_owner(store, op->path, old_owner);
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
