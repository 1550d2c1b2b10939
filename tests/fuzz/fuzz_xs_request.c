/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer harness for the store: the input is a sequence of operations on one server, two
 * privileged and two unprivileged connections and a ring page. After each of them the store's
 * invariants hold, and what comes out of the connections is well-formed.
 *
 *     clang -g -O1 -std=gnu11 -D_GNU_SOURCE -Iinclude -Isrc -Itests \
 *         -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
 *         tests/fuzz/fuzz_xs_request.c src/xenstore/xs_*.c -o fuzz_xs
 *     ./fuzz_xs -max_len=1024 tests/fuzz/corpus/xs_request
 *
 * One operation: a byte (its low 3 bits: what; bit 3 and 4: connection), then what that needs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/input.h"
#include "splitdom/xen/xs_wire.h"
#include "xenstore/server/xs_conn.h"
#include "xenstore/server/xs_local.h"
#include "xenstore/server/xs_ring.h"
#include "xenstore/server/xs_server.h"

enum { CONNS = 4, RING_CONN = 3 };

struct world {
    struct xs_server *server;
    struct xs_conn *conn[CONNS];
    struct xenstore_domain_interface page;
    bool page_is_broken;
    struct xs_local_watch *watch;
    unsigned changes;             /* that it has heard of */
    struct xsd_sockmsg in[CONNS]; /* header of the message being taken from the output */
    size_t in_used[CONNS];        /* of header and payload */
};

static const struct {
    domid_t domid;
    bool privileged;
} who[CONNS] = {{0, true}, {0, true}, {1, false}, {2, false}};

static const char *const paths[] = {
    "/",
    "/local/domain/1",
    "/local/domain/2",
    "a",
    "a/b",
    "a/b/c",
    "/t",
    "/t/a",
    "/t/b",
    "/t/c",
    "/t/a/b",
    "/t/d",
    "/tool",
    "/local",
    "@introduceDomain",
    "",
    "@releaseDomain",
    "/t//",
    "/t/e/f",
    "/t/e/g",
    "/local/domain/1/a/b2",
    "d",
    "e",
    "f",
    "@releaseDomain/1",
    "@nosuch",
};

/* Copies up to max bytes of the input, their number taken from it, too. */
static size_t take_some(struct input *in, void *out, size_t max)
{
    size_t n = take(in);
    return take_bytes(in, out, n < max ? n : max);
}

static void open_conn(struct world *w, int i)
{
    xs_conn_close(w->conn[i]);
    w->in_used[i] = 0;
    require(xs_conn_open(w->server, who[i].domid, who[i].privileged, NULL, NULL, &w->conn[i]) == 0);
}

/* Checks message boundaries in what a connection sends. */
static void check_output(struct world *w, int i, const char *bytes, size_t n)
{
    struct xsd_sockmsg *hdr = &w->in[i];
    for (size_t at = 0; at < n;) {
        size_t *used = &w->in_used[i], size = sizeof(*hdr);
        if (*used >= size)
            size += hdr->len;
        size_t part = size - *used < n - at ? size - *used : n - at;
        if (*used < sizeof(*hdr))
            memcpy((char *)hdr + *used, bytes + at, part);
        at += part;
        *used += part;
        if (*used == sizeof(*hdr)) {
            require(hdr->len <= XENSTORE_PAYLOAD_MAX && hdr->type <= XS_SET_QUOTA);
            require(hdr->type != XS_WATCH_EVENT || (hdr->req_id == 0 && hdr->tx_id == 0));
        }
        if (*used >= sizeof(*hdr) && *used == sizeof(*hdr) + hdr->len)
            *used = 0;
    }
}

static void drain(struct world *w, int i, size_t max)
{
    const void *bytes;
    size_t n = xs_conn_output(w->conn[i], &bytes);
    if (n > max)
        n = max;
    check_output(w, i, bytes, n);
    xs_conn_output_done(w->conn[i], n);
}

static void feed(struct world *w, int i, const char *bytes, size_t n)
{
    for (int tries = 0; n > 0 && tries < 64; tries++) {
        size_t room = xs_conn_input_room(w->conn[i]);
        size_t part = room < n ? room : n;
        if (part == 0) {
            xs_server_run(w->server, 4);
            drain(w, i, SIZE_MAX);
        } else if (xs_conn_input(w->conn[i], bytes, part) < 0) {
            open_conn(w, i);
            return;
        }
        bytes += part;
        n -= part;
    }
    if (n > 0)
        open_conn(w, i); /* deaf: its domain is gone */
}

