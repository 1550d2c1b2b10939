/* SPDX-License-Identifier: MIT */
#include "xenstore/tree/xs_transaction.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/container_of.h"
#include "xenstore/xs_path.h"

struct xs_access {
    struct xs_hash_link link;
    struct xs_access *next;     /* in the order in which they were looked at */
    uint64_t generation;        /* in the snapshot; 0: missing */
    struct xs_perms *perms;     /* in the snapshot; NULL: missing */
    struct xs_logged_op *write; /* the last WRITE to this path; NULL: none */
    bool is_changed;            /* watches are to fire */
    enum xs_match match;        /* those */
    char path[];
};

struct xs_logged_op {
    struct xs_logged_op *next;
    uint32_t removals; /* RMs logged before it */
    struct xs_op op;   /* owns a reference to value and perms; its path follows */
    char path[];
};

int xs_transaction_open(struct xs_store *store, const struct xs_actor *actor, uint32_t id,
                        struct xs_transaction **out)
{
    struct xs_transaction *tx = calloc(1, sizeof(*tx));
    if (tx == NULL)
        return -ENOMEM;
    int rc = xs_tree_snapshot(&store->tree, &tx->view);
    if (rc < 0) {
        free(tx);
        return rc;
    }
    tx->id = id;
    tx->actor = actor;
    tx->store = store;
    tx->base = xs_node_ref(store->tree.root);
    xs_hash_init(&tx->by_path);
    tx->last_access = &tx->first_access;
    tx->last = &tx->first;
    *out = tx;
    return 0;
}

static void free_op(struct xs_logged_op *logged)
{
    xs_value_unref(logged->op.value);
    xs_perms_unref(logged->op.perms);
    free(logged);
}

void xs_transaction_close(struct xs_transaction *tx)
{
    if (tx == NULL)
        return;
    while (tx->first != NULL) {
        struct xs_logged_op *logged = tx->first;
        tx->first = logged->next;
        free_op(logged);
    }
    while (tx->first_access != NULL) {
        struct xs_access *access = tx->first_access;
        tx->first_access = access->next;
        xs_perms_unref(access->perms);
        free(access);
    }
    xs_hash_clear(&tx->by_path);
    xs_node_unref(tx->base);
    xs_tree_clear(&tx->view);
    free(tx);
}

static int charge(struct xs_transaction *tx, size_t bytes)
{
    if (!tx->actor->privileged && tx->bytes + bytes > XS_TRANSACTION_BYTES)
        return -ENOSPC;
    tx->bytes += bytes;
    return 0;
}

static struct xs_access *find_access(const struct xs_transaction *tx, const char *path,
                                     uint32_t hash)
{
    struct xs_hash_link *link = xs_hash_first(&tx->by_path, hash);
    for (; link != NULL; link = xs_hash_next(link)) {
        struct xs_access *access = container_of(link, struct xs_access, link);
        if (strcmp(access->path, path) == 0)
            return access;
    }
    return NULL;
}

static struct xs_access *new_access(const struct xs_transaction *tx, const char *path, size_t size)
{
    struct xs_access *access = calloc(1, sizeof(*access) + size);
    if (access == NULL)
        return NULL;
    const struct xs_tree base = {.root = tx->base};
    const struct xs_node *node = xs_tree_find(&base, path);
    if (node != NULL) {
        access->generation = node->generation;
        access->perms = xs_perms_ref(node->perms);
    }
    memcpy(access->path, path, size);
    return access;
}

/* The record of a look at path, made if there is none. */
static int touch(struct xs_transaction *tx, const char *path, struct xs_access **out)
{
    uint32_t hash = xs_hash_text(tx->store->watches.seed, path);
    *out = find_access(tx, path, hash);
    if (*out != NULL)
        return 0;
    uint32_t limit = xs_quotas_of(&tx->store->quotas, tx->actor->domid)->transaction_nodes;
    if (!tx->actor->privileged && xs_quota_exceeded(limit, (uint64_t)tx->access_count + 1))
        return -ENOSPC;
    size_t size = strlen(path) + 1;
    int rc = charge(tx, size);
    if (rc < 0)
        return rc;
    struct xs_access *access = new_access(tx, path, size);
    if (access == NULL)
        return -ENOMEM;
    xs_hash_add(&tx->by_path, &access->link, hash);
    *tx->last_access = access;
    tx->last_access = &access->next;
    tx->access_count++;
    *out = access;
    return 0;
}

