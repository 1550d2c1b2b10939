/* SPDX-License-Identifier: MIT */
/*
 * socket_name: the name of a Unix socket that a verb serves at. A verb takes no name from a server
 * that is alive, and removes nothing that is not a socket.
 */
#ifndef SPLITDOM_RUN_SOCKET_NAME_H
#define SPLITDOM_RUN_SOCKET_NAME_H

#include "base/unix_socket.h"
#include "base/why.h"

/*
 * Listens at path, a stream. What a server that died has left there is removed. Errors, with the
 * line in why: -EADDRINUSE somebody listens there; -EEXIST the name is that of another kind of
 * file; those of unix_listener_open.
 */
int socket_name_listen(struct unix_listener *listener, const char *path, struct why *why);

#endif
