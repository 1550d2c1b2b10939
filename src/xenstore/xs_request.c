/* SPDX-License-Identifier: MIT */
#include "xenstore/xs_request.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xenstore/xs_control.h"
#include "xenstore/xs_dir.h"
#include "xenstore/xs_error.h"
#include "xenstore/xs_path.h"

struct request {
    struct xs_session *session;
    struct xs_transaction *tx; /* NULL: none */
    const char *payload;
    size_t len;
    char *out; /* XENSTORE_PAYLOAD_MAX bytes */
};

/* Handlers return the length of the reply's payload, or -errno. */
typedef int handler(struct request *rq);

static int reply_text(struct request *rq, const char *text)
{
    size_t size = strlen(text) + 1;
    memcpy(rq->out, text, size);
    return (int)size;
}

static int reply_done(struct request *rq, int rc)
{
    return rc < 0 ? rc : reply_text(rq, "OK");
}

/* Splits the payload into strings, all NUL-terminated. Returns their number, at most max, or
 * -EINVAL if there are more or the last has no end. */
static int split(const struct request *rq, const char *arg[], int max)
{
    size_t at = 0;
    int count = 0;
    while (at < rq->len) {
        const char *end = memchr(rq->payload + at, '\0', rq->len - at);
        if (end == NULL || count == max)
            return -EINVAL;
        arg[count++] = rq->payload + at;
        at = (size_t)(end - rq->payload) + 1;
    }
    return count;
}

static int absolute(const struct request *rq, const char *path, char out[XS_PATH_SIZE],
                    size_t *skip)
{
    const struct xs_session *s = rq->session;
    uint32_t path_bytes = s->actor.privileged ? XENSTORE_ABS_PATH_MAX : s->store->quota.path_bytes;
    return xs_path_absolute(s->actor.domid, path, path_bytes, out, skip);
}

/* The payload as a single path, made absolute. */
static int only_path(const struct request *rq, char out[XS_PATH_SIZE])
{
    const char *arg;
    size_t skip;
    if (split(rq, &arg, 1) != 1)
        return -EINVAL;
    return absolute(rq, arg, out, &skip);
}

/* The payload as a single domain number. */
static int only_domid(const struct request *rq, domid_t *domid)
{
    const char *arg;
    struct xs_perm perm;
    char entry[8];
    if (split(rq, &arg, 1) != 1 || strlen(arg) > 5)
        return -EINVAL;
    snprintf(entry, sizeof(entry), "n%s", arg);
    int rc = xs_perm_parse(entry, &perm);
    if (rc == 0)
        *domid = perm.domid;
    return rc;
}

/* Looks up a node that may be read, in the transaction if there is one. */
static int get_readable(struct request *rq, const char *path, struct xs_node **node)
{
    struct xs_session *s = rq->session;
    if (rq->tx == NULL)
        return xs_store_get(&s->store->tree, s->actor, path, XS_PERM_READ, node);
    int rc = xs_transaction_touch(rq->tx, path);
    return rc < 0 ? rc : xs_store_get(&rq->tx->view, s->actor, path, XS_PERM_READ, node);
}

static int change(struct request *rq, const struct xs_op *op)
{
    if (rq->tx != NULL)
        return xs_transaction_apply(rq->tx, op);
    return xs_store_do(rq->session->store, rq->session->actor, op);
}

static int do_control(struct request *rq)
{
    const char *arg[4];
    int count = split(rq, arg, 4);
    if (count < 1)
        return -EINVAL;
    return xs_control(rq->session->store, arg, count, rq->out, XENSTORE_PAYLOAD_MAX);
}

static int do_directory(struct request *rq)
{
    char path[XS_PATH_SIZE];
    struct xs_node *node;
    int rc = only_path(rq, path);
    if (rc == 0)
        rc = get_readable(rq, path, &node);
    if (rc < 0)
        return rc;
    if (xs_dir_name_bytes(node->children) > XENSTORE_PAYLOAD_MAX)
        return -E2BIG;
    return (int)xs_dir_list(node->children, 0, rq->out, XENSTORE_PAYLOAD_MAX);
}

/*
 * The directory's generation, then names from a byte offset on; after the last name one NUL more.
 * A client that sees another generation than with the first part starts again.
 */
static int do_directory_part(struct request *rq)
{
    const char *arg[2];
    char path[XS_PATH_SIZE], *end;
    size_t skip;
    struct xs_node *node;
    if (split(rq, arg, 2) != 2 || arg[1][0] < '0' || arg[1][0] > '9')
        return -EINVAL;
    unsigned long long offset = strtoull(arg[1], &end, 10);
    if (*end != '\0')
        return -EINVAL;
    int rc = absolute(rq, arg[0], path, &skip);
    if (rc == 0)
        rc = get_readable(rq, path, &node);
    if (rc < 0)
        return rc;
    size_t used = (size_t)snprintf(rq->out, 24, "%" PRIu64, node->generation) + 1;
    size_t listed =
        xs_dir_list(node->children, offset, rq->out + used, XENSTORE_PAYLOAD_MAX - used - 1);
    used += listed;
    uint64_t total = xs_dir_name_bytes(node->children);
    if (offset >= total || offset + listed >= total)
        rq->out[used++] = '\0';
    return (int)used;
}

