/* SPDX-License-Identifier: MIT */
#include "service/loop/listener.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

static void on_listen(void *ctx, uint32_t revents)
{
    struct listener *l = ctx;
    if ((revents & POLLER_BROKEN) != 0)
        (void)poller_fail(l->poller, -EIO, l->what);
    l->waits = true;
}

/* Replaces the socket, if there is one, by another at this path. */
static int listen_at(struct listener *l, const char *path)
{
    struct unix_listener fresh;
    struct poller_watch *watch;
    int rc = unix_listener_open(&fresh, path, l->type, l->backlog);
    if (rc < 0)
        return rc;
    rc = poller_add(l->poller, fresh.fd, POLLIN, on_listen, l, &watch);
    if (rc < 0) {
        unix_listener_close(&fresh);
        return rc;
    }
    listener_close(l);
    l->socket = fresh;
    l->watch = watch;
    return 0;
}

int listener_open(struct listener *l, const char *path)
{
    l->watch = NULL;
    return listen_at(l, path);
}

void listener_close(struct listener *l)
{
    if (l->watch == NULL)
        return;
    poller_remove(l->poller, l->watch);
    l->watch = NULL;
    l->waits = false;
    unix_listener_close(&l->socket);
}

int listener_accept(struct listener *l, int flags)
{
    int fd = accept4(l->socket.fd, NULL, NULL, flags | SOCK_CLOEXEC);
    if (fd >= 0)
        return fd;
    if (errno == EINTR || errno == ECONNABORTED)
        return -EINTR;
    bool failed = errno != EAGAIN;
    if (failed && !l->failed)
        log_limited(l->log, l->limit, "%s: accept: %s: trying again", l->name, strerror(errno));
    l->failed = failed;
    l->waits = false;
    return -EAGAIN;
}

bool listener_has_queue(const struct listener *l)
{
    struct pollfd queue = {.fd = l->socket.fd, .events = POLLIN};
    return poll(&queue, 1, 0) != 0;
}

bool listener_must_retry(const struct listener *l)
{
    return l->failed && l->watch != NULL;
}

void listener_retry(struct listener *l)
{
    l->waits |= listener_must_retry(l);
}

int listener_renew(struct listener *l)
{
    char path[UNIX_SOCKET_PATH_SIZE];
    if (l->watch == NULL || owned_path_is_there(&l->socket.owned, l->socket.path))
        return 0;
    memcpy(path, l->socket.path, sizeof(path));
    int rc = listen_at(l, path);
    l->waits |= rc == 0; /* somebody may have come before we watched */
    return rc;
}
