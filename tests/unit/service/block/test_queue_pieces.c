/* SPDX-License-Identifier: MIT */
/*
 * queue: how requests reach the engine: in small chunks, writes and large reads in pieces, not at
 * all when they are wrong or were taken back.
 * tsan: long: it starts no thread
 */
#include <errno.h>

#include "unit/service/block/piece_fixture.h"

/* A device that works serially is to begin before the last one is handed over. */
static void the_disk_is_kicked_after_every_second_request(void **state)
{
    static const uint32_t unkicked[] = {0, 1, 0, 1, 0};
    (void)state;
    for (uint32_t count = 1; count <= DEPTH; count++) {
        for (uint32_t i = 0; i < count; i++)
            (void)ask(i, i % 2 == 0 ? BLOCK_READ : BLOCK_WRITE, 1000 * count + 100 * i, 1);
        assert_int_equal(device_dispatch(f->device, 0), count);
        assert_int_equal(f->disk->waiting_count, count);
        assert_int_equal(f->disk->unkicked, unkicked[count]);
        fake_disk_complete_all(f->disk, 0);
    }
}

static void no_more_is_sent_than_the_device_takes(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < DEPTH + 2; i++)
        (void)ask(i, BLOCK_READ, 100 * i, 1);
    assert_int_equal(device_dispatch(f->device, 0), DEPTH);
    assert_int_equal(device_dispatch(f->device, 0), 0);
    fake_disk_complete(f->disk, 0, 0);
    assert_int_equal(device_dispatch(f->device, 0), 1);
    fake_disk_complete_all(f->disk, 0);
    assert_int_equal(device_dispatch(f->device, 0), 1);
}

static void what_cannot_be_done_is_answered_at_once(void **state)
{
    (void)state;
    f->vdisk->capabilities.flush = f->vdisk->capabilities.discard = false;
    assert_int_equal(ask(0, BLOCK_FLUSH, 0, 0)->status, -EOPNOTSUPP);
    assert_int_equal(ask(1, BLOCK_DISCARD, SECTORS - 8, 8)->status, -EOPNOTSUPP);
    assert_int_equal(f->ask[0].done_count + f->ask[1].done_count, 2);
    assert_int_equal(f->client[0].tokens, 0);
    assert_int_equal(block_client_load(&f->client[0]).turn, 0);
    struct ask *last = ask(2, BLOCK_WRITE, SECTORS - 1, 1);
    assert_int_equal(last->done_count, 0);
    dispatch();
    fake_disk_complete(f->disk, 0, 0);
    assert_int_equal(last->status, 0);
    assert_int_equal(f->client[0].tokens, 0);
}

static void a_request_waits_for_its_turn_in_any_operation(void **state)
{
    static const enum block_operation operations[] = {BLOCK_READ, BLOCK_WRITE, BLOCK_DISCARD,
                                                      BLOCK_FLUSH};
    (void)state;
    for (uint32_t i = 0; i < 4; i++) {
        struct ask *a = ask(i, operations[i], 100 * i, operations[i] == BLOCK_FLUSH ? 0 : 8);
        assert_int_equal(a->request.state, BLOCK_REQUEST_QUEUED);
        assert_int_equal(f->client[0].tokens, i + 1);
        assert_int_equal(block_client_load(&f->client[0]).turn, i + 1);
    }
    assert_int_equal(f->disk->submitted, 0);
    dispatch();
    assert_int_equal(block_client_load(&f->client[0]).turn, 0);
}

static void take_back(struct ask *a, uint32_t tokens_left)
{
    assert_true(block_cancel(&a->request));
    assert_int_equal(a->request.state, BLOCK_REQUEST_IDLE);
    assert_int_equal(f->client[0].tokens, tokens_left);
    assert_true(block_cancel(&a->request)); /* nothing happens */
    assert_int_equal(f->client[0].tokens, tokens_left);
}

static void what_is_taken_back_in_time_never_reaches_the_disk(void **state)
{
    static const struct {
        enum block_operation operation;
        uint64_t sector_count;
    } row[] = {{BLOCK_READ, 1},      {BLOCK_READ, LARGE}, {BLOCK_WRITE, 8},
               {BLOCK_WRITE, LARGE}, {BLOCK_DISCARD, 8},  {BLOCK_FLUSH, 0}};
    (void)state;
    for (uint32_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct ask *first = ask(0, BLOCK_READ, 50000, 1);
        take_back(ask(1, row[i].operation, 0, row[i].sector_count), 1);
        assert_int_equal(block_client_load(&f->client[0]).turn, 1);
        assert_int_equal(device_dispatch(f->device, 0), 1);
        assert_int_equal(f->disk->waiting_count, 1);
        take_back(first, 0);
        fake_disk_complete_all(f->disk, -EIO); /* nothing is cached */
        assert_int_equal(f->ask[1].done_count, 0);
    }
}

/* A client whose disk is slower than the device has no more requests at it than that takes. */
static void what_waits_for_a_token_can_be_taken_back(void **state)
{
    (void)state;
    assert_int_equal(block_client_set_scale(&f->client[0], (struct tdf){2, 1}), 0);
    for (uint32_t i = 0; i < DEPTH + 3; i++)
        (void)ask(i, i % 2 == 0 ? BLOCK_READ : BLOCK_WRITE, 100 * i, 1);
    for (uint32_t i = 0; i < DEPTH + 3; i++)
        assert_int_equal(f->ask[i].request.state,
                         i < DEPTH ? BLOCK_REQUEST_QUEUED : BLOCK_REQUEST_GATED);
    assert_int_equal(block_client_load(&f->client[0]).turn, DEPTH + 3);
    take_back(&f->ask[DEPTH + 1], DEPTH); /* it had no token */
    assert_int_equal(block_client_load(&f->client[0]).turn, DEPTH + 2);
    take_back(&f->ask[0], DEPTH); /* its token is the next one's */
    assert_int_equal(f->ask[DEPTH].request.state, BLOCK_REQUEST_QUEUED);
    assert_int_equal(f->ask[DEPTH + 2].request.state, BLOCK_REQUEST_GATED);
    for (uint32_t i = DEPTH + 2; i > 0; i--) {
        assert_true(block_cancel(&f->ask[i].request));
        assert_int_equal(f->ask[i].done_count, 0);
    }
    assert_int_equal(f->client[0].tokens, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(setup, the_disk_is_kicked_after_every_second_request),
        WITH(setup, no_more_is_sent_than_the_device_takes),
        WITH(setup, what_cannot_be_done_is_answered_at_once),
        WITH(setup, a_request_waits_for_its_turn_in_any_operation),
        WITH(setup, what_is_taken_back_in_time_never_reaches_the_disk),
        WITH(setup, what_waits_for_a_token_can_be_taken_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
