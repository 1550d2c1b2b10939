/* SPDX-License-Identifier: MIT */
/*
 * xs_error: errno values as the names that travel in XS_ERROR replies ("ENOENT").
 *
 * The sixteen names of xen/include/public/io/xs_wire.h; numbers differ between systems, names
 * don't.
 */
#ifndef SPLITDOM_XENSTORE_XS_ERROR_H
#define SPLITDOM_XENSTORE_XS_ERROR_H

#include <stddef.h>

/* The wire name of a positive errno; "EINVAL" for one that has no name on the wire. Static. */
const char *xs_error_name(int error);

/* The positive errno of a name of len bytes (without NUL); EINVAL for an unknown one. */
int xs_error_number(const char *name, size_t len);

#endif
