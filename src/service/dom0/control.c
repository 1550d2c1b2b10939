/* SPDX-License-Identifier: MIT */
#include "service/dom0/control.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container_of.h"
#include "service/dom0/control_private.h"
#include "service/dom0/control_room.h"

enum { LISTEN_BACKLOG = 128, PACKETS_PER_RUN = 4, ACCEPTS_PER_RUN = 4, RUN_NS = 200000 };

struct control_peer *control_first_peer(struct control *control)
{
    return container_or_null(list_first(&control->peers), struct control_peer, link);
}

struct control_peer *control_next_peer(struct control_peer *peer)
{
    return container_or_null(list_next(&peer->owner->peers, &peer->link), struct control_peer,
                             link);
}

void control_close_peer(struct control_peer *peer)
{
    struct control *control = peer->owner;
    if (peer->waits)
        control->ops->forget(control->ctx, peer);
    peer->waits = false;
    if (peer->traces)
        control->ops->trace_end(control->ctx, peer);
    if (peer->domain != NULL)
        control->ops->end_domain(control->ctx, peer->domain);
    poller_remove(control->poller, peer->watch);
    list_drop(&peer->ready);
    close(peer->fd);
    list_remove(&peer->link);
    control->peer_count--;
    control->is_full = false;
    free(peer);
}

static void make_ready(struct control_peer *peer)
{
    if (!list_is_linked(&peer->ready))
        list_push_back(&peer->owner->ready, &peer->ready);
}

static void on_peer(void *ctx, uint32_t revents)
{
    struct control_peer *peer = ctx;
    peer->failed |= (revents & (POLLERR | POLLNVAL)) != 0;
    make_ready(peer);
}

/* It had its turn, and would give way to one that had none. More may have come from it. */
static void answered(struct control_peer *peer)
{
    peer->had_answer = true;
    peer->owner->is_full = false;
    make_ready(peer);
}

void control_answer(struct control_peer *asker, int status, const char *reason)
{
    asker->waits = false;
    /* Closed in its turn: somebody may be going through all connections. */
    asker->failed |= control_reply_text(asker, status, reason) < 0;
    answered(asker);
}

/* Serves one packet of a peer that has been taken off the list. The peer stays in turn until there
 * is nothing left: no edge tells again. */
static void serve_peer(struct control_peer *peer)
{
    struct control_packet packet;
    ssize_t n = recv(peer->fd, &packet, sizeof(packet), MSG_DONTWAIT | MSG_TRUNC);
    if (n < 0 && errno == EAGAIN && peer->failed) {
        log_limited(peer->owner->log, &peer->owner->log_limit,
                    "dom0.sock: a connection cannot be watched any more: closed");
        control_close_peer(peer);
        return;
    }
    if (n < 0 && errno == EAGAIN)
        return;
    if (n < 0 && errno == EINTR)
        make_ready(peer);
    else if (n < 0 || n > (ssize_t)sizeof(packet) || control_serve(peer, &packet, (size_t)n) < 0)
        control_close_peer(peer);
    else if (!peer->waits)
        answered(peer);
    else
        make_ready(peer); /* its end may have come, too */
}

static bool same_user(int fd)
{
    uid_t uid;
    return unix_socket_peer_uid(fd, &uid) == 0 && (uid == geteuid() || uid == 0);
}

static void add_peer(struct control *control, int fd)
{
    struct control_peer *peer = calloc(1, sizeof(*peer));
    if (peer == NULL) {
        close(fd);
        return;
    }
    peer->owner = control;
    peer->fd = fd;
    peer->since_ns = clock_monotonic_ns();
    list_push_back(&control->peers, &peer->link);
    control->peer_count++;
    if (poller_add(control->poller, fd, POLLIN, on_peer, peer, &peer->watch) < 0)
        control_close_peer(peer);
}

static void refuse(struct control *control, int fd, const char *why)
{
    struct control_reply reply = {.magic = CONTROL_MAGIC, .status = -EAGAIN};
    snprintf(reply.reason, sizeof(reply.reason), "%s", why);
    (void)control_send_reply(fd, &reply, NULL, 0);
    log_limited(control->log, &control->log_limit, "dom0.sock: a connection refused: %s", why);
    close(fd);
}

static void take(struct control *control, int fd, enum control_room room)
{
    if (!same_user(fd))
        refuse(control, fd, "this service belongs to another user");
    else if (room == CONTROL_ROOM_NONE)
        refuse(control, fd, "the service has as many connections as it allows");
    else
        add_peer(control, fd);
}

