/* SPDX-License-Identifier: MIT */
#include "service/cli/store_client.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/decimal.h"
#include "base/unix_socket.h"

enum {
    PATH_SIZE = 160,
    DIRECTORY_MAX_BYTES = 1 << 20,
    DIRECTORY_RETRIES = 16, /* if it changed between two parts: again from the beginning */
};

struct store_client {
    int fd;
    uint32_t request_id;
    uint32_t tx_id;                         /* of the transaction; 0: none */
    uint32_t length;                        /* of the reply's payload */
    char payload[XENSTORE_PAYLOAD_MAX + 1]; /* of the last reply, with a NUL behind it */
};

int store_client_open(const char *socket_path, struct store_client **out)
{
    struct store_client *client = calloc(1, sizeof(*client));

    *out = NULL;
    if (client == NULL)
        return -ENOMEM;
    client->fd = unix_socket_connect(socket_path, SOCK_STREAM, STORE_CLIENT_TIMEOUT_S);
    if (client->fd < 0) {
        int rc = client->fd;
        store_client_close(client);
        return rc;
    }
    *out = client;
    return 0;
}

void store_client_close(struct store_client *client)
{
    if (client == NULL)
        return;
    if (client->fd >= 0)
        close(client->fd);
    free(client);
}

static int receive_all(int fd, void *out, size_t byte_count)
{
    char *next = out;

    while (byte_count > 0) {
        ssize_t count = recv(fd, next, byte_count, 0);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        if (count == 0)
            return -ECONNRESET;
        next += count;
        byte_count -= (size_t)count;
    }
    return 0;
}

/* xenstore sends an error as the name of its errno. */
static int error_by_name(const char *name)
{
    static const int errors[] = {EINVAL,    EACCES, EEXIST, EISDIR, ENOENT, ENOMEM,  ENOSPC, EIO,
                                 ENOTEMPTY, ENOSYS, EROFS,  EBUSY,  EAGAIN, EISCONN, E2BIG,  EPERM};

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        const char *known = strerrorname_np(errors[i]);
        if (known != NULL && strcmp(name, known) == 0)
            return -errors[i];
    }
    return -EIO;
}

/* Sends a request whose payload has up to two parts. The reply's payload is in client->payload. */
static int request(struct store_client *client, enum xsd_sockmsg_type type, const char *first,
                   size_t first_bytes, const char *second, size_t second_bytes)
{
    struct xsd_sockmsg header = {.type = (uint32_t)type,
                                 .req_id = ++client->request_id,
                                 .tx_id = client->tx_id,
                                 .len = (uint32_t)(first_bytes + second_bytes)};
    struct iovec parts[] = {
        {.iov_base = &header, .iov_len = sizeof(header)},
        {.iov_base = (void *)(uintptr_t)first, .iov_len = first_bytes},
        {.iov_base = (void *)(uintptr_t)second, .iov_len = second_bytes},
    };
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = 3};
    size_t total = sizeof(header) + first_bytes + second_bytes;
    ssize_t sent;
    int rc;

    if (first_bytes + second_bytes > XENSTORE_PAYLOAD_MAX)
        return -E2BIG;
    do
        sent = sendmsg(client->fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return errno == EAGAIN ? -ETIMEDOUT : -errno;
    if ((size_t)sent != total)
        return -ETIMEDOUT; /* a stream socket takes less only when the time is up */
    rc = receive_all(client->fd, &header, sizeof(header));
    if (rc < 0)
        return rc;
    if (header.len > XENSTORE_PAYLOAD_MAX || header.req_id != client->request_id)
        return -EPROTO;
    client->length = header.len;
    rc = receive_all(client->fd, client->payload, header.len);
    client->payload[header.len] = '\0';
    if (rc < 0)
        return rc;
    if (header.type == XS_ERROR)
        return error_by_name(client->payload);
    return header.type == (uint32_t)type ? 0 : -EPROTO;
}

int store_client_read(struct store_client *client, const char *path,
                      char value[XENSTORE_PAYLOAD_MAX + 1])
{
    int rc = request(client, XS_READ, path, strlen(path) + 1, "", 0);

    if (rc == 0)
        memcpy(value, client->payload, (size_t)client->length + 1);
    return rc;
}

int store_client_write(struct store_client *client, const char *path, const char *value)
{
    return request(client, XS_WRITE, path, strlen(path) + 1, value, strlen(value));
}

