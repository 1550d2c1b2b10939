/* SPDX-License-Identifier: MIT */
#include "service/dom0/store_socket.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/container_of.h"
#include "base/list.h"
#include "service/loop/listener.h"
#include "xenstore/server/xs_conn.h"

enum { READ_CHUNK = 8192, LISTEN_BACKLOG = 16, ACCEPTS_PER_PUMP = 16 };

struct store_peer {
    struct store_socket *owner;
    int fd;
    struct poller_watch *watch;
    struct xs_conn *conn;
    bool readable;         /* the socket may hold bytes that we have not taken */
    bool writable;         /* the socket took everything so far */
    bool ended;            /* nothing comes any more; what came is carried out and answered */
    bool deaf;             /* answers can't be sent any more, and are dropped */
    bool dead;             /* broke the protocol, or can't be watched: to be closed at once */
    struct list_node link; /* of the owner */
};

struct store_socket {
    struct poller *poller;
    struct xs_server *store;
    struct log *log;
    struct listener listener;
    struct list peers;
    uint32_t peer_count;
    uint32_t peers_max;
    bool news; /* something has happened since the last pump */
    struct log_limit log_limit;
};

static void on_ready(void *ctx)
{
    struct store_peer *peer = ctx;
    peer->owner->news = true;
}

static const struct xs_conn_ops peer_ops = {.output_ready = on_ready, .work_ready = on_ready};

static void on_peer(void *ctx, uint32_t revents)
{
    struct store_peer *peer = ctx;
    peer->readable |= (revents & (POLLIN | POLLHUP | POLLERR)) != 0;
    peer->writable |= (revents & (POLLOUT | POLLERR)) != 0;
    peer->owner->news = true;
    if ((revents & POLLNVAL) == 0)
        return;
    log_limited(peer->owner->log, &peer->owner->log_limit,
                "xenstore.sock: a connection cannot be watched any more: closed");
    peer->dead = true;
}

static void close_peer(struct store_peer *peer)
{
    struct store_socket *ss = peer->owner;
    poller_remove(ss->poller, peer->watch);
    list_remove(&peer->link);
    xs_conn_close(peer->conn);
    close(peer->fd);
    free(peer);
    ss->peer_count--;
}

static int add_peer(struct store_socket *ss, int fd)
{
    struct store_peer *peer = calloc(1, sizeof(*peer));
    if (peer == NULL) {
        close(fd);
        return -ENOMEM;
    }
    peer->owner = ss;
    peer->fd = fd;
    peer->writable = true;
    peer->readable = true; /* bytes may have come before we watched */
    list_push_front(&ss->peers, &peer->link);
    ss->peer_count++;
    int rc = xs_conn_open(ss->store, DOM0_DOMID, true, &peer_ops, peer, &peer->conn);
    if (rc == 0)
        rc = poller_add(ss->poller, fd, POLLIN | POLLOUT, on_peer, peer, &peer->watch);
    if (rc < 0) {
        close_peer(peer);
        return rc;
    }
    ss->news = true;
    return 0;
}

/* Takes connections that wait, a bounded number: making and dropping them costs a peer little, so
 * it is a part of the store's work like any other. */
static void accept_some(struct store_socket *ss)
{
    for (int i = 0; i < ACCEPTS_PER_PUMP; i++) {
        int fd = listener_accept(&ss->listener, SOCK_NONBLOCK);
        if (fd == -EINTR)
            continue;
        if (fd < 0)
            return;
        if (ss->peer_count >= ss->peers_max) {
            log_limited(ss->log, &ss->log_limit,
                        "xenstore.sock: %u connections are open: one more refused", ss->peer_count);
            close(fd);
        } else if (add_peer(ss, fd) < 0) {
            log_limited(ss->log, &ss->log_limit,
                        "xenstore.sock: out of memory: a connection refused");
        }
    }
}

