/* SPDX-License-Identifier: MIT */
/*
 * xs_special: the names of events that are no changes of nodes: "@introduceDomain" when a domain
 * comes, "@releaseDomain" when one goes.
 *
 * Any name that begins with '@' may be watched, but events come for these two only. Each has
 * permissions: a domain hears of the event if it may read the name. A watch without a depth gets
 * the name alone. A watch of depth 1, or on "@releaseDomain/5", gets the name with the domain's
 * number.
 */
#ifndef SPLITDOM_XENSTORE_TREE_XS_SPECIAL_H
#define SPLITDOM_XENSTORE_TREE_XS_SPECIAL_H

#include <stdbool.h>

#include "xenstore/tree/xs_watch.h"
#include "xenstore/xs_perms.h"

enum xs_special {
    XS_SPECIAL_INTRODUCE,
    XS_SPECIAL_RELEASE,
    XS_SPECIALS,
};

/* Zero-initialise it. */
struct xs_specials {
    struct xs_perms *perms[XS_SPECIALS];
};

/* Dom0 owns both; any domain may read "@releaseDomain". Returns 0 or -ENOMEM. */
int xs_specials_init(struct xs_specials *specials);
void xs_specials_clear(struct xs_specials *specials);

static inline bool xs_special_is_name(const char *path)
{
    return path[0] == '@';
}

/* The permissions of a name, which may be replaced; NULL: it never fires. */
struct xs_perms **xs_specials_find(struct xs_specials *specials, const char *name);

/* Fires the watches for what happened to domid. */
void xs_specials_fire(const struct xs_specials *specials, enum xs_special special, domid_t domid,
                      struct xs_watch_index *watches);

#endif
