/* SPDX-License-Identifier: MIT */
#include "xenstore/tree/xs_strays.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/container_of.h"
#include "xenstore/xs_path.h"

enum { PATHS_MIN = 16 };

struct stray_list {
    struct xs_hash_link link;
    domid_t domid;
    size_t count, capacity;
    char **path;
};

void xs_strays_init(struct xs_strays *strays)
{
    xs_hash_init(&strays->by_domid);
}

static struct stray_list *find_list(const struct xs_strays *strays, domid_t domid)
{
    struct xs_hash_link *link = xs_hash_first(&strays->by_domid, domid);
    return link == NULL ? NULL : container_of(link, struct stray_list, link);
}

static void drop_list(struct xs_strays *strays, struct stray_list *list)
{
    while (list->count > 0)
        free(list->path[--list->count]);
    free(list->path);
    xs_hash_remove(&strays->by_domid, &list->link);
    free(list);
}

void xs_strays_clear(struct xs_strays *strays)
{
    for (uint32_t domid = 0; strays->by_domid.count > 0; domid++) {
        struct stray_list *list = find_list(strays, (domid_t)domid);
        if (list != NULL)
            drop_list(strays, list);
    }
    xs_hash_clear(&strays->by_domid);
}

bool xs_strays_is_one(const struct xs_tree *tree, domid_t domid, const char *path)
{
    char home[32];
    snprintf(home, sizeof(home), "/local/domain/%u", (unsigned)domid);
    const struct xs_node *node = xs_tree_find(tree, path);
    return domid != DOM0_DOMID && node != NULL && xs_perms_owner(node->perms) == domid &&
           !xs_path_is_within(path, home) && strcmp(path, "/") != 0 &&
           xs_perms_owner(xs_tree_parent(tree, path)->perms) != domid;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Drops the paths that are no strays any more, and duplicates. */
static void tidy(struct stray_list *list, const struct xs_tree *tree)
{
    size_t kept = 0;
    qsort(list->path, list->count, sizeof(list->path[0]), compare_paths);
    for (size_t i = 0; i < list->count; i++) {
        char *path = list->path[i];
        if (xs_strays_is_one(tree, list->domid, path) &&
            (kept == 0 || strcmp(list->path[kept - 1], path) != 0))
            list->path[kept++] = path;
        else
            free(path);
    }
    list->count = kept;
}

/* Makes room for one more path. A full list is tidied first, and grows only if it is still more
 * than half full: so the cost of tidying is spread over many paths. */
static bool make_room(struct stray_list *list, const struct xs_tree *tree)
{
    if (list->count < list->capacity)
        return true;
    if (list->count > 0)
        tidy(list, tree);
    if (list->capacity > 0 && list->count <= list->capacity / 2)
        return true;
    size_t capacity = list->capacity == 0 ? PATHS_MIN : 2 * list->capacity;
    char **path = realloc(list->path, capacity * sizeof(path[0]));
    if (path == NULL)
        return list->count < list->capacity;
    list->path = path;
    list->capacity = capacity;
    return true;
}

void xs_strays_note(struct xs_strays *strays, const struct xs_tree *tree, domid_t domid,
                    const char *path)
{
    struct stray_list *list = find_list(strays, domid);
    if (list == NULL) {
        list = calloc(1, sizeof(*list));
        if (list == NULL)
            return;
        list->domid = domid;
        xs_hash_add(&strays->by_domid, &list->link, domid);
    }
    char *copy = make_room(list, tree) ? strdup(path) : NULL;
    if (copy != NULL)
        list->path[list->count++] = copy;
}

char *xs_strays_take(struct xs_strays *strays, domid_t domid)
{
    struct stray_list *list = find_list(strays, domid);
    if (list == NULL)
        return NULL;
    if (list->count == 0) {
        drop_list(strays, list);
        return NULL;
    }
    return list->path[--list->count];
}

size_t xs_strays_count(const struct xs_strays *strays, domid_t domid)
{
    const struct stray_list *list = find_list(strays, domid);
    return list == NULL ? 0 : list->count;
}