void store_socket_accept_again(struct store_socket *ss)
{
    listener_retry(&ss->listener);
}

bool store_socket_accept_failed(const struct store_socket *ss)
{
    return listener_must_retry(&ss->listener);
}

static void pump_input(struct store_peer *peer)
{
    char chunk[READ_CHUNK];
    size_t room;
    while (peer->readable && !peer->dead && (room = xs_conn_input_room(peer->conn)) > 0) {
        ssize_t n = recv(peer->fd, chunk, room < sizeof(chunk) ? room : sizeof(chunk), 0);
        if (n > 0) {
            peer->dead = xs_conn_input(peer->conn, chunk, (size_t)n) < 0;
        } else if (n < 0 && errno == EAGAIN) {
            peer->readable = false;
        } else if (n == 0 || errno != EINTR) {
            peer->readable = false;
            peer->ended = true;
        }
    }
}

static void pump_output(struct store_peer *peer)
{
    const void *bytes;
    size_t count;
    while (peer->writable && (count = xs_conn_output(peer->conn, &bytes)) > 0) {
        ssize_t n = peer->deaf ? (ssize_t)count : send(peer->fd, bytes, count, MSG_NOSIGNAL);
        if (n > 0)
            xs_conn_output_done(peer->conn, (size_t)n);
        else if (n < 0 && errno == EAGAIN)
            peer->writable = false;
        else if (n < 0 && errno != EINTR)
            peer->deaf = true;
    }
}

/* Has it ended, and is all done that it asked for before? */
static bool is_done(const struct store_peer *peer)
{
    const void *bytes;
    return peer->ended && !xs_conn_has_requests(peer->conn) &&
           xs_conn_output(peer->conn, &bytes) == 0;
}

bool store_socket_has_news(const struct store_socket *ss)
{
    return ss->news || ss->listener.waits;
}

bool store_socket_pump(struct store_socket *ss)
{
    if (!store_socket_has_news(ss))
        return false;
    ss->news = false;
    for (struct list_node *node = list_first(&ss->peers), *next; node != NULL; node = next) {
        struct store_peer *peer = container_of(node, struct store_peer, link);
        next = list_next(&ss->peers, node);
        pump_input(peer);
        pump_output(peer);
        /* Input for which there is no room is left until there are news: an answer to be sent, or,
         * when it is the output that is full, that the peer has read (an edge tells). */
        if (peer->dead || is_done(peer))
            close_peer(peer);
    }
    if (ss->listener.waits) /* now that those who have gone are no longer counted */
        accept_some(ss);
    return store_socket_has_news(ss);
}

int store_socket_listen_again(struct store_socket *ss)
{
    return listener_renew(&ss->listener);
}

int store_socket_create(const char *path, struct poller *poller, struct xs_server *store,
                        struct log *log, uint32_t connections_max, struct store_socket **out)
{
    *out = NULL;
    struct store_socket *ss = calloc(1, sizeof(*ss));
    if (ss == NULL)
        return -ENOMEM;
    ss->poller = poller;
    ss->store = store;
    ss->log = log;
    ss->listener = (struct listener){.poller = poller,
                                     .log = log,
                                     .limit = &ss->log_limit,
                                     .name = "xenstore.sock",
                                     .what = "the listener of xenstore.sock",
                                     .type = SOCK_STREAM | SOCK_NONBLOCK,
                                     .backlog = LISTEN_BACKLOG};
    ss->peers_max = connections_max;
    int rc = listener_open(&ss->listener, path);
    if (rc < 0) {
        store_socket_destroy(ss);
        return rc;
    }
    *out = ss;
    return 0;
}

void store_socket_destroy(struct store_socket *ss)
{
    if (ss == NULL)
        return;
    struct list_node *node;
    while ((node = list_first(&ss->peers)) != NULL)
        close_peer(container_of(node, struct store_peer, link));
    listener_close(&ss->listener);
    free(ss);
}
