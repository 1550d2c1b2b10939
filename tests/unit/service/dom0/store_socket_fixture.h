/* SPDX-License-Identifier: MIT */
/* store_socket_fixture: a store on a socket of its own, and its clients. */
#ifndef SPLITDOM_TESTS_UNIT_SERVICE_DOM0_STORE_SOCKET_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_SERVICE_DOM0_STORE_SOCKET_FIXTURE_H

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/unix_socket.h"
#include "fakes/no_descriptors.h"
#include "service/dom0/store_socket.h"
#include "splitdom/xen/xs_wire.h"

enum { PEERS_MAX = 3, TURNS = 8, STORE_BUDGET = 16 };

struct fixture {
    char dir[64], socket[96], log_path[96];
    struct poller *poller;
    struct log *log;
    struct xs_server *store;
    struct store_socket *ss;
};

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    if (f == NULL)
        return -1;
    *state = f;
    snprintf(f->dir, sizeof(f->dir), "/tmp/splitdom-store-XXXXXX");
    if (mkdtemp(f->dir) == NULL)
        return -1;
    snprintf(f->socket, sizeof(f->socket), "%s/xenstore.sock", f->dir);
    snprintf(f->log_path, sizeof(f->log_path), "%s/log", f->dir);
    if (log_open(&(struct log_options){.path = f->log_path}, &f->log) < 0 ||
        poller_create(POLLER_EPOLL, &f->poller) < 0 || xs_server_create(NULL, &f->store) < 0)
        return -1;
    return store_socket_create(f->socket, f->poller, f->store, f->log, PEERS_MAX, &f->ss);
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    store_socket_destroy(f->ss);
    xs_server_destroy(f->store);
    poller_destroy(f->poller);
    log_close(f->log);
    unlink(f->log_path);
    int rc = rmdir(f->dir);
    free(f);
    return rc;
}

/* What Dom0's loop does in a turn. Whether it would go on without sleeping. */
static inline bool turn(struct fixture *f)
{
    bool more = poller_run(f->poller, false) > 0;
    more |= store_socket_pump(f->ss);
    more |= xs_server_run(f->store, STORE_BUDGET);
    more |= store_socket_pump(f->ss);
    return more;
}

static inline void run(struct fixture *f)
{
    for (int i = 0; i < TURNS || (turn(f) && i < 10000); i++) {
    }
}

static inline int dial(struct fixture *f)
{
    int fd = unix_socket_connect(f->socket, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    return fd;
}

/* A READ of path as bytes; returns their number. */
static inline size_t read_request(char *bytes, const char *path)
{
    struct xsd_sockmsg hdr = {.type = XS_READ, .req_id = 5, .len = (uint32_t)strlen(path) + 1};
    memcpy(bytes, &hdr, sizeof(hdr));
    memcpy(bytes + sizeof(hdr), path, hdr.len);
    return sizeof(hdr) + hdr.len;
}

/* Takes a reply whole, if there is one. Returns its type, or -1. */
static inline int take_reply(int fd, char *payload)
{
    struct xsd_sockmsg hdr;
    ssize_t n = recv(fd, &hdr, sizeof(hdr), MSG_DONTWAIT);
    if (n < 0) {
        assert_int_equal(errno, EAGAIN);
        return -1;
    }
    assert_int_equal(n, sizeof(hdr));
    n = hdr.len == 0 ? 0 : recv(fd, payload, hdr.len, MSG_DONTWAIT | MSG_WAITALL);
    assert_int_equal(n, hdr.len);
    payload[hdr.len] = '\0';
    return (int)hdr.type;
}

static inline bool is_closed(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_DONTWAIT) == 0 || errno == ECONNRESET;
}

#endif
