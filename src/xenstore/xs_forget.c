/* SPDX-License-Identifier: MIT */
/*
 * What a dead domain leaves behind is found by walking the whole tree: first the topmost nodes that
 * it owns, which go with all below them, then the lists that name it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "xenstore/xs_path.h"
#include "xenstore/xs_store.h"

struct search {
    domid_t domid;
    struct xs_changes *found;
    int (*matches)(struct xs_node *node, domid_t domid);
};

/* Whether the domain owns the node: then what is below it need not be looked at. */
static int is_owned(struct xs_node *node, domid_t domid)
{
    return xs_perms_owner(node->perms) == domid;
}

static int is_named(struct xs_node *node, domid_t domid)
{
    for (uint32_t i = 1; i < node->perms->count; i++) {
        if (node->perms->entry[i].domid == domid)
            return 1;
    }
    return 0;
}

static int collect(void *ctx, const char *path, struct xs_node *node)
{
    struct search *s = ctx;
    if (!s->matches(node, s->domid) || (s->matches == is_owned && strcmp(path, "/") == 0))
        return 0;
    int rc = xs_changes_add(s->found, path);
    return rc < 0 ? rc : s->matches == is_owned;
}

static int remove_node(struct xs_store *store, const char *path)
{
    const struct xs_actor dom0 = {.domid = DOM0_DOMID, .privileged = true};
    int rc = xs_store_do(store, dom0, &(struct xs_op){XS_OP_RM, path, NULL, NULL});
    return rc == -ENOENT ? 0 : rc;
}

/* Takes the domain out of a node's list. "/" itself may be left without its owner: Dom0 gets it. */
static int drop_rights(struct xs_store *store, const char *path, domid_t domid)
{
    const struct xs_actor dom0 = {.domid = DOM0_DOMID, .privileged = true};
    struct xs_node *node = xs_tree_find(&store->tree, path);
    struct xs_perms *perms = xs_perms_without(node->perms, domid);
    if (perms == NULL)
        return -ENOMEM;
    int rc = xs_store_do(store, dom0, &(struct xs_op){XS_OP_SET_PERMS, path, NULL, perms});
    xs_perms_unref(perms);
    return rc;
}

static int restore_root(struct xs_store *store, domid_t domid)
{
    const struct xs_actor dom0 = {.domid = DOM0_DOMID, .privileged = true};
    if (xs_perms_owner(store->tree.root->perms) != domid)
        return 0;
    struct xs_perms *perms = xs_perms_new(1);
    if (perms == NULL)
        return -ENOMEM;
    perms->entry[0] = (struct xs_perm){.domid = DOM0_DOMID, .access = 0};
    int rc = xs_store_do(store, dom0, &(struct xs_op){XS_OP_SET_PERMS, "/", NULL, perms});
    xs_perms_unref(perms);
    return rc;
}

int xs_store_forget(struct xs_store *store, domid_t domid)
{
    char home[32];
    struct xs_changes owned = {0}, named = {0};
    struct search search = {.domid = domid, .found = &owned, .matches = is_owned};
    store->introduced[domid / 8] &= (uint8_t) ~(1u << (domid % 8));

    snprintf(home, sizeof(home), "/local/domain/%u", (unsigned)domid);
    int rc = remove_node(store, home);
    if (rc == 0)
        rc = restore_root(store, domid);
    if (rc == 0)
        rc = xs_tree_walk(store->tree.root, "/", collect, &search);
    for (size_t i = 0; rc == 0 && i < owned.count; i++)
        rc = remove_node(store, owned.item[i].path);

    search = (struct search){.domid = domid, .found = &named, .matches = is_named};
    if (rc == 0)
        rc = xs_tree_walk(store->tree.root, "/", collect, &search);
    for (size_t i = 0; rc == 0 && i < named.count; i++)
        rc = drop_rights(store, named.item[i].path, domid);
    xs_changes_clear(&owned);
    xs_changes_clear(&named);
    return rc;
}
