/* SPDX-License-Identifier: MIT */
#include "fakes/fake_nbd.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define NBD_MAGIC      UINT64_C(0x4e42444d41474943)
#define OPTION_MAGIC   UINT64_C(0x49484156454F5054)
#define OPTION_REPLY   UINT64_C(0x3e889045565a9)
#define REQUEST_MAGIC  0x25609513u
#define REPLY_MAGIC    0x67446698u
#define ERROR_UNKNOWN  ((1u << 31) | 1)
#define ERROR_SHUTDOWN 108u

enum { OPTION_GO = 7, REPLY_ACK = 1, REPLY_INFO = 3, INFO_EXPORT = 0, HAS_FLAGS = 1, FIXED = 1 };
enum { COMMAND_READ, COMMAND_WRITE, COMMAND_DISCONNECT, COMMAND_FLUSH, COMMAND_TRIM };

struct __attribute__((packed)) option {
    uint64_t magic;
    uint32_t option, length;
};

struct __attribute__((packed)) option_reply {
    uint64_t magic;
    uint32_t option, type, length;
};

struct __attribute__((packed)) request {
    uint32_t magic;
    uint16_t flags, type;
    uint64_t cookie, offset;
    uint32_t length;
};

struct __attribute__((packed)) reply {
    uint32_t magic, error;
    uint64_t cookie;
};

static void check(bool good)
{
    if (!good)
        abort();
}

static bool get(int fd, void *data, size_t bytes)
{
    return bytes == 0 || recv(fd, data, bytes, MSG_WAITALL) == (ssize_t)bytes;
}

static bool put(int fd, const void *data, size_t bytes)
{
    return send(fd, data, bytes, MSG_NOSIGNAL) == (ssize_t)bytes;
}

static bool put_reply(int fd, uint32_t option, uint32_t type, const void *data, uint32_t bytes)
{
    const struct option_reply reply = {.magic = htobe64(OPTION_REPLY),
                                       .option = option,
                                       .type = htobe32(type),
                                       .length = htobe32(bytes)};
    return put(fd, &reply, sizeof(reply)) && put(fd, data, bytes);
}

static bool greet(struct fake_nbd_connection *c)
{
    const struct fake_nbd *nbd = c->nbd;
    struct __attribute__((packed)) {
        uint64_t magic, option_magic;
        uint16_t flags;
    } hello = {htobe64(NBD_MAGIC), htobe64(OPTION_MAGIC), htobe16(FIXED)};
    struct __attribute__((packed)) {
        uint16_t type;
        uint64_t size;
        uint16_t flags;
    } export = {htobe16(INFO_EXPORT), htobe64(nbd->size_bytes),
                htobe16((uint16_t)(HAS_FLAGS | nbd->flags))};
    uint32_t client_flags;
    struct option option;
    uint8_t data[512];
    if (!put(c->fd, &hello, sizeof(hello)) || !get(c->fd, &client_flags, sizeof(client_flags)))
        return false;
    while (get(c->fd, &option, sizeof(option))) {
        if (be32toh(option.length) > sizeof(data) || !get(c->fd, data, be32toh(option.length)))
            return false;
        if (be32toh(option.option) == OPTION_GO)
            return put_reply(c->fd, option.option, REPLY_INFO, &export, sizeof(export)) &&
                   put_reply(c->fd, option.option, REPLY_ACK, NULL, 0);
        if (!put_reply(c->fd, option.option, ERROR_UNKNOWN, NULL, 0))
            return false;
    }
    return false;
}

/* With the lock: other connections may have the same bytes. */
static bool carry_out(struct fake_nbd_connection *c, const struct request *request)
{
    uint32_t length = be32toh(request->length), type = be16toh(request->type);
    uint64_t offset = be64toh(request->offset);
    struct reply reply = {.magic = htobe32(REPLY_MAGIC), .cookie = request->cookie};
    uint8_t data[FAKE_NBD_BYTES];
    bool moves = type == COMMAND_READ || type == COMMAND_WRITE;
    check(!moves || (length <= sizeof(data) && offset + length <= FAKE_NBD_BYTES));
    if (type == COMMAND_WRITE && !get(c->fd, data, length))
        return false;
    (void)eventfd_write(c->nbd->seen_fd, 1);
    if (type == COMMAND_DISCONNECT || c->manner == FAKE_NBD_HANGS_UP)
        return false;
    if (c->manner == FAKE_NBD_MUTE || (c->manner == FAKE_NBD_NO_WRITES && type == COMMAND_WRITE))
        return true;
    if (c->manner == FAKE_NBD_SHUTS_DOWN) {
        reply.error = htobe32(ERROR_SHUTDOWN);
        return put(c->fd, &reply, sizeof(reply));
    }
    pthread_mutex_lock(&c->nbd->lock);
    if (type == COMMAND_WRITE)
        memcpy(c->nbd->bytes + offset, data, length);
    else if (type == COMMAND_READ)
        memcpy(data, c->nbd->bytes + offset, length);
    else if (type == COMMAND_TRIM)
        memset(c->nbd->bytes + offset, 0, length);
    pthread_mutex_unlock(&c->nbd->lock);
    return put(c->fd, &reply, sizeof(reply)) &&
           (type != COMMAND_READ || put(c->fd, data, length)) && c->manner != FAKE_NBD_NO_WRITES;
}

