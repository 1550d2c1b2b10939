/* SPDX-License-Identifier: MIT */
#include "xenstore/xs_perms.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"

struct xs_perms *xs_perms_new(uint32_t count)
{
    struct xs_perms *perms = malloc(sizeof(*perms) + count * sizeof(perms->entry[0]));
    if (perms == NULL)
        return NULL;
    perms->refs = 1;
    perms->count = count;
    return perms;
}

struct xs_perms *xs_perms_ref(struct xs_perms *perms)
{
    perms->refs++;
    return perms;
}

void xs_perms_unref(struct xs_perms *perms)
{
    if (perms != NULL && --perms->refs == 0)
        free(perms);
}

int xs_perm_parse(const char *text, struct xs_perm *out)
{
    switch (text[0]) {
    case 'n':
        out->access = 0;
        break;
    case 'r':
        out->access = XS_PERM_READ;
        break;
    case 'w':
        out->access = XS_PERM_WRITE;
        break;
    case 'b':
        out->access = XS_PERM_READ | XS_PERM_WRITE;
        break;
    default:
        return -EINVAL;
    }
    uint64_t domid;
    if (decimal_parse(text + 1, 0, UINT16_MAX, &domid) < 0)
        return -EINVAL;
    out->domid = (domid_t)domid;
    return 0;
}

size_t xs_perm_format(struct xs_perm perm, char out[8])
{
    static const char letter[] = {'n', 'r', 'w', 'b'};
    return (size_t)snprintf(out, 8, "%c%u", letter[perm.access & 3], (unsigned)perm.domid);
}

unsigned xs_perms_access(const struct xs_perms *perms, struct xs_actor actor)
{
    if (actor.privileged || xs_perms_owner(perms) == actor.domid)
        return XS_PERM_READ | XS_PERM_WRITE | XS_PERM_OWNER;
    for (uint32_t i = 1; i < perms->count; i++) {
        if (perms->entry[i].domid == actor.domid)
            return perms->entry[i].access;
    }
    return perms->entry[0].access;
}

struct xs_perms *xs_perms_inherit(struct xs_perms *parent, struct xs_actor actor)
{
    if (actor.privileged || xs_perms_owner(parent) == actor.domid)
        return xs_perms_ref(parent);
    struct xs_perms *perms = xs_perms_new(parent->count);
    if (perms == NULL)
        return NULL;
    memcpy(perms->entry, parent->entry, parent->count * sizeof(parent->entry[0]));
    perms->entry[0].domid = actor.domid;
    return perms;
}

struct xs_perms *xs_perms_without(struct xs_perms *perms, domid_t domid)
{
    uint32_t kept = 1;
    for (uint32_t i = 1; i < perms->count; i++)
        kept += perms->entry[i].domid != domid;
    if (kept == perms->count)
        return xs_perms_ref(perms);
    struct xs_perms *reduced = xs_perms_new(kept);
    if (reduced == NULL)
        return NULL;
    kept = 0;
    for (uint32_t i = 0; i < perms->count; i++) {
        if (i == 0 || perms->entry[i].domid != domid)
            reduced->entry[kept++] = perms->entry[i];
    }
    return reduced;
}
