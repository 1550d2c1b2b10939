/* SPDX-License-Identifier: MIT */
/*
 * xs_quota: what one domain may use of the store, and the count of what it uses.
 *
 * Limits hold for unprivileged connections only, except path_bytes. Nodes are counted for every
 * owner. Defaults and meanings are those of C xenstored: a new watch or transaction is
 * refused when more than the limit exist already. A request beyond a limit is refused with ENOSPC.
 * Exceptions: watches with E2BIG, a path that is too long with EINVAL; a connection with too many
 * outstanding requests is not read any further. A limit of 0 means no limit.
 */
#ifndef SPLITDOM_XENSTORE_TREE_XS_QUOTA_H
#define SPLITDOM_XENSTORE_TREE_XS_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "splitdom/xen/grant_table.h"

struct xs_quota {
    uint32_t nodes;             /* that a domain owns */
    uint32_t watches;           /* per connection */
    uint32_t outstanding;       /* requests that wait, per connection */
    uint32_t transactions;      /* open ones, per connection */
    uint32_t transaction_nodes; /* different paths that one transaction touches */
    uint32_t perms;             /* entries of a node's list */
    uint32_t node_bytes;        /* of a node: xs_quota_node_bytes is less */
    uint32_t path_bytes;        /* after a leading /local/domain/<domid>/ */
};

extern const struct xs_quota xs_quota_default;

/* The limits by number, name and meaning, as requests and xenstore-control name them. */
enum { XS_LIMITS = 8 };
const char *xs_limit_name(int limit);
const char *xs_limit_meaning(int limit);
int xs_limit_find(const char *name); /* -ENOENT: there is no such limit */
/* Where it is in quota. */
uint32_t *xs_limit(struct xs_quota *quota, int limit);

/* The size of a node as C xenstored stores it: header, list of permissions, value, and the names of
 * the children with a NUL each. */
static inline uint64_t xs_quota_node_bytes(uint32_t perm_count, uint64_t value_bytes,
                                           uint64_t name_bytes)
{
    return 24 + 8 * (uint64_t)perm_count + value_bytes + name_bytes;
}

/* Whether the number after the change is beyond the limit. */
static inline bool xs_quota_exceeded(uint32_t limit, uint64_t count)
{
    return limit != 0 && count > limit;
}

/* The limits of all domains, and those of domains that have some of their own. Zero-initialise
 * it and set all. */
struct xs_quotas {
    struct xs_quota all;
    struct xs_own_quota *own; /* few */
};

/* The limits that hold for a domain. */
const struct xs_quota *xs_quotas_of(const struct xs_quotas *quotas, domid_t domid);
/* The same as limits of its own, which may be changed; NULL without memory. */
struct xs_quota *xs_quotas_own(struct xs_quotas *quotas, domid_t domid);
void xs_quotas_drop(struct xs_quotas *quotas, domid_t domid); /* its own, if there are any */
void xs_quotas_clear(struct xs_quotas *quotas);

/* Nodes per owner: a sorted list, because few domains exist at a time. Zero-initialise it. */
struct xs_usage {
    struct xs_usage_entry {
        domid_t domid;
        uint32_t nodes; /* never 0 */
    } * entry;
    size_t count, capacity;
};

uint32_t xs_usage_of(const struct xs_usage *usage, domid_t domid);

/* Returns 0 or -ENOMEM. */
int xs_usage_add(struct xs_usage *usage, domid_t domid, uint32_t nodes);

/* Takes off what has been added; never fails. */
void xs_usage_sub(struct xs_usage *usage, domid_t domid, uint32_t nodes);

/* Returns 0 or -ENOMEM; to is uninitialised before. */
int xs_usage_copy(const struct xs_usage *from, struct xs_usage *to);
void xs_usage_clear(struct xs_usage *usage);

#endif