static void op_request(struct world *w, int i, struct input *in)
{
    char message[sizeof(struct xsd_sockmsg) + 512];
    struct xsd_sockmsg hdr = {.type = take(in) % 28u, .req_id = take(in)};
    hdr.tx_id = take(in) % 5u;
    char *payload = message + sizeof(hdr);
    uint8_t path = take(in);
    if (path < sizeof(paths) / sizeof(paths[0])) {
        strcpy(payload, paths[path]);
        hdr.len = (uint32_t)strlen(payload) + 1;
    }
    hdr.len += (uint32_t)take_some(in, payload + hdr.len, 255);
    memcpy(message, &hdr, sizeof(hdr));
    feed(w, i, message, sizeof(hdr) + hdr.len);
}

static void op_domain(struct world *w, struct input *in)
{
    uint8_t what = take(in);
    domid_t domid = 1 + (what & 1);
    if ((what & 2) != 0) {
        xs_server_introduce(w->server, domid); /* one that does not exist has nothing to lose */
        xs_server_release(w->server, domid);
        require(xs_server_nodes(w->server, domid) == 0);
    } else {
        xs_server_introduce(w->server, domid);
    }
}

/* The domain scribbles over its ring page. */
static void op_ring(struct world *w, struct input *in)
{
    bool notify = false;
    uint8_t what = take(in);
    if (w->page_is_broken)
        return;
    if ((what & 1) != 0)
        w->page.req_prod += (uint32_t)take_some(in, w->page.req, sizeof(w->page.req));
    if ((what & 2) != 0)
        w->page.rsp_cons = w->page.rsp_prod;
    if ((what & 4) != 0)
        w->page.connection = XENSTORE_RECONNECT;
    if ((what & 24) == 24)
        take_some(in, &w->page.req_cons, sizeof(w->page) - XENSTORE_RING_SIZE * 2);
    w->in_used[RING_CONN] = 0;
    w->page_is_broken = xs_ring_pump(&w->page, w->conn[RING_CONN], &notify) < 0;
    open_conn(w, RING_CONN); /* what went through the page is not looked at */
}

static void on_change(void *ctx, const char *path)
{
    struct world *w = ctx;
    /* Not for ever: the write may concern this very watch. */
    if (w->changes++ < 16)
        require(xs_local_write(w->server, "/t/seen", path) == 0);
}

static void op_local(struct world *w, struct input *in)
{
    uint8_t what = take(in);
    const char *path = paths[take(in) % (sizeof(paths) / sizeof(paths[0]))];
    static const char *const perms[] = {"n1", "b2"};
    char text[64];
    switch (what % 5) {
    case 0:
        snprintf(text, sizeof(text), "%d", what);
        xs_local_write(w->server, path, text);
        break;
    case 1:
        xs_local_rm(w->server, path);
        break;
    case 2:
        xs_local_set_perms(w->server, path, perms, 1 + what / 5 % 2);
        break;
    case 3:
        xs_local_read(w->server, path, text, sizeof(text));
        break;
    default:
        xs_local_unwatch(w->watch);
        w->watch = NULL;
        xs_local_watch(w->server, path, on_change, w, &w->watch);
        break;
    }
}

static void operate(struct world *w, struct input *in)
{
    uint8_t what = take(in);
    int i = what >> 3 & 3;
    char raw[255];
    switch (what & 7) {
    case 0:
    case 1:
        op_request(w, i, in);
        break;
    case 2:
        feed(w, i, raw, take_some(in, raw, sizeof(raw)));
        break;
    case 3:
        drain(w, i, take(in));
        break;
    case 4:
        if ((what & 0x40) != 0)
            open_conn(w, i);
        else
            op_domain(w, in);
        break;
    case 5:
        op_ring(w, in);
        break;
    case 6:
        op_local(w, in);
        break;
    default:
        xs_server_run(w->server, take(in));
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Small limits, so that short inputs meet them. */
    const struct xs_quota quota = {.nodes = 12,
                                   .watches = 4,
                                   .outstanding = 3,
                                   .transactions = 2,
                                   .transaction_nodes = 6,
                                   .perms = 3,
                                   .node_bytes = 32,
                                   .path_bytes = 40};
    struct input in = {data, size};
    struct world w = {0};
    require(xs_server_create(&quota, &w.server) == 0);
    xs_ring_init(&w.page);
    for (int i = 0; i < CONNS; i++)
        open_conn(&w, i);
    while (in.left > 0) {
        operate(&w, &in);
        require(xs_server_check(w.server) == 0);
    }
    for (int i = 0; i < 1000 && xs_server_run(w.server, 100); i++) {
        for (int c = 0; c < CONNS; c++)
            drain(&w, c, SIZE_MAX);
    }
    require(xs_server_check(w.server) == 0);
    xs_server_destroy(w.server);
    return 0;
}