static void *serve(void *arg)
{
    struct fake_nbd_connection *c = arg;
    struct request request;
    if (greet(c) && c->manner != FAKE_NBD_GREETS) {
        while (get(c->fd, &request, sizeof(request)) && be32toh(request.magic) == REQUEST_MAGIC &&
               carry_out(c, &request))
            continue;
    }
    (void)shutdown(c->fd, SHUT_RDWR);
    if (c->manner == FAKE_NBD_GREETS)
        (void)eventfd_write(c->nbd->seen_fd, 1);
    return NULL;
}

static void *accept_all(void *arg)
{
    struct fake_nbd *nbd = arg;
    int fd;
    while ((fd = accept(nbd->listen_fd, NULL, NULL)) >= 0) {
        pthread_mutex_lock(&nbd->lock);
        check(nbd->connection_count < FAKE_NBD_CONNECTIONS_MAX);
        struct fake_nbd_connection *c = &nbd->connections[nbd->connection_count++];
        *c = (struct fake_nbd_connection){.nbd = nbd, .manner = nbd->manner, .fd = fd};
        check(pthread_create(&c->thread, NULL, serve, c) == 0);
        pthread_mutex_unlock(&nbd->lock);
    }
    return NULL;
}

void fake_nbd_init(struct fake_nbd *nbd)
{
    *nbd = (struct fake_nbd){.size_bytes = FAKE_NBD_BYTES,
                             .flags = FAKE_NBD_SEND_FLUSH | FAKE_NBD_SEND_TRIM,
                             .listen_fd = -1,
                             .seen_fd = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE)};
    check(nbd->seen_fd >= 0);
    pthread_mutex_init(&nbd->lock, NULL);
    strcpy(nbd->directory, "/tmp/splitdom-nbd-XXXXXX");
    check(mkdtemp(nbd->directory) != NULL);
    snprintf(nbd->path, sizeof(nbd->path), "%s/s", nbd->directory);
    snprintf(nbd->uri, sizeof(nbd->uri), "nbd+unix:///?socket=%s", nbd->path);
}

void fake_nbd_start(struct fake_nbd *nbd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", nbd->path);
    nbd->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(bind(nbd->listen_fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    check(listen(nbd->listen_fd, FAKE_NBD_CONNECTIONS_MAX) == 0);
    check(pthread_create(&nbd->thread, NULL, accept_all, nbd) == 0);
}

void fake_nbd_kill(struct fake_nbd *nbd)
{
    if (nbd->listen_fd < 0)
        return;
    unlink(nbd->path);
    (void)shutdown(nbd->listen_fd, SHUT_RDWR); /* accept returns */
    pthread_join(nbd->thread, NULL);
    close(nbd->listen_fd);
    nbd->listen_fd = -1;
    for (uint32_t i = 0; i < nbd->connection_count; i++) {
        (void)shutdown(nbd->connections[i].fd, SHUT_RDWR);
        pthread_join(nbd->connections[i].thread, NULL);
        close(nbd->connections[i].fd);
    }
    nbd->connection_count = 0;
}

void fake_nbd_fini(struct fake_nbd *nbd)
{
    fake_nbd_kill(nbd);
    close(nbd->seen_fd);
    pthread_mutex_destroy(&nbd->lock);
    check(rmdir(nbd->directory) == 0);
}

void fake_nbd_set_manner(struct fake_nbd *nbd, enum fake_nbd_manner manner)
{
    pthread_mutex_lock(&nbd->lock);
    nbd->manner = manner;
    pthread_mutex_unlock(&nbd->lock);
}

void fake_nbd_wait_command(struct fake_nbd *nbd)
{
    eventfd_t one;
    check(eventfd_read(nbd->seen_fd, &one) == 0);
}
