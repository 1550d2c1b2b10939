/* SPDX-License-Identifier: MIT */
#include "xenstore/tree/xs_special.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { NAME_SIZE = 24 }; /* "@introduceDomain/65535" */

static const char *const xs_special_name[XS_SPECIALS] = {
    [XS_SPECIAL_INTRODUCE] = "@introduceDomain",
    [XS_SPECIAL_RELEASE] = "@releaseDomain",
};

int xs_specials_init(struct xs_specials *specials)
{
    struct xs_perms *introduce = xs_perms_new(1), *release = xs_perms_new(2);
    *specials = (struct xs_specials){{introduce, release}};
    if (introduce == NULL || release == NULL)
        return -ENOMEM;
    introduce->entry[0] = release->entry[0] = (struct xs_perm){.domid = DOM0_DOMID};
    release->entry[1] = (struct xs_perm){.domid = DOMID_ANY, .access = XS_PERM_READ};
    return 0;
}

void xs_specials_clear(struct xs_specials *specials)
{
    for (int i = 0; i < XS_SPECIALS; i++)
        xs_perms_unref(specials->perms[i]);
    *specials = (struct xs_specials){0};
}

struct xs_perms **xs_specials_find(struct xs_specials *specials, const char *name)
{
    for (int i = 0; i < XS_SPECIALS; i++) {
        if (strcmp(xs_special_name[i], name) == 0)
            return &specials->perms[i];
    }
    return NULL;
}

void xs_specials_fire(const struct xs_specials *specials, enum xs_special special, domid_t domid,
                      struct xs_watch_index *watches)
{
    char name[NAME_SIZE];
    struct xs_perms *const *perms = &specials->perms[special];
    xs_watch_index_fire(watches, xs_special_name[special], XS_MATCH_NO_DEPTH, perms, 1);
    snprintf(name, sizeof(name), "%s/%u", xs_special_name[special], (unsigned)domid);
    xs_watch_index_fire(watches, name, XS_MATCH_GIVEN_DEPTH, perms, 1);
}
