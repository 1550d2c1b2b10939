/* SPDX-License-Identifier: MIT */
/* client: its share, and its end while reads of its are under way. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/container_of.h"
#include "fakes/fake_vdisk.h"
#include "service/block/device_private.h"
#include "service/block/queue.h"

enum { CLIENTS = 2, DEPTH = 4, ASKS = 24, SECTORS = 1024, NOT_DONE = 4711 };

struct ask {
    struct block_request request;
    struct block_segment segment;
    uint8_t data[BLOCK_SECTOR_BYTES];
    int status;
};

struct fixture {
    struct fake_vdisk fake;
    struct block_client client[CLIENTS];
    struct ask ask[ASKS];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    fake_vdisk_create(&f->fake, &(struct fake_vdisk_config){
                                    .sector_count = SECTORS, .cache_sectors = 8, .depth = DEPTH});
    for (int i = 0; i < CLIENTS; i++)
        block_client_open(&f->client[i], f->fake.vdisk);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < ASKS; i++)
        block_cancel(&f->ask[i].request);
    for (int i = 0; i < CLIENTS; i++)
        block_client_close(&f->client[i]);
    fake_vdisk_destroy(&f->fake);
    free(f);
    return 0;
}

static void on_done(struct block_request *request, int status)
{
    container_of(request, struct ask, request)->status = status;
}

static struct ask *submit(struct fixture *f, uint32_t client, uint32_t n, uint64_t sector)
{
    struct ask *a = &f->ask[n];
    a->status = NOT_DONE;
    a->segment = (struct block_segment){.address = a->data, .sector_count = 1};
    a->request = (struct block_request){.done = on_done,
                                        .sector = sector,
                                        .sector_count = 1,
                                        .segments = &a->segment,
                                        .segment_count = 1};
    block_submit(&f->client[client], &a->request, 0);
    return a;
}

static void a_new_client_has_the_usual_share(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(f->client[0].entity.weight, SCHED_WEIGHT_DEFAULT);
    assert_int_equal(block_client_scale(&f->client[0]).num, 1);
    assert_int_equal(block_client_scale(&f->client[0]).den, 1);
}

static void a_weight_out_of_range_changes_nothing(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(block_client_set_weight(&f->client[0], 77), 0);
    assert_int_equal(block_client_set_weight(&f->client[0], 0), -EINVAL);
    assert_int_equal(block_client_set_weight(&f->client[0], SCHED_WEIGHT_MAX + 1), -EINVAL);
    assert_int_equal(f->client[0].entity.weight, 77);
}

static void a_scale_out_of_range_changes_nothing(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(block_client_set_scale(&f->client[0], (struct tdf){5, 2}), 0);
    assert_int_equal(block_client_set_scale(&f->client[0], (struct tdf){1, 2}), -ERANGE);
    assert_int_equal(block_client_scale(&f->client[0]).num, 5);
    assert_int_equal(block_client_scale(&f->client[0]).den, 2);
}

static void turns_are_by_weight(void **state)
{
    struct fixture *f = *state;
    uint32_t of_the_heavy = 0;
    assert_int_equal(block_client_set_weight(&f->client[0], 3 * SCHED_WEIGHT_DEFAULT), 0);
    for (uint32_t i = 0; i < ASKS; i++)
        (void)submit(f, i % CLIENTS, i, 40 * i);
    for (int turn = 0; turn < 2; turn++) {
        assert_int_equal(device_dispatch(f->fake.device, 0), DEPTH);
        for (uint32_t i = 0; i < DEPTH; i++)
            of_the_heavy += f->fake.disk->waiting[i]->offset_bytes / BLOCK_SECTOR_BYTES % 80 == 0;
        fake_disk_complete_all(f->fake.disk, 0);
    }
    assert_int_equal(of_the_heavy, 6);
}

static void a_client_may_leave_while_its_reads_are_under_way(void **state)
{
    struct fixture *f = *state;
    for (uint32_t i = 0; i < 3; i++)
        (void)submit(f, 0, i, 70 + 10 * i);
    struct ask *other = submit(f, 1, 3, 70);
    device_dispatch(f->fake.device, 0);
    for (uint32_t i = 0; i < 3; i++)
        block_cancel(&f->ask[i].request);
    block_client_close(&f->client[0]);
    memset(&f->client[0], 0xee, sizeof(f->client[0])); /* its memory is gone */
    fake_disk_complete_all(f->fake.disk, 0);
    assert_int_equal(other->status, 0);
    block_client_open(&f->client[0], f->fake.vdisk); /* the next one at the same address */
    struct ask *next = submit(f, 0, 4, 400);
    assert_int_equal(device_dispatch(f->fake.device, 0), 1);
    fake_disk_complete(f->fake.disk, 0, 0);
    assert_int_equal(next->status, 0);
}

