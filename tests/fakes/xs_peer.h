/* SPDX-License-Identifier: MIT */
/*
 * xs_peer: a peer of the store for tests: sends requests through a connection and takes replies and
 * events apart.
 */
#ifndef SPLITDOM_TESTS_XS_PEER_H
#define SPLITDOM_TESTS_XS_PEER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "splitdom/xen/xs_wire.h"
#include "xenstore/server/xs_conn.h"
#include "xenstore/server/xs_server.h"

struct xs_peer {
    struct xs_server *server;
    struct xs_conn *conn;
    struct xsd_sockmsg hdr; /* of the last message taken */
    char payload[XENSTORE_PAYLOAD_MAX + 1];
};

static inline void xs_peer_open(struct xs_peer *peer, struct xs_server *server, domid_t domid)
{
    *peer = (struct xs_peer){.server = server};
    assert_int_equal(xs_conn_open(server, domid, domid == 0, NULL, NULL, &peer->conn), 0);
}

static inline void xs_peer_put(struct xs_peer *peer, const void *bytes, size_t n)
{
    for (const char *at = bytes; n > 0;) {
        size_t room = xs_conn_input_room(peer->conn);
        assert_true(room > 0);
        size_t part = room < n ? room : n;
        assert_int_equal(xs_conn_input(peer->conn, at, part), 0);
        at += part;
        n -= part;
    }
}

static inline void xs_peer_send(struct xs_peer *peer, uint32_t type, uint32_t tx,
                                const char *payload, size_t len)
{
    struct xsd_sockmsg hdr = {type, 77, tx, (uint32_t)len};
    xs_peer_put(peer, &hdr, sizeof(hdr));
    xs_peer_put(peer, payload, len);
}

/* Takes the next message out of the connection; false: there is none. */
static inline bool xs_peer_take(struct xs_peer *peer)
{
    const void *bytes;
    size_t n = xs_conn_output(peer->conn, &bytes);
    if (n == 0)
        return false;
    assert_true(n >= sizeof(peer->hdr));
    memcpy(&peer->hdr, bytes, sizeof(peer->hdr));
    assert_true(n >= sizeof(peer->hdr) + peer->hdr.len);
    memcpy(peer->payload, (const char *)bytes + sizeof(peer->hdr), peer->hdr.len);
    peer->payload[peer->hdr.len] = '\0';
    xs_conn_output_done(peer->conn, sizeof(peer->hdr) + peer->hdr.len);
    return true;
}

static inline void xs_peer_run(struct xs_server *server)
{
    for (int i = 0; i < 10000 && xs_server_run(server, 64); i++) {
    }
}

/* Sends a request and takes its reply, which must come first; returns its type. */
static inline uint32_t xs_peer_call(struct xs_peer *peer, uint32_t type, uint32_t tx,
                                    const char *payload, size_t len)
{
    xs_peer_send(peer, type, tx, payload, len);
    xs_peer_run(peer->server);
    do
        assert_true(xs_peer_take(peer));
    while (peer->hdr.type == XS_WATCH_EVENT);
    assert_int_equal(peer->hdr.req_id, 77);
    assert_int_equal(peer->hdr.tx_id, tx);
    return peer->hdr.type;
}

/* A request whose payload is a literal with the NULs that it needs, the last one left out. */
#define xs_peer_ask(peer, type, tx, literal) xs_peer_call(peer, type, tx, literal, sizeof(literal))

static inline void xs_peer_expect_error(struct xs_peer *peer, const char *name)
{
    assert_int_equal(peer->hdr.type, XS_ERROR);
    assert_string_equal(peer->payload, name);
    assert_int_equal(peer->hdr.len, strlen(name) + 1);
}

static inline void xs_peer_expect_ok(struct xs_peer *peer, uint32_t type)
{
    if (peer->hdr.type == XS_ERROR)
        print_error("unexpected %s\n", peer->payload);
    assert_int_equal(peer->hdr.type, type);
    assert_int_equal(peer->hdr.len, 3);
    assert_string_equal(peer->payload, "OK");
}

static inline void xs_peer_write(struct xs_peer *peer, uint32_t tx, const char *path,
                                 const char *value)
{
    char payload[XENSTORE_PAYLOAD_MAX];
    int len = snprintf(payload, sizeof(payload), "%s%c%s", path, '\0', value);
    xs_peer_call(peer, XS_WRITE, tx, payload, (size_t)len);
}

static inline void xs_peer_read(struct xs_peer *peer, uint32_t tx, const char *path)
{
    xs_peer_call(peer, XS_READ, tx, path, strlen(path) + 1);
}

static inline void xs_peer_expect_value(struct xs_peer *peer, uint32_t tx, const char *path,
                                        const char *value)
{
    xs_peer_read(peer, tx, path);
    assert_int_equal(peer->hdr.type, XS_READ);
    assert_string_equal(peer->payload, value);
}

static inline uint32_t xs_peer_begin(struct xs_peer *peer)
{
    assert_int_equal(xs_peer_ask(peer, XS_TRANSACTION_START, 0, ""), XS_TRANSACTION_START);
    uint32_t id = 0;
    for (const char *p = peer->payload; *p != '\0'; p++)
        id = id * 10 + (uint32_t)(*p - '0');
    assert_int_not_equal(id, 0);
    return id;
}

/* The next message is the event of that path and token. */
static inline void xs_peer_expect_event(struct xs_peer *peer, const char *path, const char *token)
{
    xs_peer_run(peer->server);
    assert_true(xs_peer_take(peer));
    assert_int_equal(peer->hdr.type, XS_WATCH_EVENT);
    assert_int_equal(peer->hdr.req_id, 0);
    assert_int_equal(peer->hdr.tx_id, 0);
    assert_string_equal(peer->payload, path);
    assert_string_equal(peer->payload + strlen(path) + 1, token);
    assert_int_equal(peer->hdr.len, strlen(path) + strlen(token) + 2);
}

static inline void xs_peer_expect_silence(struct xs_peer *peer)
{
    xs_peer_run(peer->server);
    assert_false(xs_peer_take(peer));
}

#endif
