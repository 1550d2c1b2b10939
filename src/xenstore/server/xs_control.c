/* SPDX-License-Identifier: MIT */
#include "xenstore/server/xs_control.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "xenstore/server/xs_server_private.h"
#include "xenstore/tree/xs_check.h"

enum { ARGUMENTS_MAX = 4 };

/* Gets the arguments behind the command's name. */
typedef int command(struct xs_args *args, const char *const *arg, int count);

static int do_check(struct xs_args *args, const char *const *arg, int count)
{
    (void)arg;
    return count != 0 ? -EINVAL : xs_args_done(args, xs_tree_check(&args->session->store->tree));
}

static int do_log(struct xs_args *args, const char *const *arg, int count)
{
    bool on = count == 1 && strcmp(arg[0], "on") == 0;
    if (!on && (count != 1 || strcmp(arg[0], "off") != 0))
        return -EINVAL;
    xs_trace_switch(args->session->server, on);
    return xs_args_done(args, 0);
}

static int do_memreport(struct xs_args *args, const char *const *arg, int count)
{
    struct xs_server *server = args->session->server;
    char line[160];
    uint64_t nodes = 0;
    (void)arg;
    if (count != 0)
        return -EINVAL;
    for (size_t i = 0; i < server->store.tree.usage.count; i++)
        nodes += server->store.tree.usage.entry[i].nodes;
    snprintf(line, sizeof(line),
             "%" PRIu64 " nodes of %zu owners, %zu watched paths, %" PRIu32 " connections", nodes,
             server->store.tree.usage.count, server->store.watches.by_path.count,
             xs_conn_count(server));
    xs_server_log(server, line);
    return xs_args_done(args, 0);
}

static int do_print(struct xs_args *args, const char *const *arg, int count)
{
    if (count != 1)
        return -EINVAL;
    xs_server_log(args->session->server, arg[0]);
    return xs_args_done(args, 0);
}

static int show_limits(struct xs_args *args)
{
    struct xs_quota *quota = &args->session->store->quotas.all;
    int used = snprintf(args->out, XENSTORE_PAYLOAD_MAX, "Quota settings:\n");
    for (int i = 0; i < XS_LIMITS; i++)
        used += snprintf(args->out + used, (size_t)(XENSTORE_PAYLOAD_MAX - used),
                         "%-17s: %8" PRIu32 " %s\n", xs_limit_name(i), *xs_limit(quota, i),
                         xs_limit_meaning(i));
    return used + 1;
}

static int show_usage(struct xs_args *args, int domid)
{
    struct xs_store *store = args->session->store;
    if (domid < 0 || domid > UINT16_MAX || !xs_store_is_introduced(store, (domid_t)domid))
        return -ENOENT;
    struct xs_conn_usage usage = xs_conn_usage(args->session->server, (domid_t)domid);
    return snprintf(args->out, XENSTORE_PAYLOAD_MAX,
                    "Domain %d:\n%-16s: %8" PRIu32 "\n%-16s: %8" PRIu32 "\n%-16s: %8" PRIu32
                    "\n%-16s: %8" PRIu32 "\n",
                    domid, "nodes", xs_usage_of(&store->tree.usage, (domid_t)domid), "watches",
                    usage.watches, "transactions", usage.transactions, "outstanding",
                    usage.outstanding) +
           1;
}

static int do_quota(struct xs_args *args, const char *const *arg, int count)
{
    struct xs_quota *quota = &args->session->store->quotas.all;
    if (count == 0)
        return show_limits(args);
    if (strcmp(arg[0], "set") != 0)
        return count == 1 ? show_usage(args, xs_args_number(arg[0])) : -EINVAL;
    int limit = count == 3 ? xs_limit_find(arg[1]) : -1;
    int value = count == 3 ? xs_args_number(arg[2]) : 0;
    if (limit < 0 || value < 1)
        return -EINVAL;
    *xs_limit(quota, limit) = (uint32_t)value;
    return xs_args_done(args, 0);
}

static command do_help;

static const struct {
    const char *name, *arguments;
    command *run;
} xs_commands[] = {
    {"check", "", do_check},
    {"log", "on|off", do_log},
    {"memreport", "", do_memreport},
    {"print", "<string>", do_print},
    {"quota", "[set <name> <val>|<domid>]", do_quota},
    {"help", "", do_help},
};

enum { COMMANDS = sizeof(xs_commands) / sizeof(xs_commands[0]) };

static int do_help(struct xs_args *args, const char *const *arg, int count)
{
    int used = 0;
    (void)arg;
    if (count != 0)
        return -EINVAL;
    for (int i = 0; i < COMMANDS; i++)
        used += snprintf(args->out + used, (size_t)(XENSTORE_PAYLOAD_MAX - used), "%s\t%s\n",
                         xs_commands[i].name, xs_commands[i].arguments);
    return used + 1;
}

int xs_control(struct xs_args *args)
{
    const char *arg[ARGUMENTS_MAX];
    int count = xs_args_strings(args, arg, ARGUMENTS_MAX);
    if (count < 1 || count > ARGUMENTS_MAX)
        return -EINVAL;
    for (int i = 0; i < COMMANDS; i++) {
        if (strcmp(xs_commands[i].name, arg[0]) == 0)
            return xs_commands[i].run(args, arg + 1, count - 1);
    }
    return -EINVAL;
}