/* For a missing or forbidden node the answer comes from its nearest ancestor. */
static int touch_ancestors(struct xs_transaction *tx, const char *path)
{
    char above[XS_PATH_SIZE];
    struct xs_access *access;
    int rc = 0;
    strcpy(above, path);
    while (rc == 0 && strcmp(above, "/") != 0) {
        above[xs_path_parent_len(above)] = '\0';
        rc = touch(tx, above, &access);
        if (xs_tree_find(&tx->view, above) != NULL)
            break;
    }
    return rc;
}

int xs_transaction_get(struct xs_transaction *tx, const char *path, unsigned wanted,
                       struct xs_node **out)
{
    struct xs_access *access;
    int rc = touch(tx, path, &access);
    int found = rc < 0 ? rc : xs_store_get(&tx->view, *tx->actor, path, wanted, out);
    if (rc == 0 && found < 0)
        rc = touch_ancestors(tx, path);
    tx->has_failed |= rc < 0;
    return rc < 0 ? rc : found;
}

static int touch_visited(void *ctx, const char *path, struct xs_node *node)
{
    struct xs_access *access;
    (void)node;
    return touch(ctx, path, &access);
}

/* Notes what op looks at before it changes anything. */
static int touch_for(struct xs_transaction *tx, const struct xs_op *op)
{
    struct xs_access *access;
    struct xs_node *node;
    int rc = xs_transaction_get(tx, op->path, XS_PERM_WRITE, &node);
    if (op->type != XS_OP_RM || rc < 0 || strcmp(op->path, "/") == 0)
        return rc == -ENOENT ? 0 : rc;
    char parent[XS_PATH_SIZE];
    strcpy(parent, op->path);
    parent[xs_path_parent_len(parent)] = '\0';
    rc = touch(tx, parent, &access);
    return rc < 0 ? rc : xs_tree_walk(node, op->path, touch_visited, tx);
}

static size_t op_bytes(const struct xs_op *op)
{
    return sizeof(struct xs_logged_op) + strlen(op->path) + 1 +
           (op->value == NULL ? 0 : op->value->len);
}

static struct xs_logged_op *copy_op(const struct xs_op *op)
{
    size_t size = strlen(op->path) + 1;
    struct xs_logged_op *logged = malloc(sizeof(*logged) + size);
    if (logged == NULL)
        return NULL;
    memcpy(logged->path, op->path, size);
    logged->next = NULL;
    logged->op = *op;
    logged->op.path = logged->path;
    xs_value_ref(op->value);
    if (op->perms != NULL)
        xs_perms_ref(op->perms);
    return logged;
}

/*
 * Adds op to the log. A write over a write replaces the older one, unless something was removed in
 * between: rewriting one node for ever must not fill the log.
 */
static void log_op(struct xs_transaction *tx, struct xs_access *access, struct xs_logged_op *logged)
{
    struct xs_logged_op *older = access->write;
    if (logged->op.type == XS_OP_WRITE && older != NULL && older->removals == tx->removals) {
        struct xs_value *value = older->op.value;
        tx->bytes -= op_bytes(&older->op);
        older->op.value = logged->op.value;
        logged->op.value = value;
        free_op(logged);
        return;
    }
    logged->removals = tx->removals;
    *tx->last = logged;
    tx->last = &logged->next;
    if (logged->op.type == XS_OP_WRITE)
        access->write = logged;
    if (logged->op.type == XS_OP_RM)
        tx->removals++;
}

