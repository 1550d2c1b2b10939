/* SPDX-License-Identifier: MIT */
/* disk_nbd_fixture: a disk whose server is in threads of the test. Each program that includes this
 * has one at a time. */
#ifndef SPLITDOM_TESTS_UNIT_SERVICE_BLOCK_ENGINE_DISK_NBD_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_SERVICE_BLOCK_ENGINE_DISK_NBD_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fakes/fake_nbd.h"
#include "service/block/engine/disk_nbd.h"
#include "service/block/engine/image.h"

enum {
    BYTES = 4096,
    DEPTH = 4,
    LONG_MS = 60000, /* never over within a test */
    SHORT_MS = 200,
    SILENCE_MS = 500,
};

struct fixture {
    struct fake_nbd server;
    struct poller *poller;
    struct disk *disk;
    struct image image;
    struct disk_io io[DEPTH];
    uint8_t memory[DEPTH][BYTES];
    uint32_t submitted, done, reconnected;
};

static struct fixture *current;

static inline void on_done(struct disk_io *io)
{
    (void)io;
    current->done++;
}

static inline void on_reconnected(void *ctx, const struct image *image)
{
    struct fixture *f = ctx;
    assert_ptr_equal(image, &f->image);
    f->reconnected++;
    if (f->server.manner == FAKE_NBD_GREETS) { /* it has ended before anything is sent */
        fake_nbd_wait_command(&f->server);
        fake_nbd_set_manner(&f->server, FAKE_NBD_SERVES);
    }
}

static inline void open_disk(struct fixture *f, uint32_t reconnect_ms)
{
    const struct disk_nbd_options options = {
        .reconnect_ms = reconnect_ms, .reconnected = on_reconnected, .ctx = f};
    struct why why;
    const struct disk_config config = {.poller = f->poller, .depth = DEPTH, .nbd = &options};
    fake_nbd_start(&f->server);
    assert_int_equal(image_open(f->server.uri, true, &f->image, &why), 0);
    assert_int_equal(disk_nbd_ops.create(&config, &f->disk, &why), 0);
    disk_nbd_ops.attach(f->disk, &f->image);
}

static inline struct disk_io *submit(struct fixture *f, enum disk_operation operation, uint8_t byte)
{
    uint32_t i = f->submitted++;
    memset(f->memory[i], byte, BYTES);
    f->io[i] = (struct disk_io){.image = &f->image,
                                .operation = operation,
                                .offset_bytes = operation == DISK_FLUSH ? 0 : i * BYTES,
                                .length_bytes = operation == DISK_FLUSH ? 0 : BYTES,
                                .buffer = f->memory[i],
                                .done = on_done};
    disk_nbd_ops.submit(f->disk, &f->io[i]);
    return &f->io[i];
}

static inline void run_until_done(struct fixture *f)
{
    while (f->done < f->submitted)
        assert_true(poller_run(f->poller, true) >= 0);
}

static inline void run_until(struct fixture *f, enum disk_nbd_state state)
{
    while (disk_nbd_report(f->disk).state != state)
        assert_true(poller_run(f->poller, true) >= 0);
}

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    if (f == NULL)
        return -1;
    fake_nbd_init(&f->server);
    *state = current = f;
    return poller_create(POLLER_EPOLL, &f->poller);
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    disk_nbd_ops.detach(f->disk, &f->image);
    image_close(&f->image);
    disk_nbd_ops.destroy(f->disk);
    poller_destroy(f->poller);
    fake_nbd_fini(&f->server);
    free(f);
    return 0;
}

#endif
