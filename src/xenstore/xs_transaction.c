/* SPDX-License-Identifier: MIT */
#include "xenstore/xs_transaction.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "xenstore/xs_path.h"

struct xs_access {
    struct xs_access *bucket_next;
    uint64_t generation;        /* in the snapshot; 0: missing */
    struct xs_logged_op *write; /* the last WRITE to this path; NULL: none */
    uint32_t hash;
    char path[];
};

struct xs_logged_op {
    struct xs_logged_op *next;
    uint32_t removals; /* RMs logged before it */
    struct xs_op op;   /* owns a reference to value and perms; its path follows */
    char path[];
};

int xs_transaction_open(struct xs_store *store, struct xs_actor actor, uint32_t id,
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
    for (size_t i = 0; i < XS_TRANSACTION_BUCKETS; i++) {
        while (tx->access[i] != NULL) {
            struct xs_access *access = tx->access[i];
            tx->access[i] = access->bucket_next;
            free(access);
        }
    }
    xs_node_unref(tx->base);
    xs_tree_clear(&tx->view);
    free(tx);
}

static int charge(struct xs_transaction *tx, size_t bytes)
{
    if (!tx->actor.privileged && tx->bytes + bytes > XS_TRANSACTION_BYTES)
        return -ENOSPC;
    tx->bytes += bytes;
    return 0;
}

static uint64_t generation_at(const struct xs_tree *tree, const char *path)
{
    struct xs_node *node = xs_tree_find(tree, path);
    return node == NULL ? 0 : node->generation;
}

/* The record of an access to path, made if there is none. */
static int touch(struct xs_transaction *tx, const char *path, struct xs_access **out)
{
    uint32_t hash = 2166136261u;
    for (const char *p = path; *p != '\0'; p++)
        hash = (hash ^ (uint8_t)*p) * 16777619u;
    struct xs_access **slot = &tx->access[(hash ^ (hash >> 15)) % XS_TRANSACTION_BUCKETS];
    for (struct xs_access *a = *slot; a != NULL; a = a->bucket_next) {
        if (a->hash == hash && strcmp(a->path, path) == 0) {
            *out = a;
            return 0;
        }
    }
    if (!tx->actor.privileged && tx->access_count >= tx->store->quota.transaction_nodes)
        return -ENOSPC;
    size_t size = strlen(path) + 1;
    int rc = charge(tx, size);
    if (rc < 0)
        return rc;
    struct xs_access *access = malloc(sizeof(*access) + size);
    if (access == NULL) {
        tx->bytes -= size;
        return -ENOMEM;
    }
    const struct xs_tree base = {.root = tx->base};
    access->generation = generation_at(&base, path);
    access->write = NULL;
    access->hash = hash;
    memcpy(access->path, path, size);
    access->bucket_next = *slot;
    *slot = access;
    tx->access_count++;
    *out = access;
    return 0;
}

int xs_transaction_touch(struct xs_transaction *tx, const char *path)
{
    struct xs_access *access;
    return touch(tx, path, &access);
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

int xs_transaction_apply(struct xs_transaction *tx, const struct xs_op *op)
{
    struct xs_access *access;
    int rc = touch(tx, op->path, &access);
    if (rc < 0)
        return rc;
    size_t bytes = op_bytes(op);
    rc = charge(tx, bytes);
    if (rc < 0)
        return rc;
    struct xs_logged_op *logged = copy_op(op);
    rc = logged == NULL ? -ENOMEM : xs_store_apply(tx->store, &tx->view, tx->actor, op, NULL);
    if (rc < 0) {
        tx->bytes -= bytes;
        if (logged != NULL)
            free_op(logged);
        return rc;
    }
    log_op(tx, access, logged);
    return 0;
}

static bool has_conflict(const struct xs_transaction *tx)
{
    if (tx->store->tree.root == tx->base)
        return false;
    for (size_t i = 0; i < XS_TRANSACTION_BUCKETS; i++) {
        for (struct xs_access *a = tx->access[i]; a != NULL; a = a->bucket_next) {
            if (generation_at(&tx->store->tree, a->path) != a->generation)
                return true;
        }
    }
    return false;
}

int xs_transaction_commit(struct xs_transaction *tx)
{
    struct xs_store *store = tx->store;
    struct xs_changes changes = {0};
    struct xs_tree before;
    if (has_conflict(tx))
        return -EAGAIN;
    if (tx->first == NULL)
        return 0;
    int rc = xs_tree_snapshot(&store->tree, &before);
    if (rc < 0)
        return rc;
    for (struct xs_logged_op *l = tx->first; rc == 0 && l != NULL; l = l->next)
        rc = xs_store_apply(store, &store->tree, tx->actor, &l->op, &changes);
    if (rc < 0) {
        xs_changes_clear(&changes);
        xs_tree_clear(&store->tree);
        store->tree = before;
        return rc == -ENOSPC || rc == -ENOMEM ? rc : -EAGAIN;
    }
    xs_tree_clear(&before);
    xs_changes_announce(&changes, &store->tree, &store->watches);
    return 0;
}
