/* SPDX-License-Identifier: MIT */
/*
 * disk_nbd: the engine of an export of an NBD server (image_nbd.h), by libnbd's asynchronous calls
 * on the poller. A disk is one export; an operation is one command for each piece of memory.
 *
 * What happens when the server has gone (its connection has ended; it breaks the protocol; it says
 * that it shuts down; it has said nothing for half of reconnect_ms while something was asked of it)
 * is for disk_nbd_options.reconnect_ms to say, as qemu's reconnect-delay does:
 *
 *   0          what is at the server ends with -EIO, each once, and so does all that is asked
 *              later. It is never connected to again.
 *   otherwise  what is at the server, and what is asked later, is held. A thread connects again, at
 *              once and then with growing pauses (nbd_patience.h). When it has, what is held is
 *              sent, what had been sent before once more. What has been held for reconnect_ms ends
 *              with -EIO, and so does, at once, all that is asked later, until there is a server
 *              again.
 *              An outage that began with silence counts from its beginning, and goes on until
 *              something is answered: who waited then has an answer or an error after reconnect_ms,
 *              who asks later after half of that.
 *
 * A server whose export has another size, or lets itself be read, written, flushed or trimmed
 * otherwise than before, is refused: it is another disk, and this one has gone for good.
 *
 * What this can't mend, as no NBD client can. A server that comes back may have lost what it had
 * answered and not flushed: nobody has a copy of that. A flush covers what was answered on an
 * earlier connection only if the server says so (NBD_FLAG_CAN_MULTI_CONN) and is the process that
 * it was. And a server that was cut off may still carry out an old write after the repeated one.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_ENGINE_DISK_NBD_H
#define SPLITDOM_SERVICE_BLOCK_ENGINE_DISK_NBD_H

#include <stdbool.h>

#include "service/block/engine/disk.h"

struct log;

enum { DISK_NBD_RECONNECT_MAX_S = 86400 };

struct disk_nbd_options {
    uint32_t reconnect_ms;
    struct log *log; /* what becomes of the server; NULL: nobody is told */
    /* Optional. There is a server again: what is known of its bytes may be wrong. */
    void (*reconnected)(void *ctx, const struct image *image);
    void *ctx;
};

enum disk_nbd_state {
    DISK_NBD_CONNECTED,
    DISK_NBD_AWAY, /* it is tried again */
    DISK_NBD_GONE, /* for good */
};

struct disk_nbd_report {
    enum disk_nbd_state state;
    uint32_t held;          /* operations that wait for the server */
    uint64_t reconnections; /* so far */
    uint32_t reconnect_ms;  /* as configured */
};

extern const struct disk_ops disk_nbd_ops; /* create gives -ENOTSUP in a build without libnbd */

/* Whether the server has gone for good. */
bool disk_nbd_is_dead(const struct disk *disk);
struct disk_nbd_report disk_nbd_report(const struct disk *disk);
/* "connected", "away", "gone" */
const char *disk_nbd_state_name(enum disk_nbd_state state);

/* Nobody waits any more: if the server is away now, it has gone for good. */
void disk_nbd_give_up(struct disk *disk);

#endif