int store_client_begin(struct store_client *client)
{
    uint64_t id;
    assert(client->tx_id == 0);
    int rc = request(client, XS_TRANSACTION_START, "", 1, "", 0);
    if (rc < 0)
        return rc;
    if (decimal_parse(client->payload, 1, UINT32_MAX, &id) < 0)
        return -EPROTO;
    client->tx_id = (uint32_t)id;
    return 0;
}

int store_client_end(struct store_client *client, bool commit)
{
    int rc = request(client, XS_TRANSACTION_END, commit ? "T" : "F", 2, "", 0);
    client->tx_id = 0;
    return rc;
}

/*
 * Asks for the part of the directory that begins at offset. The payload is the node's generation,
 * its NUL, and then names; the last part has an empty name at its end.
 */
static int request_part(struct store_client *client, const char *path, size_t offset)
{
    char payload[XENSTORE_ABS_PATH_MAX + 32];
    int length;

    if (strlen(path) >= XENSTORE_ABS_PATH_MAX)
        return -E2BIG;
    length = snprintf(payload, sizeof(payload), "%s%c%zu", path, '\0', offset);
    return request(client, XS_DIRECTORY_PART, payload, (size_t)length + 1, "", 0);
}

/* Collects all parts. -EAGAIN: the directory changed between two parts. */
static int read_parts(struct store_client *client, const char *path, char **names)
{
    char generation[32] = "";
    char *collected = NULL;
    size_t total = 0;
    int rc = 0;

    while (rc == 0) {
        rc = request_part(client, path, total);
        if (rc < 0)
            break;
        size_t head = strlen(client->payload) + 1;
        if (head > sizeof(generation) || head > client->length ||
            total + client->length > DIRECTORY_MAX_BYTES) {
            rc = -EPROTO;
            break;
        }
        if (total == 0)
            memcpy(generation, client->payload, head);
        else if (strcmp(generation, client->payload) != 0)
            rc = -EAGAIN;
        size_t bytes = client->length - head;
        char *grown = realloc(collected, total + bytes + 2);
        if (grown == NULL) {
            rc = -ENOMEM;
            break;
        }
        collected = grown;
        memcpy(collected + total, client->payload + head, bytes);
        total += bytes;
        memset(collected + total, 0, 2);
        if (bytes == 0 || collected[total - 1] != '\0')
            rc = -EPROTO;
        else if (bytes == 1 || collected[total - 2] == '\0')
            break;
    }
    if (rc < 0) {
        free(collected);
        return rc;
    }
    *names = collected;
    return 0;
}

int store_client_directory(struct store_client *client, const char *path, char **names)
{
    int rc = request(client, XS_DIRECTORY, path, strlen(path) + 1, "", 0);

    *names = NULL;
    if (rc == -E2BIG) {
        for (int i = 0; i < DIRECTORY_RETRIES; i++) {
            rc = read_parts(client, path, names);
            if (rc != -EAGAIN)
                break;
        }
        return rc;
    }
    if (rc < 0)
        return rc;
    *names = calloc(1, (size_t)client->length + 2); /* the empty name at the end */
    if (*names == NULL)
        return -ENOMEM;
    memcpy(*names, client->payload, client->length);
    return 0;
}

int store_client_devices(struct store_client *client, uint32_t domid, const char *class,
                         char **names)
{
    char path[PATH_SIZE];

    snprintf(path, sizeof(path), "/local/domain/%" PRIu32, domid);
    int rc = store_client_directory(client, path, names);
    if (rc < 0)
        return rc;
    free(*names);
    snprintf(path, sizeof(path), "/local/domain/0/backend/%s/%" PRIu32, class, domid);
    rc = store_client_directory(client, path, names);
    if (rc != -ENOENT)
        return rc;
    *names = calloc(1, 1);
    return *names == NULL ? -ENOMEM : 0;
}

int64_t store_client_number(struct store_client *client, const char *directory, const char *node)
{
    char path[PATH_SIZE], value[XENSTORE_PAYLOAD_MAX + 1];
    uint64_t number;

    snprintf(path, sizeof(path), "%s/%s", directory, node);
    if (store_client_read(client, path, value) < 0 ||
        decimal_parse(value, 0, UINT32_MAX, &number) < 0)
        return -1;
    return (int64_t)number;
}
