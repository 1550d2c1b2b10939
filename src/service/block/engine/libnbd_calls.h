/* SPDX-License-Identifier: MIT */
/*
 * libnbd_calls: libnbd, loaded when the first image is an export of an NBD server.
 *
 * Linked in the usual way it would bring some twenty libraries with it (TLS, XML, their tables of
 * characters) into each service, which most never need: 60 MiB of addresses, and what their loading
 * takes at each start.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_ENGINE_LIBNBD_CALLS_H
#define SPLITDOM_SERVICE_BLOCK_ENGINE_LIBNBD_CALLS_H

#include "base/why.h"

/* Before any function of libnbd.h. Any thread; blocks while files are read, the first time. Errors:
 * -ENOTSUP it is not there, with a line in why. */
int libnbd_load(struct why *why);

#endif
