/* SPDX-License-Identifier: MIT */
/* device: its buffers, its engine, and that devices don't meet. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fakes/fake_vdisk.h"
#include "faults/fault_walk.h"
#include "service/block/device_private.h"
#include "service/block/queue.h"

enum { SECTORS = 1024, READS = 4 };

struct ask {
    struct block_request request;
    struct block_segment segment[BLOCK_REQUEST_SECTORS_MAX / 8];
    uint8_t data[BLOCK_REQUEST_SECTORS_MAX * BLOCK_SECTOR_BYTES];
};

static void ignore(struct block_request *request, int status)
{
    (void)request;
    (void)status;
}

static void submit(struct block_client *client, struct ask *a, uint64_t sector, uint32_t count)
{
    a->segment[0] = (struct block_segment){.address = a->data, .sector_count = count};
    a->request = (struct block_request){.done = ignore,
                                        .sector = sector,
                                        .sector_count = count,
                                        .segments = a->segment,
                                        .segment_count = 1};
    block_submit(client, &a->request, 0);
}

/* The widest spans of all places at once: aligned, and each within its own part of the pool. */
static void buffers_fit_the_widest_span(void **state)
{
    static const uint32_t blocks[] = {512, 4096, 65536};
    (void)state;
    for (size_t b = 0; b < sizeof(blocks) / sizeof(blocks[0]); b++) {
        struct fake_vdisk fake;
        struct block_client client;
        struct ask *asks = calloc(READS, sizeof(*asks));
        assert_non_null(asks);
        fake_vdisk_create(&fake, &(struct fake_vdisk_config){.sector_count = SECTORS,
                                                             .block_size_bytes = blocks[b],
                                                             .depth = READS});
        block_client_open(&client, fake.vdisk);
        for (uint32_t i = 0; i < READS; i++)
            submit(&client, &asks[i], 127 + 130 * i, BLOCK_REQUEST_SECTORS_MAX);
        assert_int_equal(device_dispatch(fake.device, 0), READS);
        for (uint32_t i = 0; i < READS; i++) {
            const struct disk_io *io = fake.disk->waiting[i];
            assert_int_equal((uintptr_t)io->buffer % blocks[b], 0);
            for (uint32_t k = 0; k < i; k++) {
                const struct disk_io *other = fake.disk->waiting[k];
                assert_true((uint8_t *)other->buffer + other->length_bytes <=
                                (uint8_t *)io->buffer ||
                            (uint8_t *)io->buffer + io->length_bytes <= (uint8_t *)other->buffer);
            }
        }
        fake_disk_complete_all(fake.disk, 0);
        for (uint32_t i = 0; i < READS; i++)
            assert_true(fake_disk_holds(asks[i].data, 127 + 130 * i, BLOCK_REQUEST_SECTORS_MAX));
        block_client_close(&client);
        fake_vdisk_destroy(&fake);
        free(asks);
    }
}

static void each_device_has_a_depth_of_its_own(void **state)
{
    struct fake_vdisk fake[2];
    struct block_client client[2];
    struct ask asks[2][2];
    (void)state;
    for (int i = 0; i < 2; i++) {
        fake_vdisk_create(&fake[i],
                          &(struct fake_vdisk_config){.sector_count = SECTORS, .depth = 1});
        block_client_open(&client[i], fake[i].vdisk);
        submit(&client[i], &asks[i][0], 0, 1);
        submit(&client[i], &asks[i][1], 100, 1);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(device_dispatch(fake[i].device, 0), 1);
        assert_int_equal(device_in_flight(fake[i].device), 1);
        assert_int_equal(device_stats(fake[i].device)->reads, 1);
    }
    for (int i = 1; i >= 0; i--) {
        for (int k = 0; k < 2; k++)
            block_cancel(&asks[i][k].request);
        block_client_close(&client[i]);
        fake_vdisk_destroy(&fake[i]);
    }
}

/* What is done makes room for the next one, whatever came of it. */
static void what_has_ended_makes_room(void **state)
{
    struct fake_vdisk fake;
    struct block_client client;
    struct ask asks[3];
    (void)state;
    fake_vdisk_create(&fake, &(struct fake_vdisk_config){.sector_count = SECTORS, .depth = 1});
    block_client_open(&client, fake.vdisk);
    for (uint32_t i = 0; i < 3; i++)
        submit(&client, &asks[i], 100 * i, 1);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(device_dispatch(fake.device, 0), 1);
        assert_int_equal(device_in_flight(fake.device), 1);
        assert_int_equal(device_dispatch(fake.device, 0), 0);
        fake_disk_complete(fake.disk, 0, i == 1 ? -EIO : 0);
        assert_int_equal(device_in_flight(fake.device), 0);
    }
    const struct device_stats *stats = device_stats(fake.device);
    assert_int_equal(stats->reads, 3);
    assert_int_equal(stats->errors, 1);
    assert_int_equal(stats->in_flight_peak, 1);
    block_client_close(&client);
    fake_vdisk_destroy(&fake);
}

