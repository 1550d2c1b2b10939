/* SPDX-License-Identifier: MIT */
/* store_client_fixture: a child plays xenstore: it checks each request and sends the scripted
 * reply. */
#ifndef SPLITDOM_TESTS_UNIT_SERVICE_CLI_STORE_CLIENT_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_SERVICE_CLI_STORE_CLIENT_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/unix_socket.h"
#include "service/cli/store_client.h"

/* A literal with NULs inside, and its length without the last one. */
#define BYTES(literal) (literal), sizeof(literal) - 1

struct exchange {
    uint32_t type; /* of the request */
    const char *payload;
    size_t payload_bytes;
    uint32_t reply_type;
    const char *reply;
    size_t reply_bytes;
    uint32_t id_delta; /* added to the reply's id */
    uint32_t tx_id;
};

struct fixture {
    char directory[64];
    char path[96];
    struct unix_listener listener;
    pid_t child;
    struct store_client *client;
};

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    snprintf(f->directory, sizeof(f->directory), "/tmp/test_store.XXXXXX");
    if (mkdtemp(f->directory) == NULL)
        return -1;
    snprintf(f->path, sizeof(f->path), "%s/socket", f->directory);
    *state = f;
    return unix_listener_open(&f->listener, f->path, SOCK_STREAM, 1);
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;

    unix_listener_close(&f->listener);
    rmdir(f->directory);
    free(f);
    return 0;
}

static inline int play(int fd, const struct exchange *e)
{
    struct xsd_sockmsg header;
    char payload[XENSTORE_PAYLOAD_MAX];

    if (recv(fd, &header, sizeof(header), MSG_WAITALL) != (ssize_t)sizeof(header))
        return 1;
    if (header.type != e->type || header.tx_id != e->tx_id || header.len != e->payload_bytes)
        return 2;
    if (recv(fd, payload, header.len, MSG_WAITALL) != (ssize_t)header.len ||
        memcmp(payload, e->payload, header.len) != 0)
        return 3;
    header.type = e->reply_type;
    header.req_id += e->id_delta;
    header.len = (uint32_t)e->reply_bytes;
    if (send(fd, &header, sizeof(header), MSG_NOSIGNAL) != (ssize_t)sizeof(header))
        return 4;
    /* In two pieces, as a stream may bring it. */
    if (e->reply_bytes > 1 && send(fd, e->reply, 1, MSG_NOSIGNAL) != 1)
        return 5;
    const size_t sent = e->reply_bytes > 1 ? 1 : 0;
    return send(fd, e->reply + sent, e->reply_bytes - sent, MSG_NOSIGNAL) < 0 ? 6 : 0;
}

static inline void begin(struct fixture *f, const struct exchange *script, size_t count)
{
    f->child = fork();
    if (f->child == 0) {
        const int fd = accept(f->listener.fd, NULL, NULL);
        int rc = 0;
        for (size_t i = 0; i < count && rc == 0; i++)
            rc = play(fd, &script[i]);
        _exit(rc);
    }
    assert_int_equal(store_client_open(f->path, &f->client), 0);
}

static inline void end(struct fixture *f)
{
    int status;

    assert_int_equal(waitpid(f->child, &status, 0), f->child);
    store_client_close(f->client);
    assert_int_equal(status, 0);
}

#endif