static int do_read(struct request *rq)
{
    char path[XS_PATH_SIZE];
    struct xs_node *node;
    int rc = only_path(rq, path);
    if (rc == 0)
        rc = get_readable(rq, path, &node);
    if (rc < 0 || node->value == NULL)
        return rc;
    memcpy(rq->out, node->value->bytes, node->value->len);
    return (int)node->value->len;
}

static int do_get_perms(struct request *rq)
{
    char path[XS_PATH_SIZE];
    struct xs_node *node;
    int rc = only_path(rq, path);
    if (rc == 0)
        rc = get_readable(rq, path, &node);
    if (rc < 0)
        return rc;
    size_t used = 0;
    for (uint32_t i = 0; i < node->perms->count; i++) {
        char text[8];
        size_t size = xs_perm_format(node->perms->entry[i], text) + 1;
        if (used + size > XENSTORE_PAYLOAD_MAX)
            return -E2BIG;
        memcpy(rq->out + used, text, size);
        used += size;
    }
    return (int)used;
}

/* Parses the depth argument of a watch: decimal, no more than nine digits. */
static int parse_depth(const char *text, uint32_t *depth)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 9 || text[digits] != '\0')
        return -EINVAL;
    *depth = (uint32_t)strtoul(text, NULL, 10);
    return 0;
}

/* Makes the path of a watch absolute; a special one stays as it is and is for Dom0's own only. */
static int watch_path(const struct request *rq, const char *arg, char out[XS_PATH_SIZE],
                      size_t *skip)
{
    if (arg[0] != '@')
        return absolute(rq, arg, out, skip);
    if (!xs_path_is_special(arg))
        return -EINVAL;
    if (!rq->session->actor.privileged)
        return -EACCES;
    *skip = 0;
    strcpy(out, arg);
    return 0;
}

static int do_watch(struct request *rq)
{
    const char *arg[3];
    char path[XS_PATH_SIZE];
    size_t skip;
    uint32_t depth = XS_WATCH_DEPTH_ANY;
    int count = split(rq, arg, 3);
    if (count < 2)
        return -EINVAL;
    int rc = count == 3 ? parse_depth(arg[2], &depth) : 0;
    if (rc == 0)
        rc = watch_path(rq, arg[0], path, &skip);
    if (rc == 0)
        rc = xs_session_watch(rq->session, path, skip, arg[1], depth);
    return reply_done(rq, rc);
}

static int do_unwatch(struct request *rq)
{
    const char *arg[2];
    char path[XS_PATH_SIZE];
    size_t skip;
    if (split(rq, arg, 2) != 2)
        return -EINVAL;
    int rc = watch_path(rq, arg[0], path, &skip);
    return reply_done(rq, rc < 0 ? rc : xs_session_unwatch(rq->session, path, arg[1]));
}

static int do_reset_watches(struct request *rq)
{
    xs_session_reset(rq->session);
    return reply_done(rq, 0);
}

static int do_transaction_start(struct request *rq)
{
    uint32_t id;
    if (rq->tx != NULL)
        return -EBUSY;
    int rc = xs_session_begin(rq->session, &id);
    return rc < 0 ? rc : snprintf(rq->out, XENSTORE_PAYLOAD_MAX, "%" PRIu32, id) + 1;
}

static int do_transaction_end(struct request *rq)
{
    const char *arg;
    if (split(rq, &arg, 1) != 1 || (strcmp(arg, "T") != 0 && strcmp(arg, "F") != 0))
        return -EINVAL;
    if (rq->tx == NULL)
        return -ENOENT;
    return reply_done(rq, xs_session_end(rq->session, rq->tx, arg[0] == 'T'));
}

static int do_get_domain_path(struct request *rq)
{
    domid_t domid;
    int rc = only_domid(rq, &domid);
    if (rc < 0)
        return rc;
    return snprintf(rq->out, XENSTORE_PAYLOAD_MAX, "/local/domain/%u", (unsigned)domid) + 1;
}

static int do_is_domain_introduced(struct request *rq)
{
    domid_t domid;
    int rc = only_domid(rq, &domid);
    if (rc < 0)
        return rc;
    return reply_text(rq, xs_store_is_introduced(rq->session->store, domid) ? "T" : "F");
}

/* Domains come and go with their processes, through the control socket: nothing to do here. */
static int do_nothing(struct request *rq)
{
    (void)rq;
    return -ENOSYS;
}

