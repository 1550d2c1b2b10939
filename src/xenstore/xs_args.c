/* SPDX-License-Identifier: MIT */
#include "xenstore/xs_args.h"

#include <errno.h>
#include <string.h>

#include "base/decimal.h"

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

int xs_args_split(const struct xs_args *args, const char *arg[], int max)
{
    size_t at = 0;
    int count = 0;
    while (at < args->len) {
        const char *end = memchr(args->payload + at, '\0', args->len - at);
        if (end == NULL || count == max)
            return -EINVAL;
        arg[count++] = args->payload + at;
        at = (size_t)(end - args->payload) + 1;
    }
    return count;
}

int xs_args_absolute(const struct xs_args *args, const char *path, char out[XS_PATH_SIZE],
                     size_t *skip)
{
    const struct xs_session *s = args->session;
    uint32_t path_bytes = s->actor.privileged ? XENSTORE_ABS_PATH_MAX : s->store->quota.path_bytes;
    return xs_path_absolute(s->actor.domid, path, path_bytes, out, skip);
}

int xs_args_path(const struct xs_args *args, char out[XS_PATH_SIZE])
{
    const char *arg;
    size_t skip;
    if (xs_args_split(args, &arg, 1) != 1)
        return -EINVAL;
    return xs_args_absolute(args, arg, out, &skip);
}

int xs_args_domid(const struct xs_args *args, domid_t *domid)
{
    const char *arg;
    uint64_t number;
    if (xs_args_split(args, &arg, 1) != 1 || decimal_parse(arg, 0, UINT16_MAX, &number) < 0)
        return -EINVAL;
    *domid = (domid_t)number;
    return 0;
}
