/* SPDX-License-Identifier: MIT */
/*
 * disk_nbd: the engine of an export of an NBD server (image_nbd.h), by libnbd's asynchronous calls
 * on the poller. A disk is one export; an operation is one command for each piece of memory.
 *
 * When the server has gone, or breaks the protocol, what is at it ends with -EIO, each once, and so
 * does all that is asked later. It is not connected to again: a server that comes back may have
 * lost writes that it had answered and not flushed, and a disk must not go on as if it had them.
 * Who wants the disk again detaches it and attaches it anew, or starts the service anew.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_ENGINE_DISK_NBD_H
#define SPLITDOM_SERVICE_BLOCK_ENGINE_DISK_NBD_H

#include <stdbool.h>

#include "service/block/engine/disk.h"

extern const struct disk_ops disk_nbd_ops; /* create gives -ENOTSUP in a build without libnbd */

/* Whether the connection has ended. */
bool disk_nbd_is_dead(const struct disk *disk);

#endif
