/* SPDX-License-Identifier: MIT */
#include "xenstore/server/xs_request.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xenstore/server/xs_args.h"
#include "xenstore/server/xs_control.h"
#include "xenstore/server/xs_domain_request.h"
#include "xenstore/server/xs_trace.h"
#include "xenstore/xs_error.h"
#include "xenstore/xs_path.h"

/* Handlers return the length of the reply's payload, or -errno. */
typedef int handler(struct xs_args *args);

/* Looks up a node that may be read, in the transaction if there is one. */
static int get_readable(struct xs_args *args, const char *path, struct xs_node **node)
{
    struct xs_session *s = args->session;
    if (args->tx == NULL)
        return xs_store_get(&s->store->tree, s->actor, path, XS_PERM_READ, node);
    return xs_transaction_get(args->tx, path, XS_PERM_READ, node);
}

static int change(struct xs_args *args, const struct xs_op *op)
{
    if (args->tx != NULL)
        return xs_transaction_apply(args->tx, op);
    return xs_store_do(args->session->store, args->session->actor, op);
}

static int do_directory(struct xs_args *args)
{
    char path[XS_PATH_SIZE];
    struct xs_node *node;
    int rc = xs_args_path(args, path);
    if (rc == 0)
        rc = get_readable(args, path, &node);
    if (rc < 0)
        return rc;
    if (xs_names_bytes(node->names) > XENSTORE_PAYLOAD_MAX)
        return -E2BIG;
    return (int)xs_names_list(node->names, 0, args->out, XENSTORE_PAYLOAD_MAX);
}

/*
 * The directory's generation, then names from a byte offset on; one more NUL after the last name.
 * A client whose parts have different generations starts again.
 */
static int do_directory_part(struct xs_args *args)
{
    const char *arg[2];
    char path[XS_PATH_SIZE];
    size_t skip;
    struct xs_node *node;
    if (xs_args_strings(args, arg, 2) != 2)
        return -EINVAL;
    int rc = xs_args_absolute(args, arg[0], path, &skip);
    if (rc == 0)
        rc = get_readable(args, path, &node);
    if (rc < 0)
        return rc;
    uint64_t offset = (uint32_t)xs_args_number(arg[1]); /* a negative one is beyond the end */
    size_t used = (size_t)snprintf(args->out, 24, "%" PRIu64, node->generation) + 1;
    size_t listed =
        xs_names_list(node->names, offset, args->out + used, XENSTORE_PAYLOAD_MAX - used - 1);
    used += listed;
    if (offset + listed >= xs_names_bytes(node->names))
        args->out[used++] = '\0';
    return (int)used;
}

static int do_read(struct xs_args *args)
{
    char path[XS_PATH_SIZE];
    struct xs_node *node;
    int rc = xs_args_path(args, path);
    if (rc == 0)
        rc = get_readable(args, path, &node);
    if (rc < 0 || node->value == NULL)
        return rc;
    memcpy(args->out, node->value->bytes, node->value->len);
    return (int)node->value->len;
}

static int list_perms(struct xs_args *args, const struct xs_perms *perms)
{
    size_t used = 0;
    for (uint32_t i = 0; i < perms->count; i++) {
        char text[XS_PERM_TEXT_SIZE];
        size_t size = xs_perm_format(perms->entry[i], text) + 1;
        if (used + size > XENSTORE_PAYLOAD_MAX)
            return -E2BIG;
        memcpy(args->out + used, text, size);
        used += size;
    }
    return (int)used;
}

static int get_special_perms(struct xs_args *args, const char *name)
{
    struct xs_perms **perms = xs_specials_find(&args->session->store->specials, name);
    if (perms == NULL)
        return -EINVAL;
    if ((xs_perms_access(*perms, args->session->actor) & XS_PERM_READ) == 0)
        return -EACCES;
    return list_perms(args, *perms);
}

static int do_get_perms(struct xs_args *args)
{
    const char *arg = xs_args_one(args);
    char path[XS_PATH_SIZE];
    struct xs_node *node;
    if (arg != NULL && xs_special_is_name(arg))
        return get_special_perms(args, arg);
    int rc = xs_args_path(args, path);
    if (rc == 0)
        rc = get_readable(args, path, &node);
    return rc < 0 ? rc : list_perms(args, node->perms);
}

