/* SPDX-License-Identifier: MIT */
#include "xenstore/server/xs_server.h"

#include <errno.h>
#include <stdlib.h>

#include "xenstore/server/xs_conn.h"
#include "xenstore/server/xs_local.h"
#include "xenstore/server/xs_server_private.h"
#include "xenstore/tree/xs_check.h"

int xs_server_create(const struct xs_quota *quota, struct xs_server **out)
{
    struct xs_server *server = calloc(1, sizeof(*server));
    if (server == NULL)
        return -ENOMEM;
    int rc = xs_store_init(&server->store, quota);
    if (rc < 0) {
        free(server);
        return rc;
    }
    *out = server;
    return 0;
}

void xs_server_destroy(struct xs_server *server)
{
    if (server == NULL)
        return;
    xs_conn_close_all(server);
    xs_local_unwatch_all(server);
    xs_store_clear(&server->store);
    free(server);
}

static void announce(struct xs_server *server, enum xs_special special, domid_t domid)
{
    xs_specials_fire(&server->store.specials, special, domid, &server->store.watches);
}

/* Remembers in unclean[] when memory was too short to remove everything. */
static int forget(struct xs_server *server, domid_t domid, bool keep_home)
{
    int rc = xs_store_forget(&server->store, domid, keep_home);
    uint8_t bit = (uint8_t)(1u << (domid % 8));
    if (rc < 0)
        server->unclean[domid / 8] |= bit;
    else
        server->unclean[domid / 8] &= (uint8_t)~bit;
    return rc;
}

int xs_server_introduce(struct xs_server *server, domid_t domid)
{
    if (xs_store_is_introduced(&server->store, domid))
        return -EEXIST;
    if ((server->unclean[domid / 8] >> (domid % 8) & 1) != 0 && forget(server, domid, false) < 0)
        return -ENOMEM;
    xs_store_introduce(&server->store, domid);
    announce(server, XS_SPECIAL_INTRODUCE, domid);
    return 0;
}

static void end_domain(struct xs_server *server, domid_t domid, bool keep_home)
{
    if (domid == DOM0_DOMID || !xs_store_is_introduced(&server->store, domid))
        return;
    xs_conn_deafen(server, domid);
    (void)forget(server, domid, keep_home); /* a failure is remembered: see xs_server_introduce */
    announce(server, XS_SPECIAL_RELEASE, domid);
}

void xs_server_release(struct xs_server *server, domid_t domid)
{
    end_domain(server, domid, false);
}

void xs_server_disconnect(struct xs_server *server, domid_t domid)
{
    end_domain(server, domid, true);
}

void xs_server_set_log(struct xs_server *server, void (*line)(void *ctx, const char *text),
                       void *ctx)
{
    server->trace.line = line;
    server->trace.ctx = ctx;
}

bool xs_server_run(struct xs_server *server, unsigned budget)
{
    while (budget > 0 && !xs_server_idle(server)) {
        unsigned steps = 0;
        if (!list_is_empty(&server->due)) {
            xs_local_deliver(server);
            steps++;
        }
        struct xs_conn *conn = xs_conn_next_ready(server);
        if (conn != NULL)
            steps += xs_conn_turn(conn);
        budget -= steps < budget ? steps : budget;
    }
    return !xs_server_idle(server);
}

bool xs_server_idle(const struct xs_server *server)
{
    return list_is_empty(&server->ready) && list_is_empty(&server->due);
}

int xs_server_check(const struct xs_server *server)
{
    return xs_tree_check(&server->store.tree);
}

uint32_t xs_server_nodes(const struct xs_server *server, domid_t domid)
{
    return xs_usage_of(&server->store.tree.usage, domid);
}

size_t xs_server_strays(const struct xs_server *server, domid_t domid)
{
    return xs_strays_count(&server->store.strays, domid);
}