static void mark(struct xs_transaction *tx, const char *path, enum xs_match match)
{
    struct xs_access *access;
    access = find_access(tx, path, xs_hash_text(tx->store->watches.seed, path));
    if (!access->is_changed || match == XS_MATCH_SUBTREE)
        access->match = match;
    access->is_changed = true;
}

static int mark_removed(void *ctx, const char *path, struct xs_node *node)
{
    (void)node;
    mark(ctx, path, XS_MATCH_EXACT);
    return 0;
}

/* Notes which watches are to fire for a change that has been made. */
static void mark_change(struct xs_transaction *tx, const struct xs_change *change)
{
    if (change->removed != NULL)
        (void)xs_tree_walk(change->removed, change->path, mark_removed, tx);
    mark(tx, change->path, XS_MATCH_SUBTREE);
}

static int apply_and_log(struct xs_transaction *tx, const struct xs_op *op)
{
    size_t bytes = op_bytes(op);
    struct xs_changes changes = {0};
    int rc = charge(tx, bytes);
    if (rc < 0)
        return rc;
    struct xs_logged_op *logged = copy_op(op);
    if (logged == NULL)
        return -ENOMEM;
    rc = xs_store_apply(tx->store, &tx->view, *tx->actor, op, &changes);
    if (rc < 0) {
        tx->bytes -= bytes;
        free_op(logged);
    } else {
        struct xs_access *access =
            find_access(tx, op->path, xs_hash_text(tx->store->watches.seed, op->path));
        log_op(tx, access, logged);
        for (size_t i = 0; i < changes.count; i++)
            mark_change(tx, &changes.item[i]);
    }
    xs_changes_clear(&changes);
    return rc;
}

int xs_transaction_apply(struct xs_transaction *tx, const struct xs_op *op)
{
    int rc = touch_for(tx, op);
    if (rc == 0)
        rc = apply_and_log(tx, op);
    tx->has_failed |= rc == -ENOSPC || rc == -ENOMEM;
    return rc;
}

static bool has_conflict(const struct xs_transaction *tx)
{
    if (tx->store->tree.root == tx->base)
        return false;
    for (const struct xs_access *a = tx->first_access; a != NULL; a = a->next) {
        const struct xs_node *node = xs_tree_find(&tx->store->tree, a->path);
        if ((node == NULL ? 0 : node->generation) != a->generation)
            return true;
    }
    return false;
}

/* What a transaction has both made and removed was never there. */
static void announce(const struct xs_transaction *tx)
{
    struct xs_store *store = tx->store;
    for (const struct xs_access *a = tx->first_access; a != NULL; a = a->next) {
        if (!a->is_changed)
            continue;
        struct xs_node *node = xs_tree_find(&store->tree, a->path);
        struct xs_node *parent = node == NULL || strcmp(a->path, "/") == 0
                                     ? NULL
                                     : xs_tree_parent(&store->tree, a->path);
        struct xs_perms *lists[] = {a->perms, node == NULL ? NULL : node->perms,
                                    parent == NULL ? NULL : parent->perms};
        if (node != NULL || a->perms != NULL)
            xs_watch_index_fire(&store->watches, a->path, a->match, lists,
                                sizeof(lists) / sizeof(lists[0]));
    }
}

int xs_transaction_commit(struct xs_transaction *tx)
{
    struct xs_store *store = tx->store;
    struct xs_tree before;
    if (tx->has_failed)
        return -ENOMEM;
    if (has_conflict(tx))
        return -EAGAIN;
    if (tx->first == NULL)
        return 0;
    int rc = xs_tree_snapshot(&store->tree, &before);
    if (rc < 0)
        return rc;
    for (struct xs_logged_op *l = tx->first; rc == 0 && l != NULL; l = l->next)
        rc = xs_store_apply(store, &store->tree, *tx->actor, &l->op, NULL);
    if (rc < 0) {
        xs_tree_clear(&store->tree);
        store->tree = before;
        return rc == -ENOSPC || rc == -ENOMEM ? rc : -EAGAIN;
    }
    xs_tree_clear(&before);
    announce(tx);
    return 0;
}