/* Takes connections that wait, a few. */
static void accept_some(struct control *control)
{
    for (int i = 0; i < ACCEPTS_PER_RUN; i++) {
        enum control_room room = CONTROL_ROOM;
        if (control->peer_count >= control->peers_max && listener_has_queue(&control->listener))
            room = control_room_make(control);
        if (room == CONTROL_ROOM_LATER)
            return;
        int fd = listener_accept(&control->listener, 0);
        if (fd == -EINTR)
            continue;
        if (fd < 0)
            return;
        take(control, fd, room);
    }
}

bool control_has_news(const struct control *control)
{
    return (control->listener.waits && !control->is_full) || !list_is_empty(&control->ready);
}

bool control_run(struct control *control)
{
    uint64_t begin_ns = clock_monotonic_ns();
    if (control->listener.waits && !control->is_full)
        accept_some(control);
    for (int i = 0; i < PACKETS_PER_RUN && !list_is_empty(&control->ready); i++) {
        if (i > 0 && clock_monotonic_ns() - begin_ns >= RUN_NS)
            break; /* a status of many domains takes long */
        serve_peer(container_of(list_pop_front(&control->ready), struct control_peer, ready));
    }
    return control_has_news(control);
}

bool control_accept_failed(const struct control *control)
{
    return listener_must_retry(&control->listener);
}

void control_accept_again(struct control *control)
{
    listener_retry(&control->listener);
}

int control_listen_again(struct control *control)
{
    return listener_renew(&control->listener);
}

int control_create(const char *path, struct poller *poller, struct log *log,
                   uint32_t connections_max, const struct control_ops *ops, void *ctx,
                   struct control **out)
{
    *out = NULL;
    struct control *control = calloc(1, sizeof(*control));
    if (control == NULL)
        return -ENOMEM;
    control->poller = poller;
    control->log = log;
    control->ops = ops;
    control->ctx = ctx;
    control->listener = (struct listener){.poller = poller,
                                          .log = log,
                                          .limit = &control->log_limit,
                                          .name = "dom0.sock",
                                          .what = "the listener of dom0.sock",
                                          .type = SOCK_SEQPACKET | SOCK_NONBLOCK,
                                          .backlog = LISTEN_BACKLOG};
    control->peers_max = connections_max;
    int rc = control_room_create(control);
    if (rc == 0)
        rc = listener_open(&control->listener, path);
    if (rc < 0) {
        control_destroy(control);
        return rc;
    }
    *out = control;
    return 0;
}

static struct control_peer *find_peer(struct control *control, const struct domain *domain)
{
    struct control_peer *peer = control_first_peer(control);
    while (peer != NULL && peer->domain != domain)
        peer = control_next_peer(peer);
    return peer;
}

void control_drop_domain(struct control *control, struct domain *domain)
{
    struct control_peer *peer = find_peer(control, domain);
    if (peer != NULL)
        control_close_peer(peer);
}

void control_destroy_domain(struct control *control, struct domain *domain)
{
    struct control_reply reply = {
        .magic = CONTROL_MAGIC, .status = -ESHUTDOWN, .reason = "the domain is destroyed"};
    struct control_peer *peer = find_peer(control, domain);
    if (peer == NULL)
        return;
    (void)control_send_reply(peer->fd, &reply, NULL, 0);
    control_close_peer(peer);
}

void control_quiesce(struct control *control)
{
    listener_close(&control->listener);
    for (struct control_peer *peer = control_first_peer(control), *next; peer != NULL;
         peer = next) {
        next = control_next_peer(peer);
        if (!peer->wants_farewell || peer->domain != NULL)
            control_close_peer(peer);
    }
}

void control_farewell(struct control *control, int text_fd, uint32_t bytes)
{
    struct control_reply reply = {.magic = CONTROL_MAGIC, .arg0 = bytes};
    for (struct control_peer *peer = control_first_peer(control); peer != NULL;
         peer = control_next_peer(peer)) {
        if (peer->wants_farewell)
            (void)control_send_reply(peer->fd, &reply, &text_fd, text_fd >= 0 ? 1 : 0);
    }
}

void control_destroy(struct control *control)
{
    if (control == NULL)
        return;
    while (!list_is_empty(&control->peers))
        control_close_peer(control_first_peer(control));
    listener_close(&control->listener);
    control_room_destroy(control);
    free(control);
}
