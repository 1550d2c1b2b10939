/* SPDX-License-Identifier: MIT */
/*
 * store_socket: xenstore.sock, where Dom0's tools (the stock xenstore-* commands among them) reach
 * the store. Connections are privileged: the socket lies in the user's own directory.
 *
 * A slow or broken peer costs nothing but its own connection: bytes wait in bounded buffers, and
 * nothing here blocks. A peer that ends is heard out: whole requests that it sent before are
 * carried out, and answered if it still reads.
 */
#ifndef SPLITDOM_SERVICE_DOM0_STORE_SOCKET_H
#define SPLITDOM_SERVICE_DOM0_STORE_SOCKET_H

#include <stdbool.h>

#include "base/log.h"
#include "service/loop/poller.h"
#include "xenstore/server/xs_server.h"

struct store_socket;

/* Binds path (a stale socket there is replaced: the caller holds the lock). Errors: -errno. */
int store_socket_create(const char *path, struct poller *poller, struct xs_server *store,
                        struct log *log, uint32_t connections_max, struct store_socket **out);
/* Closes everything and removes the socket. NULL allowed. */
void store_socket_destroy(struct store_socket *ss);

/* Lets store_socket_pump try again to take connections that had to wait because descriptors or
 * memory had run out. Call it whenever something may have been closed; free when none waits. */
void store_socket_accept_again(struct store_socket *ss);
/* Does a connection wait for that? */
bool store_socket_accept_failed(const struct store_socket *ss);

/* Has a peer sent something, or made room, or gone, since store_socket_pump? */
bool store_socket_has_news(const struct store_socket *ss);

/* Moves bytes for connections that have something to move, ends those whose peers have gone, and
 * takes new ones; call after xs_server_run. True: call it again, there are news. Input that finds
 * no room waits without keeping anybody awake: that the store has answered, or that a peer has read
 * its answers, is news. */
bool store_socket_pump(struct store_socket *ss);

/* Somebody has removed the socket's name: makes it again, with a new socket behind it. Connections
 * stay. Nothing if it is there. Errors: -errno; then nobody can connect any more. */
int store_socket_listen_again(struct store_socket *ss);

#endif
