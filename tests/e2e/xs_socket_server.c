/* SPDX-License-Identifier: MIT */
/*
 * Serves the store library on a Unix socket, so that Xen's own tools can be run against it.
 *
 *     xs_socket_server PATH      until it is killed; prints "ready" when clients may connect
 */
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/unix_socket.h"
#include "xenstore/server/xs_conn.h"
#include "xenstore/server/xs_server.h"

enum { CLIENTS = 64, BUDGET = 16 };

struct client {
    int fd; /* -1: free */
    struct xs_conn *conn;
};

static void drop(struct client *c)
{
    xs_conn_close(c->conn);
    close(c->fd);
    *c = (struct client){.fd = -1};
}

static void serve(struct client *c, short revents)
{
    const void *bytes;
    char buf[4096];
    size_t room = xs_conn_input_room(c->conn);
    if ((revents & (POLLIN | POLLHUP)) != 0 && room > 0) {
        ssize_t n = recv(c->fd, buf, room < sizeof(buf) ? room : sizeof(buf), MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN) ||
            (n > 0 && xs_conn_input(c->conn, buf, (size_t)n) < 0)) {
            drop(c);
            return;
        }
    }
    size_t waiting = xs_conn_output(c->conn, &bytes);
    if (waiting > 0) {
        ssize_t n = send(c->fd, bytes, waiting, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0)
            xs_conn_output_done(c->conn, (size_t)n);
        else if (errno != EAGAIN)
            drop(c);
    }
}

static void accept_client(struct xs_server *server, int listener, struct client *clients)
{
    int fd = accept(listener, NULL, NULL);
    for (int i = 0; fd >= 0 && i < CLIENTS; i++) {
        if (clients[i].fd < 0) {
            clients[i].fd = fd;
            if (xs_conn_open(server, DOM0_DOMID, true, NULL, NULL, &clients[i].conn) < 0)
                drop(&clients[i]);
            return;
        }
    }
    close(fd);
}

static void turn(struct xs_server *server, int listener, struct client *clients)
{
    struct pollfd fds[CLIENTS + 1];
    const void *bytes;
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = (struct pollfd){.fd = clients[i].fd};
        if (clients[i].fd >= 0) {
            fds[i].events = xs_conn_input_room(clients[i].conn) > 0 ? POLLIN : 0;
            if (xs_conn_output(clients[i].conn, &bytes) > 0)
                fds[i].events |= POLLOUT;
        }
    }
    fds[CLIENTS] = (struct pollfd){.fd = listener, .events = POLLIN};
    if (poll(fds, CLIENTS + 1, xs_server_idle(server) ? -1 : 0) < 0 && errno != EINTR)
        err(1, "poll");
    for (int i = 0; i < CLIENTS; i++) {
        if (fds[i].fd >= 0 && fds[i].revents != 0)
            serve(&clients[i], fds[i].revents);
    }
    if (fds[CLIENTS].revents != 0)
        accept_client(server, listener, clients);
    xs_server_run(server, BUDGET);
}

int main(int argc, char **argv)
{
    struct client clients[CLIENTS];
    struct xs_server *server;
    if (argc != 2)
        errx(2, "usage: xs_socket_server PATH");
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = (struct client){.fd = -1};
    if (xs_server_create(NULL, &server) < 0)
        errx(1, "out of memory");
    for (domid_t domid = 1; domid <= 3; domid++) /* owners of nodes must exist */
        if (xs_server_introduce(server, domid) < 0)
            errx(1, "out of memory");
    struct unix_listener listener;
    int rc = unix_listener_open(&listener, argv[1], SOCK_STREAM, 16);
    if (rc < 0)
        errx(1, "%s: %s", argv[1], strerror(-rc));
    puts("ready");
    fflush(stdout);
    for (;;)
        turn(server, listener.fd, clients);
}
