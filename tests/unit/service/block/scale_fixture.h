/* SPDX-License-Identifier: MIT */
/* scale_fixture: a client of a disk that answers when it is told to, in a time that the test moves.
 */
#ifndef SPLITDOM_TESTS_UNIT_SERVICE_BLOCK_SCALE_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_SERVICE_BLOCK_SCALE_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/container_of.h"
#include "service/block/queue.h"

enum { DEPTH = 2, READS = 8, SECTORS = 512, START_NS = 1000000 };

/* A disk that answers when it is told to. */
struct slow_disk {
    struct disk base;
    struct disk_io *at_disk[DEPTH];
    uint32_t count;
};

static struct slow_disk *the_disk; /* disk_ops.create has no context */
static const struct disk_ops slow_ops;

static inline int slow_create(const struct disk_config *config, struct disk **out, struct why *why)
{
    (void)config;
    (void)why;
    the_disk = calloc(1, sizeof(*the_disk));
    if (the_disk == NULL)
        return -ENOMEM;
    the_disk->base.ops = &slow_ops;
    *out = &the_disk->base;
    return 0;
}

static inline void slow_submit(struct disk *disk, struct disk_io *io)
{
    (void)disk;
    assert_true(the_disk->count < DEPTH);
    the_disk->at_disk[the_disk->count++] = io;
}

static inline void slow_destroy(struct disk *disk)
{
    free(disk);
}

static const struct disk_ops slow_ops = {
    .name = "slow", .create = slow_create, .submit = slow_submit, .destroy = slow_destroy};

struct ask {
    struct block_request request;
    struct block_segment segment;
    uint8_t data[BLOCK_SECTOR_BYTES];
    int status;
    uint64_t answered_ns; /* 0: not answered */
};

struct fixture {
    struct tdf_source source;
    struct tdf_clock clock;
    struct timers timers;
    struct timer_clock real_time;
    struct device *device;
    struct vdisk *vdisk;
    struct block_client client, other;
    struct ask ask[READS];
};

static struct fixture *running;

static inline void on_done(struct block_request *request, int status)
{
    struct ask *a = container_of(request, struct ask, request);
    assert_int_equal(a->answered_ns, 0);
    a->status = status;
    a->answered_ns = tdf_clock_now_ns(&running->clock);
}

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct why why;
    *state = running = f;
    assert_int_equal(tdf_source_manual(&f->source, 1000000000, START_NS, 0), 0);
    assert_int_equal(tdf_clock_init(&f->clock, &f->source, NULL, 0, (struct tdf){1, 1}), 0);
    timers_init(&f->timers);
    timers_add_clock(&f->timers, &f->real_time, &f->clock);
    struct image image = {.fd = -1,
                          .writable = true,
                          .size_bytes = SECTORS * 512,
                          .block_size_bytes = 512,
                          .memory_align_bytes = 512};
    struct device_config device = {.engine = &slow_ops,
                                   .align_bytes = 512,
                                   .depth = DEPTH,
                                   .depth_isolated = DEPTH,
                                   .depth_alone = 2 * DEPTH, /* of no use to a scaled client */
                                   .real_time = &f->real_time};
    assert_int_equal(device_create(&device, &f->device, &why), 0);
    struct vdisk_config vdisk = {.device = f->device, .policy = cache_policy_find("lru")};
    assert_int_equal(vdisk_create(&vdisk, &image, &f->vdisk, &why), 0);
    block_client_open(&f->client, f->vdisk);
    block_client_open(&f->other, f->vdisk);
    return 0;
}

static inline void end_oldest(struct fixture *f, uint64_t after_ns, int status);

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    for (uint32_t i = 0; i < READS; i++)
        block_cancel(&f->ask[i].request);
    while (the_disk->count > 0)
        end_oldest(f, 0, 0);
    block_client_close(&f->client);
    block_client_close(&f->other);
    vdisk_destroy(f->vdisk);
    device_destroy(f->device);
    free(f);
    return 0;
}

static inline void ask_for(struct fixture *f, struct block_client *client, uint32_t index,
                           enum block_operation operation, uint64_t sector)
{
    struct ask *a = &f->ask[index];
    a->segment = (struct block_segment){.address = a->data, .sector_count = 1};
    a->request = (struct block_request){.operation = operation,
                                        .sector = sector,
                                        .sector_count = 1,
                                        .segment_count = 1,
                                        .segments = &a->segment,
                                        .done = on_done};
    a->answered_ns = 0;
    block_submit(client, &a->request, tdf_clock_now_ns(&f->clock));
    device_dispatch(f->device, tdf_clock_now_ns(&f->clock));
}

static inline void ask(struct fixture *f, struct block_client *client, uint32_t index,
                       uint64_t sector)
{
    ask_for(f, client, index, BLOCK_READ, sector);
}

/* So much later, the oldest read at the disk ends. */
static inline void end_oldest(struct fixture *f, uint64_t after_ns, int status)
{
    tdf_source_advance_ns(&f->source, after_ns);
    struct disk_io *io = the_disk->at_disk[0];
    the_disk->count--;
    memmove(&the_disk->at_disk[0], &the_disk->at_disk[1],
            sizeof(the_disk->at_disk[0]) * the_disk->count);
    memset(io->buffer, 0x77, io->length_bytes);
    io->status = status;
    io->done(io);
}

/* To the next deadline, and what is due then. */
static inline void sleep_once(struct fixture *f)
{
    tdf_source_set_ns(&f->source, timers_next_deadline(&f->timers));
    (void)timers_run(&f->timers);
    device_dispatch(f->device, tdf_clock_now_ns(&f->clock));
}

#endif
