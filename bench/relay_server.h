/* SPDX-License-Identifier: MIT */
/* relay_server: what the two processes of relay share, and the one that reads the disk. */
#ifndef SPLITDOM_BENCH_RELAY_SERVER_H
#define SPLITDOM_BENCH_RELAY_SERVER_H

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

#include "placement.h"
#include "ring/barrier.h"
#include "ring/futex.h"

enum { SLOTS = 64, SECTOR_BYTES = 512, LINE_BYTES = 128, RING_ENTRIES = 128 };
enum { TAG_DOORBELL = SLOTS };

/* Of a thread that waits for its slot. */
enum { SLOT_DONE, SLOT_ASKED, SLOT_SLEEPING };

struct slot {
    _Alignas(LINE_BYTES) uint64_t sector; /* client */
    uint32_t state;                       /* client: ASKED, SLEEPING; server: DONE */
};

struct shared {
    _Alignas(LINE_BYTES) uint64_t asked;         /* a bit a slot: client sets, server takes */
    _Alignas(LINE_BYTES) uint32_t server_sleeps; /* server sets; who takes it rings the bell */
    _Alignas(LINE_BYTES) uint64_t done;          /* --depth: server sets, client takes */
    _Alignas(LINE_BYTES) uint32_t client_sleeps; /* --depth: client sets; server takes and wakes */
    _Alignas(LINE_BYTES) uint32_t ready;
    uint32_t stop;
    struct slot slots[SLOTS];
    _Alignas(4096) unsigned char data[SLOTS][SECTOR_BYTES];
};

struct relay {
    struct shared *shared;
    int doorbell_fd;
    uint64_t sector_count;
    uint32_t threads, depth, lot;
    struct placement placement;
};

struct server {
    struct relay *relay;
    struct io_uring ring;
    uint64_t bell_count;
    bool bell_armed;
};

static void server_open(struct server *server, const char *image)
{
    struct io_uring_params params = {.flags =
                                         IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
    struct shared *shared = server->relay->shared;
    const struct iovec buffers = {shared->data, sizeof(shared->data)};
    const int fd = open(image, O_RDONLY | O_DIRECT | O_CLOEXEC);

    if (fd < 0)
        err(1, "%s", image);
    errno = -io_uring_queue_init_params(RING_ENTRIES, &server->ring, &params);
    if (errno != 0)
        err(1, "io_uring");
    if (io_uring_register_files(&server->ring, &fd, 1) != 0 ||
        io_uring_register_buffers(&server->ring, &buffers, 1) != 0)
        errx(1, "cannot register the image and the buffers");
}

static void start_reads(struct server *server)
{
    struct relay *relay = server->relay;
    struct shared *shared = relay->shared;
    uint64_t asked = load_relaxed_u64(&shared->asked);
    uint32_t queued = 0;

    if (asked != 0)
        asked = exchange_full_u64(&shared->asked, 0);
    for (; asked != 0; asked &= asked - 1) {
        const uint32_t slot = (uint32_t)__builtin_ctzll(asked);
        struct io_uring_sqe *sqe = io_uring_get_sqe(&server->ring);

        io_uring_prep_read_fixed(sqe, 0, shared->data[slot], SECTOR_BYTES,
                                 shared->slots[slot].sector * SECTOR_BYTES, 0);
        sqe->flags |= IOSQE_FIXED_FILE;
        io_uring_sqe_set_data64(sqe, slot);
        if (++queued == relay->lot) {
            io_uring_submit(&server->ring);
            queued = 0;
        }
    }
}

static void arm_doorbell(struct server *server)
{
    struct io_uring_sqe *sqe;

    if (server->bell_armed)
        return;
    sqe = io_uring_get_sqe(&server->ring);
    io_uring_prep_read(sqe, server->relay->doorbell_fd, &server->bell_count,
                       sizeof(server->bell_count), 0);
    io_uring_sqe_set_data64(sqe, TAG_DOORBELL);
    server->bell_armed = true;
}

static void answer(struct shared *shared, uint32_t slot)
{
    uint32_t *state = &shared->slots[slot].state;

    if (exchange_full_u32(state, SLOT_DONE) == SLOT_SLEEPING)
        futex_wake(state, 1, FUTEX_SCOPE_SHARED);
}

static void answer_together(struct shared *shared, uint64_t done)
{
    fetch_or_full_u64(&shared->done, done);
    if (load_full_u32(&shared->client_sleeps) != 0 &&
        exchange_full_u32(&shared->client_sleeps, 0) != 0)
        futex_wake(&shared->client_sleeps, 1, FUTEX_SCOPE_SHARED);
}

/* Returns whether there was anything. */
static bool finish_reads(struct server *server)
{
    struct relay *relay = server->relay;
    struct io_uring_cqe *cqe;
    uint64_t done = 0;
    bool any = false;

    for (; io_uring_peek_cqe(&server->ring, &cqe) == 0; any = true) {
        const uint64_t tag = cqe->user_data;

        if (tag == TAG_DOORBELL)
            server->bell_armed = false;
        else if (cqe->res != SECTOR_BYTES)
            errx(1, "a read gave %d", cqe->res);
        else if (relay->depth > 0)
            done |= UINT64_C(1) << tag;
        else
            answer(relay->shared, (uint32_t)tag);
        io_uring_cqe_seen(&server->ring, cqe);
    }
    if (done != 0)
        answer_together(relay->shared, done);
    return any;
}

/* Until it is killed. */
static inline void serve(struct relay *relay, const char *image)
{
    struct server server = {.relay = relay};
    struct shared *shared = relay->shared;

    server_open(&server, image);
    store_release_u32(&shared->ready, 1);
    for (;;) {
        start_reads(&server);
        arm_doorbell(&server);
        io_uring_submit_and_get_events(&server.ring);
        if (finish_reads(&server))
            continue;
        /* Before the look at asked; pairs with ask, where it is the other way round. */
        store_full_u32(&shared->server_sleeps, 1);
        if (load_full_u64(&shared->asked) == 0)
            io_uring_submit_and_wait(&server.ring, 1);
        store_full_u32(&shared->server_sleeps, 0);
    }
}

#endif
