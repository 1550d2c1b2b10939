/* SPDX-License-Identifier: MIT */
/*
 * xs_quota: what one domain may use of the store, and the count of what it uses.
 *
 * Limits bind unprivileged connections only; nodes are counted for every owner. Defaults are those
 * of C xenstored. What exceeds a limit is refused with ENOSPC, except that a path which is too long
 * is EINVAL and that a connection with too many outstanding requests is not read from any more.
 */
#ifndef SPLITDOM_XENSTORE_XS_QUOTA_H
#define SPLITDOM_XENSTORE_XS_QUOTA_H

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
    uint32_t node_bytes;        /* of a value */
    uint32_t path_bytes;        /* after a leading /local/domain/<domid>/ */
};

extern const struct xs_quota xs_quota_default;

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
