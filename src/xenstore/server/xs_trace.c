/* SPDX-License-Identifier: MIT */
#include "xenstore/server/xs_trace.h"

#include <stdio.h>

#include "xenstore/server/xs_server_private.h"

enum { SHOWN_MAX = 200 }; /* bytes of a payload */

static const char *const xs_type_name[] = {
    [XS_CONTROL] = "CONTROL",
    [XS_DIRECTORY] = "DIRECTORY",
    [XS_READ] = "READ",
    [XS_GET_PERMS] = "GET_PERMS",
    [XS_WATCH] = "WATCH",
    [XS_UNWATCH] = "UNWATCH",
    [XS_TRANSACTION_START] = "TRANSACTION_START",
    [XS_TRANSACTION_END] = "TRANSACTION_END",
    [XS_INTRODUCE] = "INTRODUCE",
    [XS_RELEASE] = "RELEASE",
    [XS_GET_DOMAIN_PATH] = "GET_DOMAIN_PATH",
    [XS_WRITE] = "WRITE",
    [XS_MKDIR] = "MKDIR",
    [XS_RM] = "RM",
    [XS_SET_PERMS] = "SET_PERMS",
    [XS_WATCH_EVENT] = "WATCH_EVENT",
    [XS_ERROR] = "ERROR",
    [XS_IS_DOMAIN_INTRODUCED] = "IS_DOMAIN_INTRODUCED",
    [XS_RESUME] = "RESUME",
    [XS_SET_TARGET] = "SET_TARGET",
    [XS_RESET_WATCHES] = "RESET_WATCHES",
    [XS_DIRECTORY_PART] = "DIRECTORY_PART",
    [XS_GET_FEATURE] = "GET_FEATURE",
    [XS_SET_FEATURE] = "SET_FEATURE",
    [XS_GET_QUOTA] = "GET_QUOTA",
    [XS_SET_QUOTA] = "SET_QUOTA",
};

void xs_server_log(const struct xs_server *server, const char *text)
{
    if (server->trace.line != NULL)
        server->trace.line(server->trace.ctx, text);
}

void xs_trace_switch(struct xs_server *server, bool on)
{
    server->trace.lines_left = on ? XS_TRACE_LINES : 0;
}

static const char *type_name(uint32_t type)
{
    bool known = type < sizeof(xs_type_name) / sizeof(xs_type_name[0]);
    return known && xs_type_name[type] != NULL ? xs_type_name[type] : "?";
}

/* A payload as text: its strings with blanks in between. */
static void show(const char *payload, uint32_t len, char text[SHOWN_MAX + 1])
{
    uint32_t shown = len < SHOWN_MAX ? len : SHOWN_MAX;
    for (uint32_t i = 0; i < shown; i++)
        text[i] = payload[i] == '\0' ? ' ' : payload[i];
    while (shown > 0 && text[shown - 1] == ' ')
        shown--;
    text[shown] = '\0';
}

void xs_trace_request(struct xs_server *server, struct xs_actor actor,
                      const struct xsd_sockmsg *hdr, const char *payload,
                      const struct xsd_sockmsg *reply, const char *out)
{
    char asked[SHOWN_MAX + 1], answered[SHOWN_MAX + 1], line[2 * SHOWN_MAX + 100];
    if (server->trace.lines_left == 0)
        return;
    show(payload, hdr->len, asked);
    show(out, reply->len, answered);
    snprintf(line, sizeof(line), "%s %u: %s %u %s -> %s%s", actor.privileged ? "tool" : "domain",
             (unsigned)actor.domid, type_name(hdr->type), (unsigned)hdr->tx_id, asked,
             reply->type == XS_ERROR ? "ERROR " : "", answered);
    xs_server_log(server, line);
    if (--server->trace.lines_left == 0)
        xs_server_log(server, "the trace of requests ends here: `log on` begins another");
}
