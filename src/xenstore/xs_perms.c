/* SPDX-License-Identifier: MIT */
#include "xenstore/xs_perms.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    char *end;
    long domid = strtol(text + 1, &end, 0);
    if (text[1] == '\0' || *end != '\0' || domid < INT32_MIN || domid > INT32_MAX)
        return -EINVAL;
    out->domid = (int32_t)domid;
    out->life = XS_LIFE_NONE;
    return 0;
}

size_t xs_perm_format(struct xs_perm perm, char out[XS_PERM_TEXT_SIZE])
{
    static const char letter[] = {'n', 'r', 'w', 'b'};
    return (size_t)snprintf(out, XS_PERM_TEXT_SIZE, "%c%d", letter[perm.access & 3],
                            (int)perm.domid);
}

static bool is_actor(const struct xs_perm *entry, struct xs_actor actor)
{
    return entry->life != XS_LIFE_NONE && entry->life == actor.life && entry->domid == actor.domid;
}

static bool is_meant(const struct xs_perm *entry, struct xs_actor actor)
{
    bool target = entry->life != XS_LIFE_NONE && entry->life == actor.target_life &&
                  entry->domid == actor.target;
    return target || is_actor(entry, actor);
}

unsigned xs_perms_access(const struct xs_perms *perms, struct xs_actor actor)
{
    if (actor.privileged || is_meant(&perms->entry[0], actor))
        return XS_PERM_READ | XS_PERM_WRITE | XS_PERM_OWNER;
    for (uint32_t i = 1; i < perms->count; i++) {
        if (perms->entry[i].domid == DOMID_ANY || is_meant(&perms->entry[i], actor))
            return perms->entry[i].access;
    }
    return perms->entry[0].access;
}

struct xs_perms *xs_perms_inherit(struct xs_perms *parent, struct xs_actor actor)
{
    if (actor.privileged || is_actor(&parent->entry[0], actor))
        return xs_perms_ref(parent);
    struct xs_perms *perms = xs_perms_new(parent->count);
    if (perms == NULL)
        return NULL;
    memcpy(perms->entry, parent->entry, parent->count * sizeof(parent->entry[0]));
    perms->entry[0].domid = actor.domid;
    perms->entry[0].life = actor.life;
    return perms;
}
