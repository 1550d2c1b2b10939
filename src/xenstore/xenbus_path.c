/* SPDX-License-Identifier: MIT */
#include "xenstore/xenbus_path.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

__attribute__((format(printf, 3, 4))) static void put(char path[XENBUS_PATH_MAX], const char *rest,
                                                      const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(path, XENBUS_PATH_MAX, format, args);
    va_end(args);
    assert(length > 0 && length < XENBUS_PATH_MAX);
    if (*rest != '\0')
        length += snprintf(path + length, (size_t)(XENBUS_PATH_MAX - length), "/%s", rest);
    assert(length < XENBUS_PATH_MAX);
}

void xenbus_home_path(char path[XENBUS_PATH_MAX], domid_t domid, const char *rest)
{
    put(path, rest, "/local/domain/%u", domid);
}

void xenbus_front_path(char path[XENBUS_PATH_MAX], const struct xenbus_key *key, const char *rest)
{
    put(path, rest, "/local/domain/%u/device/%s/%u", key->domid, key->class_name, key->devid);
}

void xenbus_back_path(char path[XENBUS_PATH_MAX], const struct xenbus_key *key, const char *rest)
{
    put(path, rest, "/local/domain/0/backend/%s/%u/%u", key->class_name, key->domid, key->devid);
}

void xenbus_error_path(char path[XENBUS_PATH_MAX], const struct xenbus_key *key)
{
    put(path, "error", "/local/domain/0/error/backend/%s/%u/%u", key->class_name, key->domid,
        key->devid);
}

void xenbus_backs_path(char path[XENBUS_PATH_MAX], const char *class_name, domid_t domid)
{
    put(path, "", "/local/domain/0/backend/%s/%u", class_name, domid);
}

void xenbus_errors_path(char path[XENBUS_PATH_MAX], const char *class_name, domid_t domid)
{
    put(path, "", "/local/domain/0/error/backend/%s/%u", class_name, domid);
}
