/* SPDX-License-Identifier: MIT */
#include "domu/options.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "splitdom/version.h"

enum { SIZE_MAX_SANE = 4096 }; /* more was never set on purpose */

int options_copy(void *out, const void *given, const struct options_shape *shape, char *why,
                 size_t why_bytes)
{
    const uint8_t *bytes = given;
    size_t size;
    memcpy(&size, given, sizeof(size));
    if (size < shape->size_first || size > SIZE_MAX_SANE) {
        snprintf(why, why_bytes, "the size of the options is %zu: set it to sizeof(%s)", size,
                 shape->name);
        return -EINVAL;
    }
    for (size_t i = shape->size; i < size; i++) {
        if (bytes[i] != 0) {
            snprintf(why, why_bytes, "options are set that splitdom %s does not know",
                     SPLITDOM_VERSION);
            return -E2BIG;
        }
    }
    memset(out, 0, shape->size);
    memcpy(out, given, size < shape->size ? size : shape->size);
    return 0;
}
