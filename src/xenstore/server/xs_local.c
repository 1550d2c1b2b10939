/* SPDX-License-Identifier: MIT */
#include "xenstore/server/xs_local.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/container_of.h"
#include "base/decimal.h"
#include "xenstore/server/xs_server_private.h"
#include "xenstore/xs_path.h"

static const struct xs_actor xs_dom0 = {.domid = DOM0_DOMID, .privileged = true};

static int absolute(const char *path, char out[XS_PATH_SIZE])
{
    size_t skip;
    return xs_path_absolute(DOM0_DOMID, path, XENSTORE_ABS_PATH_MAX, out, &skip);
}

static int get(const struct xs_server *server, const char *path, struct xs_node **node)
{
    char full[XS_PATH_SIZE];
    int rc = absolute(path, full);
    return rc < 0 ? rc : xs_store_get(&server->store.tree, xs_dom0, full, XS_PERM_READ, node);
}

int xs_local_read(struct xs_server *server, const char *path, char *buf, size_t size)
{
    struct xs_node *node;
    int rc = get(server, path, &node);
    if (rc < 0)
        return rc;
    size_t len = node->value == NULL ? 0 : node->value->len;
    if (len >= size)
        return -E2BIG;
    if (len > 0) {
        if (memchr(node->value->bytes, '\0', len) != NULL)
            return -EINVAL;
        memcpy(buf, node->value->bytes, len);
    }
    buf[len] = '\0';
    return (int)len;
}

int xs_local_read_u64(struct xs_server *server, const char *path, uint64_t max, uint64_t *out)
{
    struct xs_node *node;
    int rc = get(server, path, &node);
    if (rc < 0)
        return rc;
    if (node->value == NULL)
        return -EINVAL;
    return decimal_scan_bytes(node->value->bytes, node->value->len, 0, max, out);
}

static int change(struct xs_server *server, enum xs_op_type type, const char *path,
                  struct xs_value *value, struct xs_perms *perms)
{
    char full[XS_PATH_SIZE];
    int rc = absolute(path, full);
    if (rc < 0)
        return rc;
    return xs_store_do(&server->store, xs_dom0, &(struct xs_op){type, full, value, perms});
}

int xs_local_write(struct xs_server *server, const char *path, const char *value)
{
    struct xs_value *bytes = xs_value_new(value, strlen(value));
    if (bytes == NULL)
        return -ENOMEM;
    int rc = change(server, XS_OP_WRITE, path, bytes, NULL);
    xs_value_unref(bytes);
    return rc;
}

int xs_local_rm(struct xs_server *server, const char *path)
{
    return change(server, XS_OP_RM, path, NULL, NULL);
}

int xs_local_path_cleanup(struct xs_server *server, const char *path)
{
    char full[XS_PATH_SIZE];
    struct xs_node *parent;
    int rc = absolute(path, full);
    if (rc == 0)
        rc = xs_local_rm(server, full);
    while (rc == 0) {
        *strrchr(full, '/') = '\0';
        if (full[0] == '\0' || get(server, full, &parent) < 0 || parent->children != NULL)
            break;
        rc = xs_local_rm(server, full);
    }
    return rc;
}

int xs_local_set_perms(struct xs_server *server, const char *path, const char *const *perms,
                       size_t count)
{
    if (count == 0 || count > XENSTORE_PAYLOAD_MAX)
        return -EINVAL;
    struct xs_perms *list = xs_perms_new((uint32_t)count);
    if (list == NULL)
        return -ENOMEM;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = xs_perm_parse(perms[i], &list->entry[i]);
    if (rc == 0)
        rc = xs_store_resolve(&server->store, list);
    if (rc == 0)
        rc = change(server, XS_OP_SET_PERMS, path, NULL, list);
    xs_perms_unref(list);
    return rc;
}

struct xs_local_watch {
    struct xs_watch watch;
    struct xs_server *server;
    xs_local_watch_fn *fn;
    void *ctx;
    struct list_node link; /* of the server */
    struct list_node due;  /* likewise, while there is something to report */
    char *due_path;        /* what to report; NULL: the watched path */
    char path[];
};

static void fire(struct xs_watch *watch, const char *path, enum xs_match match)
{
    struct xs_local_watch *lw = container_of(watch, struct xs_local_watch, watch);
    (void)match;
    if (list_is_linked(&lw->due)) {
        if (lw->due_path != NULL && strcmp(lw->due_path, path) != 0) {
            free(lw->due_path);
            lw->due_path = NULL;
        }
        return;
    }
    lw->due_path = strcmp(path, lw->path) == 0 ? NULL : strdup(path);
    list_push_back(&lw->server->due, &lw->due);
}

void xs_local_deliver(struct xs_server *server)
{
    struct xs_local_watch *lw =
        container_of(list_pop_front(&server->due), struct xs_local_watch, due);
    char path[XS_PATH_SIZE];
    strcpy(path, lw->due_path != NULL ? lw->due_path : lw->path);
    free(lw->due_path);
    lw->due_path = NULL;
    lw->fn(lw->ctx, path); /* may free lw */
}

int xs_local_watch(struct xs_server *server, const char *path, xs_local_watch_fn *fn, void *ctx,
                   struct xs_local_watch **out)
{
    char full[XS_PATH_SIZE];
    if (xs_specials_find(&server->store.specials, path) != NULL) {
        strcpy(full, path);
    } else {
        int rc = absolute(path, full);
        if (rc < 0)
            return rc;
    }
    size_t size = strlen(full) + 1;
    struct xs_local_watch *lw = calloc(1, sizeof(*lw) + size);
    if (lw == NULL)
        return -ENOMEM;
    memcpy(lw->path, full, size);
    lw->server = server;
    lw->fn = fn;
    lw->ctx = ctx;
    lw->watch =
        (struct xs_watch){.actor = &xs_dom0, .path = lw->path, .any_depth = true, .fire = fire};
    list_push_front(&server->locals, &lw->link);
    xs_watch_index_add(&server->store.watches, &lw->watch);
    fire(&lw->watch, lw->path, XS_MATCH_SUBTREE);
    *out = lw;
    return 0;
}

void xs_local_unwatch(struct xs_local_watch *watch)
{
    if (watch == NULL)
        return;
    list_drop(&watch->due);
    free(watch->due_path);
    xs_watch_index_remove(&watch->server->store.watches, &watch->watch);
    list_remove(&watch->link);
    free(watch);
}

void xs_local_unwatch_all(struct xs_server *server)
{
    struct list_node *node;
    while ((node = list_first(&server->locals)) != NULL)
        xs_local_unwatch(container_of(node, struct xs_local_watch, link));
}
