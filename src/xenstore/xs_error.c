/* SPDX-License-Identifier: MIT */
#include "xenstore/xs_error.h"

#include <errno.h>
#include <string.h>

static const struct xs_error {
    int number;
    const char *name;
} xs_errors[] = {
    {EINVAL, "EINVAL"}, {EACCES, "EACCES"}, {EEXIST, "EEXIST"},       {EISDIR, "EISDIR"},
    {ENOENT, "ENOENT"}, {ENOMEM, "ENOMEM"}, {ENOSPC, "ENOSPC"},       {EIO, "EIO"},
    {EROFS, "EROFS"},   {EBUSY, "EBUSY"},   {ENOTEMPTY, "ENOTEMPTY"}, {ENOSYS, "ENOSYS"},
    {EAGAIN, "EAGAIN"}, {E2BIG, "E2BIG"},   {EISCONN, "EISCONN"},     {EPERM, "EPERM"},
};

enum { XS_ERRORS = sizeof(xs_errors) / sizeof(xs_errors[0]) };

const char *xs_error_name(int error)
{
    for (size_t i = 0; i < XS_ERRORS; i++) {
        if (xs_errors[i].number == error)
            return xs_errors[i].name;
    }
    return "EINVAL";
}

int xs_error_number(const char *name, size_t len)
{
    for (size_t i = 0; i < XS_ERRORS; i++) {
        if (strlen(xs_errors[i].name) == len && memcmp(xs_errors[i].name, name, len) == 0)
            return xs_errors[i].number;
    }
    return EINVAL;
}