/* A domain's answer has no room for it. What cannot be done at all is no failure. */
static void the_log_has_the_reason_of_a_failure(void **state)
{
    static const int statuses[] = {-ENOSPC, 0, -EOPNOTSUPP};
    char path[] = "/tmp/test_device.XXXXXX", line[LOG_LINE_MAX] = "";
    struct fake_vdisk fake;
    struct block_client client;
    struct ask ask;
    (void)state;
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    fake_vdisk_create(&fake, &(struct fake_vdisk_config){.sector_count = SECTORS, .depth = 1});
    assert_int_equal(log_open(&(struct log_options){.path = path}, &fake.device->log), 0);
    block_client_open(&client, fake.vdisk);
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        submit(&client, &ask, 100, 8);
        assert_int_equal(device_dispatch(fake.device, 0), 1);
        fake_disk_complete(fake.disk, 0, statuses[i]);
    }
    block_client_close(&client);
    log_close(fake.device->log);
    fake_vdisk_destroy(&fake);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof(line), file));
    assert_non_null(strstr(line, "reading failed (4096 bytes at 51200): No space left on device"));
    assert_null(fgets(line, sizeof(line), file));
    fclose(file);
    unlink(path);
}

/* There are buffers for all that one client alone may have in flight. */
static void one_client_alone_may_have_more(void **state)
{
    enum { ALONE = 40, COUNT = ALONE + 2 };
    struct fake_vdisk fake;
    struct block_client client;
    struct ask *asks = calloc(COUNT, sizeof(*asks));
    (void)state;
    assert_non_null(asks);
    fake_vdisk_create(&fake, &(struct fake_vdisk_config){
                                 .sector_count = SECTORS, .depth = 1, .depth_alone = ALONE});
    block_client_open(&client, fake.vdisk);
    for (uint32_t i = 0; i < COUNT; i++)
        submit(&client, &asks[i], 24 * i, 1);
    assert_int_equal(device_dispatch(fake.device, SCHED_ALONE_NS), ALONE);
    assert_int_equal(device_stats(fake.device)->in_flight_peak, ALONE);
    for (uint32_t i = 0; i < COUNT; i++)
        block_cancel(&asks[i].request);
    block_client_close(&client);
    fake_vdisk_destroy(&fake);
    free(asks);
}

static int refuse(const struct disk_config *config, struct disk **out, struct why *why)
{
    (void)config;
    (void)out;
    return why_fail(why, -ENODEV, "no disk today");
}

static void an_engine_that_refuses_is_passed_on(void **state)
{
    static const struct disk_ops refusing = {.name = "refusing", .create = refuse};
    const struct device_config config = {
        .engine = &refusing, .align_bytes = 512, .depth = 1, .depth_isolated = 1};
    struct device *device;
    struct why why = {0};
    (void)state;
    assert_int_equal(device_create(&config, &device, &why), -ENODEV);
    assert_null(device);
    assert_string_equal(why.text, "no disk today");
    device_destroy(NULL);
}

static int make(void *unused)
{
    const struct device_config config = {
        .engine = &fake_disk_ops, .align_bytes = 512, .depth = 2, .depth_isolated = 2};
    struct device *device;
    struct why why = {0};
    (void)unused;
    int rc = device_create(&config, &device, &why);
    assert_true((rc < 0) == (device == NULL));
    device_destroy(device);
    return rc;
}

static void without_memory_there_is_none(void **state)
{
    (void)state;
    assert_true(fault_walk(make, NULL) >= 3);
}

/* Of a disk that may have shrunk while the request waited. */
static void a_request_is_on_the_disk_with_all_its_sectors(void **state)
{
    static const struct {
        uint64_t sector, count;
        bool is_on;
    } spans[] = {{0, SECTORS, true},      {SECTORS - 1, 1, true},  {SECTORS, 1, false},
                 {0, SECTORS + 1, false}, {SECTORS - 1, 2, false}, {UINT64_MAX, 1, false},
                 {1, UINT64_MAX, false},  {SECTORS + 7, 3, false}};
    struct fake_vdisk fake;
    (void)state;
    fake_vdisk_create(&fake, &(struct fake_vdisk_config){.sector_count = SECTORS, .depth = 1});
    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
        const struct block_request request = {.sector = spans[i].sector,
                                              .sector_count = spans[i].count};
        assert_int_equal(still_on_disk(fake.vdisk, &request), spans[i].is_on);
    }
    fake_vdisk_destroy(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffers_fit_the_widest_span),
        cmocka_unit_test(each_device_has_a_depth_of_its_own),
        cmocka_unit_test(what_has_ended_makes_room),
        cmocka_unit_test(the_log_has_the_reason_of_a_failure),
        cmocka_unit_test(one_client_alone_may_have_more),
        cmocka_unit_test(an_engine_that_refuses_is_passed_on),
        cmocka_unit_test(without_memory_there_is_none),
        cmocka_unit_test(a_request_is_on_the_disk_with_all_its_sectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
