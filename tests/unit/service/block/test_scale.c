/* SPDX-License-Identifier: MIT */
/* A scaled client's reads: when they are answered, and how many of them are under way. */
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

static int slow_create(const struct disk_config *config, struct disk **out, struct why *why)
{
    extern const struct disk_ops slow_ops;
    (void)config;
    (void)why;
    the_disk = calloc(1, sizeof(*the_disk));
    if (the_disk == NULL)
        return -ENOMEM;
    the_disk->base.ops = &slow_ops;
    *out = &the_disk->base;
    return 0;
}

static void slow_submit(struct disk *disk, struct disk_io *io)
{
    (void)disk;
    assert_true(the_disk->count < DEPTH);
    the_disk->at_disk[the_disk->count++] = io;
}

static void slow_destroy(struct disk *disk)
{
    free(disk);
}

extern const struct disk_ops slow_ops;
const struct disk_ops slow_ops = {
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

static void on_done(struct block_request *request, int status)
{
    struct ask *a = container_of(request, struct ask, request);
    assert_int_equal(a->answered_ns, 0);
    a->status = status;
    a->answered_ns = tdf_clock_now_ns(&running->clock);
}

static int setup(void **state)
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
                                   .real_time = &f->real_time};
    assert_int_equal(device_create(&device, &f->device, &why), 0);
    struct vdisk_config vdisk = {.device = f->device, .policy = cache_policy_find("lru")};
    assert_int_equal(vdisk_create(&vdisk, &image, &f->vdisk, &why), 0);
    block_client_open(&f->client, f->vdisk);
    block_client_open(&f->other, f->vdisk);
    return 0;
}

static void end_oldest(struct fixture *f, uint64_t after_ns, int status);

static int teardown(void **state)
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

