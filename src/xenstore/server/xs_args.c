/* SPDX-License-Identifier: MIT */
#include "xenstore/server/xs_args.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int xs_args_reply(struct xs_args *args, const char *text)
{
    size_t size = strlen(text) + 1;
    memcpy(args->out, text, size);
    return (int)size;
}

int xs_args_done(struct xs_args *args, int rc)
{
    return rc < 0 ? rc : xs_args_reply(args, "OK");
}

int xs_args_strings(const struct xs_args *args, const char *arg[], int max)
{
    const char *at = args->payload, *last = args->payload + args->len, *end;
    int count = 0;
    while (at < last && (end = memchr(at, '\0', (size_t)(last - at))) != NULL) {
        if (count < max)
            arg[count] = at;
        count++;
        at = end + 1;
    }
    return count;
}

const char *xs_args_one(const struct xs_args *args)
{
    const char *end = args->len == 0 ? NULL : memchr(args->payload, '\0', args->len);
    return end == NULL || end != args->payload + args->len - 1 ? NULL : args->payload;
}

int xs_args_number(const char *text)
{
    return (int)strtol(text, NULL, 10);
}

int xs_args_absolute(const struct xs_args *args, const char *path, char out[XS_PATH_SIZE],
                     size_t *skip)
{
    const struct xs_session *s = args->session;
    uint32_t limit = xs_session_quota(s)->path_bytes;
    return xs_path_absolute(s->actor.domid, path, limit != 0 ? limit : XENSTORE_ABS_PATH_MAX, out,
                            skip);
}

int xs_args_path(const struct xs_args *args, char out[XS_PATH_SIZE])
{
    const char *arg = xs_args_one(args);
    size_t skip;
    return arg == NULL ? -EINVAL : xs_args_absolute(args, arg, out, &skip);
}
