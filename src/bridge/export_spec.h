/* SPDX-License-Identifier: MIT */
/*
 * export_spec: which disk a bridge serves, in the words of xl-disk-configuration(5) that a domain
 * may say: `xvdb`, `xvdb,r` or `vdev=xvdb,access=r`.
 *
 * A domain opens the disks that Dom0 gave to it. Which image a disk is, who shares the image and
 * how it is served are Dom0's decisions: words about them are refused.
 */
#ifndef SPLITDOM_BRIDGE_EXPORT_SPEC_H
#define SPLITDOM_BRIDGE_EXPORT_SPEC_H

#include <stdint.h>

#include "base/why.h"

enum export_access {
    EXPORT_AS_IS, /* no word: writable where the disk is */
    EXPORT_READ,  /* r, ro: read-only, also where the disk is writable */
    EXPORT_WRITE, /* w, rw: a disk that is read-only is an error */
};

struct export_spec {
    uint32_t vdev; /* Xen's number */
    enum export_access access;
};

enum { EXPORT_SPEC_TEXT_SIZE = 48 }; /* with the NUL */

/* Errors: -EINVAL with the line in why; *out is not changed then. */
int export_spec_parse(const char *text, struct export_spec *out, struct why *why);

/* The words for it, which export_spec_parse takes. */
void export_spec_format(const struct export_spec *spec, char text[EXPORT_SPEC_TEXT_SIZE]);

#endif
