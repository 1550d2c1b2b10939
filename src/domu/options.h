/* SPDX-License-Identifier: MIT */
/*
 * options: a caller's options, which may be of another version of the library than ours.
 *
 * They begin with their size, as the caller was compiled; new members come at the end, and zero
 * means what was before them.
 */
#ifndef SPLITDOM_DOMU_OPTIONS_H
#define SPLITDOM_DOMU_OPTIONS_H

#include <stddef.h>

struct options_shape {
    const char *name;  /* of the type, for people */
    size_t size_first; /* of what the first release had */
    size_t size;       /* of what we know */
};

/*
 * Copies what we know of the options at given into out, of shape->size; what the caller does not
 * have is zero. Errors: -EINVAL the size is not set; -E2BIG members are set that we do not know.
 */
int options_copy(void *out, const void *given, const struct options_shape *shape, char *why,
                 size_t why_bytes);

#endif
