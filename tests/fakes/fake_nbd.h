/* SPDX-License-Identifier: MIT */
/*
 * fake_nbd: an NBD server in threads of the test, on a local socket, that dies, hangs and comes
 * back when it is told to. Its bytes outlast its deaths.
 */
#ifndef SPLITDOM_TESTS_FAKES_FAKE_NBD_H
#define SPLITDOM_TESTS_FAKES_FAKE_NBD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    FAKE_NBD_BYTES = 65536,
    FAKE_NBD_CONNECTIONS_MAX = 16,
    /* The protocol's. */
    FAKE_NBD_READ_ONLY = 2,
    FAKE_NBD_SEND_FLUSH = 4,
    FAKE_NBD_SEND_TRIM = 32,
};

/* What a connection does with commands, as it was when it was accepted. */
enum fake_nbd_manner {
    FAKE_NBD_SERVES,
    FAKE_NBD_MUTE,       /* takes them, answers none */
    FAKE_NBD_SHUTS_DOWN, /* will not do them any more: ESHUTDOWN */
    FAKE_NBD_HANGS_UP,   /* when the first one comes */
    FAKE_NBD_NO_WRITES,  /* answers no write; answers one read and hangs up */
    FAKE_NBD_GREETS,     /* and hangs up, which counts as a command that has come */
};

struct fake_nbd {
    char directory[64], path[96], uri[160];
    uint64_t size_bytes; /* as it is told to clients; at most FAKE_NBD_BYTES */
    uint16_t flags;
    enum fake_nbd_manner manner;
    uint8_t bytes[FAKE_NBD_BYTES];
    int seen_fd; /* an eventfd: one for each command that has come */
    /* private */
    int listen_fd;
    pthread_t thread;
    pthread_mutex_t lock;
    struct fake_nbd_connection {
        struct fake_nbd *nbd;
        enum fake_nbd_manner manner;
        int fd;
        pthread_t thread;
    } connections[FAKE_NBD_CONNECTIONS_MAX];
    uint32_t connection_count;
};

/* Makes its directory; it does not serve yet. */
void fake_nbd_init(struct fake_nbd *nbd);
void fake_nbd_fini(struct fake_nbd *nbd);
/* It serves, with size_bytes, flags and manner as they are. */
void fake_nbd_start(struct fake_nbd *nbd);
/* It and all its connections end. */
void fake_nbd_kill(struct fake_nbd *nbd);
/* While it serves: for the connections from now on. */
void fake_nbd_set_manner(struct fake_nbd *nbd, enum fake_nbd_manner manner);
/* Waits for one command to come. */
void fake_nbd_wait_command(struct fake_nbd *nbd);

#endif
