/* SPDX-License-Identifier: MIT */
/*
 * store_client: a few synchronous requests to xenstore over its socket, for the verbs of `service`.
 * One thread. No watches. If the store does not answer within STORE_CLIENT_TIMEOUT_S, or its answer
 * is invalid, the connection is closed.
 *
 * Errors of all requests: -ENOENT, -EACCES, ... as the store answers (-EIO: an error unknown here);
 * -ETIMEDOUT, -EPROTO, -ECONNRESET.
 */
#ifndef SPLITDOM_SERVICE_CLI_STORE_CLIENT_H
#define SPLITDOM_SERVICE_CLI_STORE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "splitdom/xen/xs_wire.h"

enum { STORE_CLIENT_TIMEOUT_S = 10 };

struct store_client;

int store_client_open(const char *socket_path, struct store_client **out);
void store_client_close(struct store_client *client); /* NULL allowed */

/* Copies the node's value and a NUL. No value is longer than XENSTORE_PAYLOAD_MAX. */
int store_client_read(struct store_client *client, const char *path,
                      char value[XENSTORE_PAYLOAD_MAX + 1]);

/* Between these two all requests are of one transaction. begin: there is none already. end: it is
 * over in any case; -EAGAIN if somebody else has changed what it looked at, so that nothing of it
 * has happened. */
int store_client_begin(struct store_client *client);
int store_client_end(struct store_client *client, bool commit);

int store_client_write(struct store_client *client, const char *path, const char *value);

/*
 * The names of the node's children, one after the other, each with its NUL, and an empty one at the
 * end. *names is the caller's to free. Directories of any length (XS_DIRECTORY_PART).
 */
int store_client_directory(struct store_client *client, const char *path, char **names);

/* Of a domain: */
/* The devices of a class that Dom0 has back ends for, as store_client_directory gives names; there
 * may be none. -ENOENT: there is no such domain. */
int store_client_devices(struct store_client *client, uint32_t domid, const char *class,
                         char **names);
/* The number in a node of a directory, which the domain may have written; -1: there is none, or it
 * is above UINT32_MAX. */
int64_t store_client_number(struct store_client *client, const char *directory, const char *node);

#endif