static int do_write(struct request *rq)
{
    char path[XS_PATH_SIZE];
    size_t skip;
    const char *end = memchr(rq->payload, '\0', rq->len);
    if (end == NULL)
        return -EINVAL;
    int rc = absolute(rq, rq->payload, path, &skip);
    if (rc < 0)
        return rc;
    size_t value_len = rq->len - (size_t)(end + 1 - rq->payload);
    struct xs_value *value = value_len == 0 ? NULL : xs_value_new(end + 1, value_len);
    if (value_len > 0 && value == NULL)
        return -ENOMEM;
    rc = change(rq, &(struct xs_op){XS_OP_WRITE, path, value, NULL});
    xs_value_unref(value);
    return reply_done(rq, rc);
}

static int do_mkdir(struct request *rq)
{
    char path[XS_PATH_SIZE];
    int rc = only_path(rq, path);
    if (rc == 0)
        rc = change(rq, &(struct xs_op){XS_OP_MKDIR, path, NULL, NULL});
    return reply_done(rq, rc);
}

static int do_rm(struct request *rq)
{
    char path[XS_PATH_SIZE];
    int rc = only_path(rq, path);
    if (rc == 0)
        rc = change(rq, &(struct xs_op){XS_OP_RM, path, NULL, NULL});
    return reply_done(rq, rc);
}

enum { PERM_TEXT_MIN = 3 }; /* bytes of the shortest entry, "n0" */

static int do_set_perms(struct request *rq)
{
    const char *arg[1 + XENSTORE_PAYLOAD_MAX / PERM_TEXT_MIN];
    char path[XS_PATH_SIZE];
    size_t skip;
    int count = split(rq, arg, sizeof(arg) / sizeof(arg[0]));
    if (count < 2)
        return -EINVAL;
    int rc = absolute(rq, arg[0], path, &skip);
    if (rc < 0)
        return rc;
    struct xs_perms *perms = xs_perms_new((uint32_t)count - 1);
    if (perms == NULL)
        return -ENOMEM;
    for (int i = 1; rc == 0 && i < count; i++)
        rc = xs_perm_parse(arg[i], &perms->entry[i - 1]);
    if (rc == 0)
        rc = change(rq, &(struct xs_op){XS_OP_SET_PERMS, path, NULL, perms});
    xs_perms_unref(perms);
    return reply_done(rq, rc);
}

static const struct {
    handler *run;
    bool privileged;
} xs_handlers[] = {
    [XS_CONTROL] = {do_control, true},
    [XS_DIRECTORY] = {do_directory, false},
    [XS_READ] = {do_read, false},
    [XS_GET_PERMS] = {do_get_perms, false},
    [XS_WATCH] = {do_watch, false},
    [XS_UNWATCH] = {do_unwatch, false},
    [XS_TRANSACTION_START] = {do_transaction_start, false},
    [XS_TRANSACTION_END] = {do_transaction_end, false},
    [XS_INTRODUCE] = {do_nothing, true},
    [XS_RELEASE] = {do_nothing, true},
    [XS_GET_DOMAIN_PATH] = {do_get_domain_path, false},
    [XS_WRITE] = {do_write, false},
    [XS_MKDIR] = {do_mkdir, false},
    [XS_RM] = {do_rm, false},
    [XS_SET_PERMS] = {do_set_perms, false},
    [XS_IS_DOMAIN_INTRODUCED] = {do_is_domain_introduced, true},
    [XS_RESUME] = {do_nothing, true},
    [XS_SET_TARGET] = {do_nothing, true},
    [XS_RESET_WATCHES] = {do_reset_watches, false},
    [XS_DIRECTORY_PART] = {do_directory_part, false},
};

static int dispatch(struct request *rq, const struct xsd_sockmsg *hdr)
{
    if (hdr->type >= sizeof(xs_handlers) / sizeof(xs_handlers[0]) ||
        xs_handlers[hdr->type].run == NULL)
        return -ENOSYS;
    if (xs_handlers[hdr->type].privileged && !rq->session->actor.privileged)
        return -EACCES;
    if (hdr->tx_id != 0) {
        rq->tx = xs_session_transaction(rq->session, hdr->tx_id);
        if (rq->tx == NULL)
            return -ENOENT;
    }
    return xs_handlers[hdr->type].run(rq);
}

void xs_request_handle(struct xs_session *session, const struct xsd_sockmsg *hdr,
                       const char *payload, struct xsd_sockmsg *reply,
                       char out[XENSTORE_PAYLOAD_MAX])
{
    struct request rq = {.session = session, .payload = payload, .len = hdr->len, .out = out};
    *reply = *hdr;
    int rc = dispatch(&rq, hdr);
    if (rc < 0) {
        reply->type = XS_ERROR;
        rc = reply_text(&rq, xs_error_name(-rc));
    }
    reply->len = (uint32_t)rc;
}
