/* SPDX-License-Identifier: MIT */
#include "xenstore/server/xs_domain_request.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/decimal.h"
#include "xenstore/server/xs_server.h"
#include "xenstore/server/xs_server_private.h"

static bool exists(const struct xs_args *args, int domid)
{
    return domid >= 0 && domid <= UINT16_MAX &&
           xs_store_is_introduced(args->session->store, (domid_t)domid);
}

int xs_do_introduce(struct xs_args *args)
{
    const char *arg[3]; /* domid, page, port */
    if (xs_args_strings(args, arg, 3) < 3 || xs_args_number(arg[2]) <= 0)
        return -EINVAL;
    int domid = xs_args_number(arg[0]);
    if (!exists(args, domid))
        return -EINVAL;
    xs_conn_reset_sessions(args->session->server, (domid_t)domid);
    return xs_args_done(args, 0);
}

/* The payload as the number of a domain other than Dom0, which exists. */
static int one_domain(const struct xs_args *args, domid_t *out)
{
    const char *arg = xs_args_one(args);
    int domid = arg == NULL ? 0 : xs_args_number(arg);
    if (domid == 0)
        return -EINVAL;
    if (!exists(args, domid))
        return -ENOENT;
    *out = (domid_t)domid;
    return 0;
}

int xs_do_release(struct xs_args *args)
{
    domid_t domid;
    int rc = one_domain(args, &domid);
    if (rc == 0)
        xs_server_disconnect(args->session->server, domid);
    return xs_args_done(args, rc);
}

/* RESUME does nothing: a domain that was shut down ends, and is not started again. */
int xs_do_resume(struct xs_args *args)
{
    domid_t domid;
    return xs_args_done(args, one_domain(args, &domid));
}

int xs_do_set_target(struct xs_args *args)
{
    const char *arg[2];
    if (xs_args_strings(args, arg, 2) < 2)
        return -EINVAL;
    int domid = xs_args_number(arg[0]), target = xs_args_number(arg[1]);
    if (!exists(args, domid) || !exists(args, target))
        return -ENOENT;
    xs_conn_set_target(args->session->server, (domid_t)domid, (domid_t)target);
    return xs_args_done(args, 0);
}

int xs_do_get_domain_path(struct xs_args *args)
{
    const char *arg = xs_args_one(args);
    if (arg == NULL)
        return -EINVAL;
    unsigned domid = (unsigned)xs_args_number(arg);
    return snprintf(args->out, XENSTORE_PAYLOAD_MAX, "/local/domain/%u", domid) + 1;
}

int xs_do_is_domain_introduced(struct xs_args *args)
{
    const char *arg = xs_args_one(args);
    if (arg == NULL)
        return -EINVAL;
    int domid = xs_args_number(arg);
    return xs_args_reply(args, domid == DOMID_SELF || exists(args, domid) ? "T" : "F");
}

static int reply_number(struct xs_args *args, uint32_t number)
{
    return snprintf(args->out, XENSTORE_PAYLOAD_MAX, "%" PRIu32, number) + 1;
}

/* Reads a domain's number and nothing else: these newer requests are strict. */
static int strict_domain(const struct xs_args *args, const char *text, domid_t *out)
{
    uint64_t domid;
    if (decimal_parse(text, 0, UINT16_MAX, &domid) < 0)
        return -EINVAL;
    if (!exists(args, (int)domid))
        return -ENOENT;
    *out = (domid_t)domid;
    return 0;
}

int xs_do_get_feature(struct xs_args *args)
{
    const char *arg[1];
    domid_t domid;
    int count = xs_args_strings(args, arg, 1), rc = 0;
    if (count > 0 && !args->session->actor.privileged)
        return -EACCES;
    if (count > 1)
        return -EINVAL;
    if (count == 1)
        rc = strict_domain(args, arg[0], &domid);
    return rc < 0 ? rc : reply_number(args, XS_SERVER_FEATURES);
}

/* They can be taken from a domain only before it is introduced, and nobody has a name for it then.
 */
int xs_do_set_feature(struct xs_args *args)
{
    const char *arg[2];
    domid_t domid;
    if (xs_args_strings(args, arg, 2) != 2)
        return -EINVAL;
    int rc = strict_domain(args, arg[0], &domid);
    return rc < 0 ? rc : -EBUSY;
}

static int list_quotas(struct xs_args *args)
{
    int used = 0;
    for (int i = 0; i < XS_LIMITS; i++)
        used += snprintf(args->out + used, (size_t)(XENSTORE_PAYLOAD_MAX - used), "%s%s",
                         i > 0 ? " " : "", xs_limit_name(i));
    return used + 1;
}

int xs_do_get_quota(struct xs_args *args)
{
    const char *arg[2]; /* [[domid,] name] */
    struct xs_quotas *quotas = &args->session->store->quotas;
    struct xs_quota quota = quotas->all;
    domid_t domid;
    int count = xs_args_strings(args, arg, 2), rc = 0;
    if (count > 2)
        return -EINVAL;
    if (count == 0)
        return list_quotas(args);
    if (count == 2)
        rc = strict_domain(args, arg[0], &domid);
    if (rc < 0)
        return rc;
    if (count == 2)
        quota = *xs_quotas_of(quotas, domid);
    int limit = xs_limit_find(arg[count - 1]);
    return limit < 0 ? -EINVAL : reply_number(args, *xs_limit(&quota, limit));
}

int xs_do_set_quota(struct xs_args *args)
{
    const char *arg[3]; /* [domid,] name, value */
    struct xs_quotas *quotas = &args->session->store->quotas;
    struct xs_quota *quota = &quotas->all;
    domid_t domid;
    int count = xs_args_strings(args, arg, 3), rc = 0;
    if (count != 2 && count != 3)
        return -EINVAL;
    if (count == 3)
        rc = strict_domain(args, arg[0], &domid);
    if (rc < 0)
        return rc;
    int limit = xs_limit_find(arg[count - 2]), value = xs_args_number(arg[count - 1]);
    if (limit < 0 || value < 0)
        return -EINVAL;
    if (count == 3)
        quota = xs_quotas_own(quotas, domid);
    if (quota == NULL)
        return -ENOMEM;
    *xs_limit(quota, limit) = (uint32_t)value;
    return xs_args_done(args, 0);
}