static void a_client_that_was_never_open_may_be_closed(void **state)
{
    struct fixture *f = *state;
    struct block_client never = {0};
    block_client_close(&never);
    block_client_close(&f->client[0]); /* and twice */
    block_client_close(&f->client[0]);
    assert_int_equal(f->fake.vdisk->client_count, 1);
}

static void the_load_says_what_waits_where(void **state)
{
    struct fixture *f = *state;
    for (uint32_t i = 0; i < DEPTH + 2; i++)
        (void)submit(f, 0, i, 40 * i);
    assert_int_equal(block_client_load(&f->client[0]).turn, DEPTH + 2);
    assert_int_equal(block_client_load(&f->client[0]).device, 0);
    (void)device_dispatch(f->fake.device, 0);
    (void)submit(f, 1, DEPTH + 2, 0); /* waits for the other's read of that sector */
    assert_int_equal(block_client_load(&f->client[0]).turn, 2);
    assert_int_equal(block_client_load(&f->client[0]).device, DEPTH);
    assert_int_equal(block_client_load(&f->client[1]).turn, 0);
    assert_int_equal(block_client_load(&f->client[1]).device, 1);
    fake_disk_complete_all(f->fake.disk, 0);
    assert_int_equal(block_client_load(&f->client[0]).device, 0);
    assert_int_equal(block_client_load(&f->client[1]).device, 0);
}

static void a_client_has_waited_if_a_turn_was_over_without_it(void **state)
{
    struct fixture *f = *state;
    assert_false(block_client_waits(&f->client[0], 0));
    for (uint32_t i = 0; i <= DEPTH; i++)
        (void)submit(f, 0, i, 40 * i);
    assert_false(block_client_waits(&f->client[0], 0));
    (void)device_dispatch(f->fake.device, 0);
    assert_true(block_client_waits(&f->client[0], 0));
    assert_false(block_client_waits(&f->client[1], 0));
}

static void count_change(void *ctx)
{
    ++*(uint32_t *)ctx;
}

/* Once; who does not want to know is not asked. */
static void who_wants_to_hears_of_what_the_disk_cannot_do(void **state)
{
    struct fixture *f = *state;
    uint32_t told[CLIENTS + 1] = {0};
    struct block_client deaf;
    bool flush = true, discard = true;
    block_client_open(&deaf, f->fake.vdisk);
    for (int i = 0; i < CLIENTS; i++)
        block_client_on_change(&f->client[i], count_change, &told[i]);
    for (uint32_t times = 0; times < 2; times++) {
        vdisk_cannot(f->fake.vdisk, &flush);
        assert_false(flush);
        assert_int_equal(told[0], 1);
        assert_int_equal(told[1], 1);
    }
    block_client_on_change(&f->client[0], NULL, NULL);
    vdisk_cannot(f->fake.vdisk, &discard);
    assert_int_equal(told[0], 1);
    assert_int_equal(told[1], 2);
    block_client_close(&deaf);
}

static void what_waits_for_a_token_counts_as_waiting(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(block_client_set_scale(&f->client[0], (struct tdf){2, 1}), 0);
    for (uint32_t i = 0; i < DEPTH + 3; i++)
        (void)submit(f, 0, i, 40 * i);
    assert_int_equal(block_client_load(&f->client[0]).turn, DEPTH + 3);
    assert_int_equal(block_client_load(&f->client[1]).turn, 0);
}

/* The device asks in one place for all its clients. */
static void each_client_is_traced_on_its_own(void **state)
{
    struct fixture *f = *state;
    struct device *device = f->fake.device;
    block_client_trace(&f->client[0], true);
    block_client_trace(&f->client[1], true);
    assert_int_equal(device->tracers, 2);
    block_client_trace(&f->client[0], false);
    assert_int_equal(device->tracers, 1);
    block_client_trace(&f->client[1], false);
    assert_int_equal(device->tracers, 0);
}

int main(void)
{
#define CLIENT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CLIENT_TEST(a_new_client_has_the_usual_share),
        CLIENT_TEST(a_weight_out_of_range_changes_nothing),
        CLIENT_TEST(a_scale_out_of_range_changes_nothing),
        CLIENT_TEST(turns_are_by_weight),
        CLIENT_TEST(a_client_may_leave_while_its_reads_are_under_way),
        CLIENT_TEST(a_client_that_was_never_open_may_be_closed),
        CLIENT_TEST(the_load_says_what_waits_where),
        CLIENT_TEST(a_client_has_waited_if_a_turn_was_over_without_it),
        CLIENT_TEST(who_wants_to_hears_of_what_the_disk_cannot_do),
        CLIENT_TEST(what_waits_for_a_token_counts_as_waiting),
        CLIENT_TEST(each_client_is_traced_on_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
