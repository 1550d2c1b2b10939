/* SPDX-License-Identifier: MIT */
#include "xenstore/tree/xs_quota.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct xs_quota xs_quota_default = {
    .nodes = 1000,
    .watches = 128,
    .outstanding = 20,
    .transactions = 10,
    .transaction_nodes = 1024,
    .perms = 5,
    .node_bytes = 2048,
    .path_bytes = 2048,
};

static const struct {
    const char *name, *meaning;
    size_t offset;
} xs_limits[XS_LIMITS] = {
    {"nodes", "Nodes per domain", offsetof(struct xs_quota, nodes)},
    {"watches", "Watches per domain", offsetof(struct xs_quota, watches)},
    {"transactions", "Transactions per domain", offsetof(struct xs_quota, transactions)},
    {"outstanding", "Outstanding requests per domain", offsetof(struct xs_quota, outstanding)},
    {"transaction-nodes", "Max. number of accessed nodes per transaction",
     offsetof(struct xs_quota, transaction_nodes)},
    {"node-size", "Max. size of a node", offsetof(struct xs_quota, node_bytes)},
    {"path-max", "Max. length of a node path", offsetof(struct xs_quota, path_bytes)},
    {"permissions", "Max. number of permissions per node", offsetof(struct xs_quota, perms)},
};

const char *xs_limit_name(int limit)
{
    return xs_limits[limit].name;
}

const char *xs_limit_meaning(int limit)
{
    return xs_limits[limit].meaning;
}

int xs_limit_find(const char *name)
{
    for (int i = 0; i < XS_LIMITS; i++) {
        if (strcmp(xs_limits[i].name, name) == 0)
            return i;
    }
    return -ENOENT;
}

uint32_t *xs_limit(struct xs_quota *quota, int limit)
{
    return (uint32_t *)((char *)quota + xs_limits[limit].offset);
}

struct xs_own_quota {
    struct xs_own_quota *next;
    domid_t domid;
    struct xs_quota quota;
};

static struct xs_own_quota **find_own(struct xs_own_quota **slot, domid_t domid)
{
    while (*slot != NULL && (*slot)->domid != domid)
        slot = &(*slot)->next;
    return slot;
}

const struct xs_quota *xs_quotas_of(const struct xs_quotas *quotas, domid_t domid)
{
    const struct xs_own_quota *own = quotas->own;
    while (own != NULL && own->domid != domid)
        own = own->next;
    return own != NULL ? &own->quota : &quotas->all;
}

struct xs_quota *xs_quotas_own(struct xs_quotas *quotas, domid_t domid)
{
    struct xs_own_quota **slot = find_own(&quotas->own, domid);
    if (*slot == NULL) {
        *slot = calloc(1, sizeof(**slot));
        if (*slot == NULL)
            return NULL;
        (*slot)->domid = domid;
        (*slot)->quota = quotas->all;
    }
    return &(*slot)->quota;
}

void xs_quotas_drop(struct xs_quotas *quotas, domid_t domid)
{
    struct xs_own_quota **slot = find_own(&quotas->own, domid);
    struct xs_own_quota *own = *slot;
    if (own == NULL)
        return;
    *slot = own->next;
    free(own);
}

void xs_quotas_clear(struct xs_quotas *quotas)
{
    while (quotas->own != NULL)
        xs_quotas_drop(quotas, quotas->own->domid);
}

/* The position of domid's entry, or where it belongs. */
static size_t position(const struct xs_usage *usage, domid_t domid)
{
    size_t low = 0, high = usage->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (usage->entry[mid].domid < domid)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static bool is_at(const struct xs_usage *usage, size_t i, domid_t domid)
{
    return i < usage->count && usage->entry[i].domid == domid;
}

uint32_t xs_usage_of(const struct xs_usage *usage, domid_t domid)
{
    size_t i = position(usage, domid);
    return is_at(usage, i, domid) ? usage->entry[i].nodes : 0;
}

int xs_usage_add(struct xs_usage *usage, domid_t domid, uint32_t nodes)
{
    size_t i = position(usage, domid);
    if (is_at(usage, i, domid)) {
        usage->entry[i].nodes += nodes;
        return 0;
    }
    if (usage->count == usage->capacity) {
        size_t capacity = usage->capacity == 0 ? 8 : 2 * usage->capacity;
        void *grown = realloc(usage->entry, capacity * sizeof(usage->entry[0]));
        if (grown == NULL)
            return -ENOMEM;
        usage->entry = grown;
        usage->capacity = capacity;
    }
    memmove(&usage->entry[i + 1], &usage->entry[i], (usage->count - i) * sizeof(usage->entry[0]));
    usage->entry[i] = (struct xs_usage_entry){.domid = domid, .nodes = nodes};
    usage->count++;
    return 0;
}

void xs_usage_sub(struct xs_usage *usage, domid_t domid, uint32_t nodes)
{
    size_t i = position(usage, domid);
    assert(is_at(usage, i, domid) && usage->entry[i].nodes >= nodes);
    usage->entry[i].nodes -= nodes;
    if (usage->entry[i].nodes > 0)
        return;
    usage->count--;
    memmove(&usage->entry[i], &usage->entry[i + 1], (usage->count - i) * sizeof(usage->entry[0]));
}

int xs_usage_copy(const struct xs_usage *from, struct xs_usage *to)
{
    *to = (struct xs_usage){0};
    if (from->count == 0)
        return 0;
    to->entry = malloc(from->count * sizeof(from->entry[0]));
    if (to->entry == NULL)
        return -ENOMEM;
    memcpy(to->entry, from->entry, from->count * sizeof(from->entry[0]));
    to->count = to->capacity = from->count;
    return 0;
}

void xs_usage_clear(struct xs_usage *usage)
{
    free(usage->entry);
    *usage = (struct xs_usage){0};
}