/* Makes the path of a watch absolute; a special one stays as it is. */
static int watch_path(const struct xs_args *args, const char *arg, char out[XS_PATH_SIZE],
                      size_t *skip)
{
    if (!xs_special_is_name(arg))
        return xs_args_absolute(args, arg, out, skip);
    if (strlen(arg) > XENSTORE_REL_PATH_MAX)
        return -EINVAL;
    *skip = 0;
    strcpy(out, arg);
    return 0;
}

static int do_watch(struct xs_args *args)
{
    const char *arg[3];
    char path[XS_PATH_SIZE];
    size_t skip;
    uint32_t depth = XS_WATCH_DEPTH_ANY;
    int count = xs_args_strings(args, arg, 3);
    if (count != 2 && count != 3)
        return -EINVAL;
    if (count == 3) {
        int number = xs_args_number(arg[2]);
        if (number < 0)
            return -EINVAL;
        depth = (uint32_t)number;
    }
    int rc = watch_path(args, arg[0], path, &skip);
    if (rc == 0)
        rc = xs_session_watch(args->session, path, skip, arg[1], depth);
    return xs_args_done(args, rc);
}

static int do_unwatch(struct xs_args *args)
{
    const char *arg[2];
    char path[XS_PATH_SIZE];
    size_t skip;
    if (xs_args_strings(args, arg, 2) != 2)
        return -EINVAL;
    if (watch_path(args, arg[0], path, &skip) < 0)
        return -ENOENT; /* there can't be a watch on it */
    return xs_args_done(args, xs_watcher_remove(&args->session->watcher, path, arg[1]));
}

static int do_reset_watches(struct xs_args *args)
{
    xs_session_reset(args->session);
    return xs_args_done(args, 0);
}

static int do_transaction_start(struct xs_args *args)
{
    uint32_t id;
    if (args->tx != NULL)
        return -EBUSY;
    int rc = xs_session_begin(args->session, &id);
    return rc < 0 ? rc : snprintf(args->out, XENSTORE_PAYLOAD_MAX, "%" PRIu32, id) + 1;
}

static int do_transaction_end(struct xs_args *args)
{
    const char *arg = xs_args_one(args);
    if (arg == NULL || (strcmp(arg, "T") != 0 && strcmp(arg, "F") != 0))
        return -EINVAL;
    if (args->tx == NULL)
        return -ENOENT;
    return xs_args_done(args, xs_session_end(args->session, args->tx, arg[0] == 'T'));
}

static int do_write(struct xs_args *args)
{
    char path[XS_PATH_SIZE];
    size_t skip;
    const char *end = memchr(args->payload, '\0', args->len);
    if (end == NULL)
        return -EINVAL;
    int rc = xs_args_absolute(args, args->payload, path, &skip);
    if (rc < 0)
        return rc;
    size_t value_len = args->len - (size_t)(end + 1 - args->payload);
    struct xs_value *value = value_len == 0 ? NULL : xs_value_new(end + 1, value_len);
    if (value_len > 0 && value == NULL)
        return -ENOMEM;
    rc = change(args, &(struct xs_op){XS_OP_WRITE, path, value, NULL});
    xs_value_unref(value);
    return xs_args_done(args, rc);
}

static int do_mkdir(struct xs_args *args)
{
    char path[XS_PATH_SIZE];
    int rc = xs_args_path(args, path);
    if (rc == 0)
        rc = change(args, &(struct xs_op){XS_OP_MKDIR, path, NULL, NULL});
    return xs_args_done(args, rc);
}

static int do_rm(struct xs_args *args)
{
    char path[XS_PATH_SIZE];
    int rc = xs_args_path(args, path);
    if (rc == 0)
        rc = change(args, &(struct xs_op){XS_OP_RM, path, NULL, NULL});
    return xs_args_done(args, rc);
}

static int set_special_perms(struct xs_args *args, const char *name, struct xs_perms *perms)
{
    struct xs_perms **slot = xs_specials_find(&args->session->store->specials, name);
    if (slot == NULL)
        return -ENOENT;
    if ((xs_perms_access(*slot, args->session->actor) & XS_PERM_OWNER) == 0)
        return -EACCES;
    xs_perms_unref(*slot);
    *slot = xs_perms_ref(perms);
    return 0;
}

static int set_node_perms(struct xs_args *args, const char *arg, struct xs_perms *perms)
{
    char path[XS_PATH_SIZE];
    size_t skip;
    int rc = xs_args_absolute(args, arg, path, &skip);
    return rc < 0 ? rc : change(args, &(struct xs_op){XS_OP_SET_PERMS, path, NULL, perms});
}

