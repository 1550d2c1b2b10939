/* SPDX-License-Identifier: MIT */
/*
 * xs_trace: what the store writes to its server's log: lines that CONTROL asks for and, while the
 * trace is on, each request with its answer.
 *
 * A trace ends by itself after XS_TRACE_LINES: a trace that was left on must not fill the disk.
 */
#ifndef SPLITDOM_XENSTORE_SERVER_XS_TRACE_H
#define SPLITDOM_XENSTORE_SERVER_XS_TRACE_H

#include <stdbool.h>

#include "splitdom/xen/xs_wire.h"
#include "xenstore/xs_perms.h"

enum { XS_TRACE_LINES = 10000 };

struct xs_server;

/* Zero-initialise it. */
struct xs_trace {
    void (*line)(void *ctx, const char *text); /* NULL: nobody listens */
    void *ctx;
    uint32_t lines_left; /* 0: off */
};

void xs_server_log(const struct xs_server *server, const char *text);
void xs_trace_switch(struct xs_server *server, bool on);

/* If the trace is on, writes a line about a request and its answer, whose payload is out. */
void xs_trace_request(struct xs_server *server, struct xs_actor actor,
                      const struct xsd_sockmsg *hdr, const char *payload,
                      const struct xsd_sockmsg *reply, const char *out);

#endif
