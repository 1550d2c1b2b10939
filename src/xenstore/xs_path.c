/* SPDX-License-Identifier: MIT */
#include "xenstore/xs_path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '@';
}

/* Bytes of a leading "/local/domain/<number>/", 0 if path does not start so. C xenstored reads the
 * number with scanf's %5u: up to five characters, the first of which may be a sign. */
static size_t domain_prefix_len(const char *path)
{
    static const char prefix[] = "/local/domain/";
    size_t len = sizeof(prefix) - 1;
    if (strncmp(path, prefix, len) != 0)
        return 0;
    size_t sign = path[len] == '-';
    size_t digits = strspn(path + len + sign, "0123456789");
    if (digits == 0 || sign + digits > 5 || path[len + sign + digits] != '/')
        return 0;
    return len + sign + digits + 1;
}

/* It begins with a slash. */
static bool is_valid_absolute(const char *path, size_t len, uint32_t path_bytes)
{
    if (len == 1)
        return true;
    if (path[len - 1] == '/' || len - domain_prefix_len(path) > path_bytes)
        return false;
    for (size_t i = 1; i < len; i++) {
        if (path[i] == '/' ? path[i - 1] == '/' : !is_name_char(path[i]))
            return false;
    }
    return true;
}

int xs_path_absolute(domid_t domid, const char *path, uint32_t path_bytes, char out[XS_PATH_SIZE],
                     size_t *prefix_bytes)
{
    size_t len = strnlen(path, XS_PATH_SIZE);
    size_t prefix = 0;
    if (path[0] == '@')
        return -EINVAL;
    if (path[0] != '/')
        prefix = (size_t)snprintf(out, XS_PATH_SIZE, "/local/domain/%u/", (unsigned)domid);
    if (prefix + len > XENSTORE_ABS_PATH_MAX)
        return -EINVAL; /* whatever path_bytes allows */
    memcpy(out + prefix, path, len + 1);
    *prefix_bytes = prefix;
    return is_valid_absolute(out, prefix + len, path_bytes) ? 0 : -EINVAL;
}

const char *xs_path_next(const char **cursor, size_t *len)
{
    const char *start = *cursor;
    if (*start == '/')
        start++;
    if (*start == '\0')
        return NULL;
    const char *end = strchrnul(start, '/');
    *len = (size_t)(end - start);
    *cursor = end;
    return start;
}

size_t xs_path_parent_len(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == path ? 1 : (size_t)(slash - path);
}

size_t xs_path_ancestor_len(const char *path, uint32_t levels)
{
    size_t len = strlen(path);
    for (; levels > 0 && len > 1; levels--) {
        while (path[len - 1] != '/')
            len--;
        len -= len > 1;
    }
    return len;
}

bool xs_path_is_within(const char *path, const char *base)
{
    if (base[0] == '/' && base[1] == '\0')
        return path[0] == '/';
    size_t len = strlen(base);
    return strncmp(path, base, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

uint32_t xs_path_levels_below(const char *path, const char *base)
{
    uint32_t levels = 0;
    size_t base_len = strcmp(base, "/") == 0 ? 0 : strlen(base);
    const char *cursor = path + base_len;
    size_t len;
    while (xs_path_next(&cursor, &len) != NULL)
        levels++;
    return levels;
}
