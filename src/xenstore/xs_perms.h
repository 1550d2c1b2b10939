/* SPDX-License-Identifier: MIT */
/*
 * xs_perms: who may do what with a node.
 *
 * A list of (letter, domid): n none, r read, w write, b both. The first entry names the owner, who
 * may always do everything. The first entry's letter holds for every domain without an entry of its
 * own. Nodes share lists, because children inherit their parent's list; so lists are immutable and
 * counted.
 */
#ifndef SPLITDOM_XENSTORE_XS_PERMS_H
#define SPLITDOM_XENSTORE_XS_PERMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "splitdom/xen/grant_table.h"

enum {
    XS_PERM_TEXT_SIZE = 16, /* bytes of one entry as text, with its NUL */
    XS_LIFE_NONE = 0,
};

enum {
    XS_PERM_READ = 1,
    XS_PERM_WRITE = 2,
    XS_PERM_OWNER = 4, /* asked for, never granted by a letter: owner or privileged */
};

/*
 * Numbers of domains are reused. An entry is valid only for the domain that had the number when the
 * entry was made; life identifies this domain. An entry for a number that no domain had is kept but
 * gives rights to nobody (XS_LIFE_NONE).
 */
struct xs_perm {
    int32_t domid;
    uint32_t life;
    uint8_t access; /* XS_PERM_READ | XS_PERM_WRITE */
};

struct xs_perms {
    uint32_t refs;
    uint32_t count; /* at least 1 */
    struct xs_perm entry[];
};

/* The sender of a request: a domain, or a program of Dom0. */
struct xs_actor {
    domid_t domid;
    bool privileged;
    uint32_t life;
    domid_t target; /* another domain: the actor may also do what this domain may do */
    uint32_t target_life;
};

/* A new list with one reference, entries uninitialised; NULL without memory. */
struct xs_perms *xs_perms_new(uint32_t count);
struct xs_perms *xs_perms_ref(struct xs_perms *perms);
void xs_perms_unref(struct xs_perms *perms); /* NULL is allowed */

/* Parses one entry such as "r12". The number is read as strtol reads it, so "r0x10" and "r-1" are
 * valid, too. life is XS_LIFE_NONE. Returns 0 or -EINVAL. */
int xs_perm_parse(const char *text, struct xs_perm *out);

/* Writes one entry with its NUL into out; returns the length without NUL. */
size_t xs_perm_format(struct xs_perm perm, char out[XS_PERM_TEXT_SIZE]);

/* Everything that the actor may do: bits XS_PERM_*. */
unsigned xs_perms_access(const struct xs_perms *perms, struct xs_actor actor);

/* An owner is a domain that exists, or Dom0. */
static inline domid_t xs_perms_owner(const struct xs_perms *perms)
{
    return (domid_t)perms->entry[0].domid;
}

/*
 * The list of a new node that the actor creates below a node with the list parent: a reference to
 * that list, or, if the actor is not privileged, a copy with the actor as the owner. NULL without
 * memory.
 */
struct xs_perms *xs_perms_inherit(struct xs_perms *parent, struct xs_actor actor);

#endif
