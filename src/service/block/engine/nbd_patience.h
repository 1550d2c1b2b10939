/* SPDX-License-Identifier: MIT */
/*
 * nbd_patience: how long the server of an export is waited for when its connection has ended, and
 * when it is tried again. A rule of times alone: it knows no server and no clock.
 *
 * An outage begins when a connection ends, or began when its server fell silent, and is over when a
 * command has been answered again, or when a connection has lasted for NBD_PAUSE_MOST_NS before
 * anything was asked on it: a server that lets itself be connected to and answers nothing is no end
 * of it, whether it ends or stays. The first try is at once, or after the shortest pause if the
 * last one was not long ago: connections that do not last are not made as fast as they end. The
 * others are after pauses that double. For limit_ns from its beginning commands wait; after that
 * they fail, and the tries go on.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_ENGINE_NBD_PATIENCE_H
#define SPLITDOM_SERVICE_BLOCK_ENGINE_NBD_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

#define NBD_PAUSE_FIRST_NS UINT64_C(100000000)
#define NBD_PAUSE_MOST_NS  UINT64_C(5000000000)

struct nbd_patience { /* zeroed but for limit_ns: no outage */
    uint64_t limit_ns;
    bool is_out;
    uint64_t since_ns; /* valid in an outage: when it began */
    uint64_t try_ns;   /* the same: when the next try is due */
    uint64_t pause_ns; /* between that one and the one before */
    uint64_t connected_ns;
};

/* The connection has ended; was_asked: a command was sent on it. Returns whether an outage begins:
 * the last one is over when a command was answered, or when a connection has lasted for
 * NBD_PAUSE_MOST_NS before anything was asked on it. */
bool nbd_patience_lose(struct nbd_patience *patience, bool was_asked, uint64_t now_ns);
/* The same of a connection that was cut, since its server had said nothing to what it was asked
 * since silent_ns. */
bool nbd_patience_cut(struct nbd_patience *patience, uint64_t silent_ns, uint64_t now_ns);
/* There is a connection, on which something can be asked. */
void nbd_patience_connect(struct nbd_patience *patience, uint64_t now_ns);
/* The first command of a connection is sent: an outage that the connection has ended by then is no
 * more, whatever becomes of the command. */
void nbd_patience_ask(struct nbd_patience *patience, uint64_t now_ns);
/* A try was in vain. */
void nbd_patience_fail(struct nbd_patience *patience, uint64_t now_ns);
/* A command has been answered. */
void nbd_patience_answer(struct nbd_patience *patience);
/* Whether nothing waits any more: there is an outage, and it has lasted for limit_ns. */
bool nbd_patience_is_over(const struct nbd_patience *patience, uint64_t now_ns);

#endif