/* arg[0] is the name, the others are its permissions. */
static int set_perms(struct xs_args *args, const char *const *arg, uint32_t count)
{
    struct xs_perms *perms = xs_perms_new(count - 1);
    if (perms == NULL)
        return -ENOMEM;
    int rc = 0;
    for (uint32_t i = 1; rc == 0 && i < count; i++)
        rc = xs_perm_parse(arg[i], &perms->entry[i - 1]);
    if (rc == 0)
        rc = xs_store_resolve(args->session->store, perms);
    if (rc == 0)
        rc = xs_special_is_name(arg[0]) ? set_special_perms(args, arg[0], perms)
                                        : set_node_perms(args, arg[0], perms);
    xs_perms_unref(perms);
    return xs_args_done(args, rc);
}

static int do_set_perms(struct xs_args *args)
{
    /* A payload of nothing but NULs has as many strings as bytes: too many for a small stack. */
    const char **arg = calloc(XENSTORE_PAYLOAD_MAX, sizeof(*arg));
    if (arg == NULL)
        return -ENOMEM;
    int count = xs_args_strings(args, arg, XENSTORE_PAYLOAD_MAX);
    int rc = count < 2 ? -EINVAL : set_perms(args, arg, (uint32_t)count);
    free(arg);
    return rc;
}

static const struct {
    handler *run;
    bool privileged;
    bool ignores_transaction;
} xs_handlers[] = {
    [XS_CONTROL] = {.run = xs_control, .privileged = true},
    [XS_DIRECTORY] = {.run = do_directory},
    [XS_READ] = {.run = do_read},
    [XS_GET_PERMS] = {.run = do_get_perms},
    [XS_WATCH] = {.run = do_watch, .ignores_transaction = true},
    [XS_UNWATCH] = {.run = do_unwatch, .ignores_transaction = true},
    [XS_TRANSACTION_START] = {.run = do_transaction_start},
    [XS_TRANSACTION_END] = {.run = do_transaction_end},
    [XS_INTRODUCE] = {.run = xs_do_introduce, .privileged = true},
    [XS_RELEASE] = {.run = xs_do_release, .privileged = true},
    [XS_GET_DOMAIN_PATH] = {.run = xs_do_get_domain_path},
    [XS_WRITE] = {.run = do_write},
    [XS_MKDIR] = {.run = do_mkdir},
    [XS_RM] = {.run = do_rm},
    [XS_SET_PERMS] = {.run = do_set_perms},
    [XS_IS_DOMAIN_INTRODUCED] = {.run = xs_do_is_domain_introduced, .privileged = true},
    [XS_RESUME] = {.run = xs_do_resume, .privileged = true},
    [XS_SET_TARGET] = {.run = xs_do_set_target, .privileged = true},
    [XS_RESET_WATCHES] = {.run = do_reset_watches},
    [XS_DIRECTORY_PART] = {.run = do_directory_part},
    [XS_GET_FEATURE] = {.run = xs_do_get_feature},
    [XS_SET_FEATURE] = {.run = xs_do_set_feature, .privileged = true},
    [XS_GET_QUOTA] = {.run = xs_do_get_quota, .privileged = true},
    [XS_SET_QUOTA] = {.run = xs_do_set_quota, .privileged = true},
};

static int dispatch(struct xs_args *args, const struct xsd_sockmsg *hdr)
{
    if (hdr->type >= sizeof(xs_handlers) / sizeof(xs_handlers[0]) ||
        xs_handlers[hdr->type].run == NULL)
        return -ENOSYS;
    if (xs_handlers[hdr->type].privileged && !args->session->actor.privileged)
        return -EACCES;
    if (hdr->tx_id != 0 && !xs_handlers[hdr->type].ignores_transaction) {
        args->tx = xs_session_transaction(args->session, hdr->tx_id);
        if (args->tx == NULL)
            return -ENOENT;
    }
    return xs_handlers[hdr->type].run(args);
}

void xs_request_handle(struct xs_session *session, const struct xsd_sockmsg *hdr,
                       const char *payload, struct xsd_sockmsg *reply,
                       char out[XENSTORE_PAYLOAD_MAX])
{
    struct xs_args args = {.session = session, .payload = payload, .len = hdr->len, .out = out};
    *reply = *hdr;
    int rc = dispatch(&args, hdr);
    if (rc < 0) {
        reply->type = XS_ERROR;
        rc = xs_args_reply(&args, xs_error_name(-rc));
    }
    reply->len = (uint32_t)rc;
    xs_trace_request(session->server, session->actor, hdr, payload, reply, out);
}