static void ask_for(struct fixture *f, struct block_client *client, uint32_t index,
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

static void ask(struct fixture *f, struct block_client *client, uint32_t index, uint64_t sector)
{
    ask_for(f, client, index, BLOCK_READ, sector);
}

/* So much later, the oldest read at the disk ends. */
static void end_oldest(struct fixture *f, uint64_t after_ns, int status)
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
static void sleep_once(struct fixture *f)
{
    tdf_source_set_ns(&f->source, timers_next_deadline(&f->timers));
    (void)timers_run(&f->timers);
    device_dispatch(f->device, tdf_clock_now_ns(&f->clock));
}

static void a_scaled_read_takes_scale_times_as_long(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(block_client_set_scale(&f->client, (struct tdf){5, 2}), 0);
    ask(f, &f->client, 0, 7);
    end_oldest(f, 1001, 0);
    assert_int_equal(f->ask[0].answered_ns, 0);
    sleep_once(f);
    assert_int_equal(f->ask[0].answered_ns, START_NS + 2503); /* 1001 * 2.5, rounded up */
    assert_int_equal(f->ask[0].status, 0);
    assert_int_equal(f->ask[0].data[0], 0x77);
    assert_int_equal(timers_next_deadline(&f->timers), UINT64_MAX);
}

static void a_scaled_write_takes_scale_times_as_long(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(block_client_set_scale(&f->client, (struct tdf){3, 1}), 0);
    ask_for(f, &f->client, 0, BLOCK_WRITE, 7);
    end_oldest(f, 1000, 0);
    assert_int_equal(f->ask[0].answered_ns, 0);
    sleep_once(f);
    assert_int_equal(f->ask[0].answered_ns, START_NS + 3000);
    assert_int_equal(f->ask[0].status, 0);
}

/* The disk has shrunk while it waited for its turn. */
static void what_the_device_never_saw_is_answered_at_once(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(block_client_set_scale(&f->client, (struct tdf){3, 1}), 0);
    ask(f, &f->other, 1, 1);
    ask(f, &f->other, 2, 2); /* the device has its fill */
    ask_for(f, &f->client, 0, BLOCK_WRITE, SECTORS - 1);
    f->vdisk->image.size_bytes /= 2;
    vdisk_image_changed(f->vdisk);
    end_oldest(f, 1000, 0);
    device_dispatch(f->device, tdf_clock_now_ns(&f->clock));
    assert_int_equal(f->ask[0].answered_ns, START_NS + 1000);
    assert_int_equal(f->ask[0].status, -EINVAL);
}

static void a_scale_of_one_delays_nothing(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(block_client_set_scale(&f->client, (struct tdf){1, 1}), 0);
    ask(f, &f->client, 0, 7);
    end_oldest(f, 1000, 0);
    assert_int_equal(f->ask[0].answered_ns, START_NS + 1000);
}

static void a_failed_read_is_as_late_as_a_good_one(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(block_client_set_scale(&f->client, (struct tdf){10, 1}), 0);
    ask(f, &f->client, 0, 7);
    end_oldest(f, 1000, -EIO);
    sleep_once(f);
    assert_int_equal(f->ask[0].answered_ns, START_NS + 10000);
    assert_int_equal(f->ask[0].status, -EIO);
}

static void held_reads_are_answered_in_the_order_of_their_times(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(block_client_set_scale(&f->client, (struct tdf){10, 1}), 0);
    ask(f, &f->client, 0, 1);
    tdf_source_advance_ns(&f->source, 900);
    ask(f, &f->client, 1, 2);
    end_oldest(f, 100, 0); /* read 0 took 1000 */
    end_oldest(f, 50, 0);  /* read 1 took 150: due first, at 900 + 1500 */
    sleep_once(f);
    assert_int_equal(f->ask[1].answered_ns, START_NS + 900 + 1500);
    assert_int_equal(f->ask[0].answered_ns, 0);
    sleep_once(f);
    assert_int_equal(f->ask[0].answered_ns, START_NS + 10000);
}

static void a_held_read_keeps_its_place_from_its_own_client_only(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(block_client_set_scale(&f->client, (struct tdf){10, 1}), 0);
    for (uint32_t i = 0; i < 3; i++)
        ask(f, &f->client, i, i);
    assert_int_equal(the_disk->count, DEPTH);
    end_oldest(f, 100, 0);
    end_oldest(f, 0, 0);
    device_dispatch(f->device, tdf_clock_now_ns(&f->clock));
    assert_int_equal(the_disk->count, 0); /* the third waits for a place */
    ask(f, &f->other, 3, 30);
    assert_int_equal(the_disk->count, 1); /* somebody else does not */
    end_oldest(f, 100, 0);
    assert_int_equal(f->ask[3].answered_ns, START_NS + 200);
    sleep_once(f);
    assert_int_equal(f->ask[0].answered_ns, START_NS + 1000);
    assert_int_equal(the_disk->count, 1);
}

static void a_closed_loop_is_as_much_slower_as_the_scale_says(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(block_client_set_scale(&f->client, (struct tdf){10, 1}), 0);
    /* Depth 4 at a disk that serves DEPTH at once, 100 ns each: 40 reads would take 2000 ns. */
    uint64_t sector = 0;
    uint32_t ended = 0;
    for (uint32_t i = 0; i < 4; i++)
        ask(f, &f->client, i, sector++);
    while (ended < 40) {
        if (the_disk->count > 0) {
            end_oldest(f, 100, 0);
            while (the_disk->count > 0)
                end_oldest(f, 0, 0);
        }
        sleep_once(f);
        uint32_t again[READS], count = 0;
        for (uint32_t i = 0; i < 4; i++) {
            if (f->ask[i].answered_ns != 0)
                again[count++] = i;
        }
        ended += count;
        for (uint32_t i = 0; ended < 40 && i < count; i++)
            ask(f, &f->client, again[i], sector++);
    }
    assert_int_equal(tdf_clock_now_ns(&f->clock), START_NS + 20000);
}

static void undoing_the_scale_lets_the_waiting_ones_in(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(block_client_set_scale(&f->client, (struct tdf){10, 1}), 0);
    for (uint32_t i = 0; i < 3; i++)
        ask(f, &f->client, i, i);
    end_oldest(f, 100, 0);
    assert_int_equal(block_client_set_scale(&f->client, (struct tdf){1, 1}), 0);
    device_dispatch(f->device, tdf_clock_now_ns(&f->clock));
    assert_int_equal(the_disk->count, 2);
}

static void reads_in_every_state_can_be_cancelled(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(block_client_set_scale(&f->client, (struct tdf){10, 1}), 0);
    for (uint32_t i = 0; i < 4; i++)
        ask(f, &f->client, i, i);
    end_oldest(f, 100, 0);
    for (uint32_t i = 0; i < 4; i++)
        block_cancel(&f->ask[i].request);
    assert_int_equal(timers_next_deadline(&f->timers), UINT64_MAX);
    device_dispatch(f->device, tdf_clock_now_ns(&f->clock));
    block_client_close(&f->client);
    while (the_disk->count > 0)
        end_oldest(f, 100, 0);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(f->ask[i].answered_ns, 0);
}

static void a_scale_lies_within_one_and_the_limit(void **state)
{
    (void)state;
    assert_int_equal(block_scale_check((struct tdf){1, 1}), 0);
    assert_int_equal(block_scale_check((struct tdf){TDF_LIMIT, 1}), 0);
    assert_int_equal(block_scale_check((struct tdf){1, 2}), -ERANGE);
    assert_int_equal(block_scale_check((struct tdf){0, 1}), -ERANGE);
    assert_int_equal(block_scale_check((struct tdf){TDF_LIMIT + 1, 1}), -ERANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_scaled_read_takes_scale_times_as_long, setup, teardown),
        cmocka_unit_test_setup_teardown(a_scaled_write_takes_scale_times_as_long, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_device_never_saw_is_answered_at_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_scale_of_one_delays_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failed_read_is_as_late_as_a_good_one, setup, teardown),
        cmocka_unit_test_setup_teardown(held_reads_are_answered_in_the_order_of_their_times, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_held_read_keeps_its_place_from_its_own_client_only, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_closed_loop_is_as_much_slower_as_the_scale_says, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(undoing_the_scale_lets_the_waiting_ones_in, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(reads_in_every_state_can_be_cancelled, setup, teardown),
        cmocka_unit_test(a_scale_lies_within_one_and_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
