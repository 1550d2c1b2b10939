/* SPDX-License-Identifier: MIT */
#include "xenstore/tree/xs_node.h"

#include <stdlib.h>
#include <string.h>

struct xs_value *xs_value_new(const void *bytes, size_t len)
{
    struct xs_value *value = malloc(sizeof(*value) + len);
    if (value == NULL)
        return NULL;
    value->refs = 1;
    value->len = (uint32_t)len;
    if (len > 0)
        memcpy(value->bytes, bytes, len);
    return value;
}

struct xs_value *xs_value_ref(struct xs_value *value)
{
    if (value != NULL)
        value->refs++;
    return value;
}

void xs_value_unref(struct xs_value *value)
{
    if (value != NULL && --value->refs == 0)
        free(value);
}

struct xs_node *xs_node_new(const char *name, size_t name_len, struct xs_perms *perms,
                            uint64_t generation)
{
    struct xs_node *node = calloc(1, sizeof(*node) + name_len + 1);
    if (node == NULL)
        return NULL;
    node->refs = 1;
    node->siblings = 1;
    node->generation = node->created = generation;
    node->perms = xs_perms_ref(perms);
    node->name_len = (uint32_t)name_len;
    memcpy(node->name, name, name_len);
    return node;
}

struct xs_node *xs_node_ref(struct xs_node *node)
{
    if (node != NULL)
        node->refs++;
    return node;
}

/* Puts a node on the list of those to be freed if this was its last reference. */
static void drop_onto(struct xs_node **dead, struct xs_node *node)
{
    if (node == NULL || --node->refs > 0)
        return;
    node->free_next = *dead;
    *dead = node;
}

void xs_node_unref(struct xs_node *node)
{
    struct xs_node *dead = NULL;
    drop_onto(&dead, node);
    while (dead != NULL) {
        struct xs_node *last = dead;
        dead = last->free_next;
        drop_onto(&dead, last->left);
        drop_onto(&dead, last->right);
        drop_onto(&dead, last->children);
        xs_perms_unref(last->perms);
        xs_value_unref(last->value);
        xs_names_unref(last->names);
        free(last);
    }
}

struct xs_node *xs_node_own(struct xs_node **slot)
{
    struct xs_node *shared = *slot;
    if (shared->refs == 1)
        return shared;
    struct xs_node *copy = malloc(sizeof(*copy) + shared->name_len + 1);
    if (copy == NULL)
        return NULL;
    memcpy(copy, shared, sizeof(*copy) + shared->name_len + 1);
    copy->refs = 1;
    xs_perms_ref(copy->perms);
    xs_value_ref(copy->value);
    xs_node_ref(copy->children);
    xs_names_ref(copy->names);
    xs_node_ref(copy->left);
    xs_node_ref(copy->right);
    shared->refs--;
    *slot = copy;
    return copy;
}
