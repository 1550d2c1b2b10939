/* SPDX-License-Identifier: MIT */
#include "run/plugin_path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PLUGIN_NAME "nbdkit-splitdom-plugin.so"

/* The directory of this program. */
static int own_directory(char *out, size_t size)
{
    ssize_t length = readlink("/proc/self/exe", out, size - 1);

    if (length < 0)
        return -errno;
    out[length] = '\0';
    char *slash = strrchr(out, '/');
    if (slash == NULL)
        return -ENOENT;
    *slash = '\0';
    return 0;
}

int plugin_path_find(char out[PLUGIN_PATH_SIZE], struct why *why)
{
    static const char *const places[] = {"", "../lib/nbdkit/plugins/"};
    char own[PLUGIN_PATH_SIZE / 2];
    int rc = own_directory(own, sizeof(own));

    if (rc < 0)
        return why_fail_errno(why, rc, "/proc/self/exe");
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        snprintf(out, PLUGIN_PATH_SIZE, "%s/%s" PLUGIN_NAME, own, places[i]);
        if (access(out, R_OK) == 0)
            return 0;
    }
    return why_fail(why, -ENOENT,
                    PLUGIN_NAME " is not in %s: install nbdkit-plugin-dev and build again", own);
}
