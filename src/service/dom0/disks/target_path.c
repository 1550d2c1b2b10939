/* SPDX-License-Identifier: MIT */
#include "service/dom0/disks/target_path.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/block/engine/image_nbd.h"

static bool is_own(const char *path)
{
    static const char *const places[] = {"/proc/self/", "/proc/thread-self/", "/dev/fd/",
                                         "/dev/std"};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (strncmp(path, places[i], strlen(places[i])) == 0)
            return true;
    }
    return false;
}

int target_path(const char *target, const char *directory, char out[PATH_MAX], struct why *why)
{
    char path[PATH_MAX];
    bool is_relative = target[0] != '/' && !image_nbd_is_uri(target);
    int length = snprintf(path, sizeof(path), "%s%s%s", is_relative ? directory : "",
                          is_relative ? "/" : "", target);
    if (length < 0 || length >= PATH_MAX)
        return why_fail(why, -ENAMETOOLONG, "%s: the path is too long", target);
    if (!is_own(path))
        strcpy(out, path);
    else if (realpath(path, out) == NULL) /* what Dom0 has by that number is another file */
        return why_fail(why, -ENOENT, "%s: Dom0 needs a file that has a name", target);
    return 0;
}
