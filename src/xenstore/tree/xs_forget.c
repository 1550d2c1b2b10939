/* SPDX-License-Identifier: MIT */
/*
 * Removes what a dead domain leaves: its home, and the nodes that it owns elsewhere (xs_strays.h).
 * Its entries in permission lists become invalid with the end of its life (xs_perms.h).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xenstore/tree/xs_store.h"
#include "xenstore/xs_path.h"

static const struct xs_actor xs_dom0 = {.domid = DOM0_DOMID, .privileged = true};

static int remove_node(struct xs_store *store, const char *path)
{
    int rc = xs_store_do(store, xs_dom0, &(struct xs_op){XS_OP_RM, path, NULL, NULL});
    return rc == -ENOENT ? 0 : rc;
}

/* "/" stays: Dom0 gets it. */
static int restore_root(struct xs_store *store, domid_t domid)
{
    if (xs_perms_owner(store->tree.root->perms) != domid)
        return 0;
    struct xs_perms *perms = xs_perms_new(1);
    if (perms == NULL)
        return -ENOMEM;
    perms->entry[0] = (struct xs_perm){
        .domid = DOM0_DOMID, .life = xs_store_life(store, DOM0_DOMID), .access = 0};
    int rc = xs_store_do(store, xs_dom0, &(struct xs_op){XS_OP_SET_PERMS, "/", NULL, perms});
    xs_perms_unref(perms);
    return rc;
}

static int remove_strays(struct xs_store *store, domid_t domid)
{
    char *path;
    int rc = 0;
    while (rc == 0 && (path = xs_strays_take(&store->strays, domid)) != NULL) {
        if (xs_strays_is_one(&store->tree, domid, path))
            rc = remove_node(store, path);
        if (rc < 0)
            xs_strays_note(&store->strays, &store->tree, domid, path);
        free(path);
    }
    return rc;
}

struct search {
    struct xs_store *store;
    domid_t domid;
};

static int note(void *ctx, const char *path, struct xs_node *node)
{
    struct search *s = ctx;
    (void)node;
    if (xs_strays_is_one(&s->store->tree, s->domid, path))
        xs_strays_note(&s->store->strays, &s->store->tree, s->domid, path);
    return 0;
}

struct own_nodes {
    struct xs_changes found; /* as a list of paths */
    domid_t domid;
};

/* The topmost nodes that the domain owns. */
static int collect_own(void *ctx, const char *path, struct xs_node *node)
{
    struct own_nodes *own = ctx;
    if (xs_perms_owner(node->perms) != own->domid)
        return 0;
    int rc = xs_changes_add(&own->found, path);
    return rc < 0 ? rc : 1;
}

/* What the domain owns in its home; the rest is Dom0's and stays. */
static int empty_home(struct xs_store *store, const char *home, domid_t domid)
{
    struct own_nodes own = {.domid = domid};
    struct xs_node *node = xs_tree_find(&store->tree, home);
    int rc = node == NULL ? 0 : xs_tree_walk(node, home, collect_own, &own);
    for (size_t i = 0; rc == 0 && i < own.found.count; i++)
        rc = remove_node(store, own.found.item[i].path);
    xs_changes_clear(&own.found);
    return rc;
}

int xs_store_forget(struct xs_store *store, domid_t domid, bool keep_home)
{
    char home[32];
    store->life[domid] += store->life[domid] & 1;
    xs_quotas_drop(&store->quotas, domid);
    snprintf(home, sizeof(home), "/local/domain/%u", (unsigned)domid);
    int rc = keep_home ? empty_home(store, home, domid) : remove_node(store, home);
    if (rc == 0)
        rc = restore_root(store, domid);
    if (rc == 0)
        rc = remove_strays(store, domid);
    /* The list had no memory for one of them, or a commit was undone: it must be looked for. */
    while (rc == 0 && xs_usage_of(&store->tree.usage, domid) > 0) {
        struct search search = {store, domid};
        rc = xs_tree_walk(store->tree.root, "/", note, &search);
        if (rc == 0 && xs_strays_count(&store->strays, domid) == 0)
            rc = -ENOMEM;
        if (rc == 0)
            rc = remove_strays(store, domid);
    }
    return rc;
}
