/* SPDX-License-Identifier: MIT */
/* queue: requests that are taken back, and an image that changes under them. */
#include <errno.h>

#include "unit/service/block/queue_fixture.h"

static void a_cancelled_request_is_never_answered(void **state)
{
    (void)state;
    struct ask *queued = read_one(0, 0, 50, 1);
    block_cancel(&queued->request);
    assert_int_equal(queued->request.state, BLOCK_REQUEST_IDLE);
    assert_int_equal(device_dispatch(f->device, 0), 0);

    struct ask *reading = read_one(0, 1, 60, 1);
    device_dispatch(f->device, 0);
    struct ask *joined = read_one(1, 2, 60, 1), *stays = read_one(2, 3, 60, 1);
    block_cancel(&reading->request);
    block_cancel(&joined->request);
    block_cancel(&joined->request); /* free already: nothing happens */
    fake_disk_complete(f->disk, 0, 0);
    assert_int_equal(queued->done_count + reading->done_count + joined->done_count, 0);
    assert_true(is_served(stays));
}

static void a_read_that_nobody_waits_for_ends_quietly(void **state)
{
    (void)state;
    struct ask *a = read_one(0, 0, 60, 1);
    device_dispatch(f->device, 0);
    block_cancel(&a->request);
    struct ask *b = read_one(1, 1, 60, 1); /* may still join */
    fake_disk_complete(f->disk, 0, -EIO);
    assert_int_equal(a->done_count, 0);
    assert_int_equal(b->status, -EIO);
}

static void done_may_ask_again(void **state)
{
    (void)state;
    struct ask *a = fill(0, 80, 1), *chained = fill(1, 80, 1), *miss = fill(2, 90, 1);
    a->chain = chained; /* a hit by then */
    chained->chain = miss;
    put_ask(a, 0);
    device_dispatch(f->device, 0);
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(a) && is_served(chained));
    assert_int_equal(device_dispatch(f->device, 0), 1);
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(miss));
}

static void the_cache_keeps_to_its_bound(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3 * CACHE_SECTORS; i++) {
        (void)read_one(0, 0, i, 1);
        device_dispatch(f->device, 0);
        fake_disk_complete_all(f->disk, 0);
        assert_true(cache_used(f->vdisk->cache) <= CACHE_SECTORS);
    }
    assert_int_equal(cache_capacity(f->vdisk->cache), CACHE_SECTORS);
    assert_true(is_served(read_one(0, 0, 3 * CACHE_SECTORS - 1, 1)));
    assert_int_equal(read_one(0, 1, 0, 1)->done_count, 0);
}

/* One greedy client and two modest ones: turns, not arrival. */
static void turns_go_round(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 20; i++)
        (void)read_one(0, i, 300 + 10 * i, 1);
    for (uint32_t i = 20; i < 23; i++)
        (void)read_one(1, i, 300 + 10 * i, 1);
    for (uint32_t i = 23; i < 26; i++)
        (void)read_one(2, i, 300 + 10 * i, 1);
    for (int turn = 0; turn < 20 && f->done_total < 26; turn++) {
        (void)device_dispatch(f->device, 0);
        fake_disk_complete_all(f->disk, 0);
    }
    assert_int_equal(f->done_total, 26);
    uint32_t greedy_in_first_nine = 0, last_greedy = 0;
    for (uint32_t i = 0; i < 26; i++) {
        bool greedy = f->done_order[i] < 20;
        greedy_in_first_nine += i < 9 && greedy;
        if (greedy) { /* each client's own order holds */
            assert_true(f->done_order[i] >= last_greedy);
            last_greedy = f->done_order[i];
        }
    }
    assert_int_equal(greedy_in_first_nine, 3);
}

static void a_changed_image_empties_the_cache(void **state)
{
    (void)state;
    (void)read_one(0, 0, 5, 1);
    device_dispatch(f->device, 0);
    fake_disk_complete(f->disk, 0, 0);
    vdisk_image_changed(f->vdisk);
    assert_int_equal(read_one(0, 1, 5, 1)->done_count, 0);
}

/* It was inside when it was asked for, and is not any more when its turn comes. */
static void a_request_that_the_shrunken_image_lacks_is_an_error(void **state)
{
    (void)state;
    uint64_t last = f->vdisk->image.size_bytes / BLOCK_SECTOR_BYTES - 1;
    struct ask *gone = read_one(0, 0, last, 1);
    struct ask *kept = read_one(1, 1, last - 1, 1);
    f->vdisk->image.size_bytes -= BLOCK_SECTOR_BYTES;
    vdisk_image_changed(f->vdisk);
    assert_int_equal(device_dispatch(f->device, 0), 2); /* one answered, one sent */
    assert_int_equal(gone->done_count, 1);
    assert_int_equal(gone->status, -EINVAL);
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(kept));
}

/* What was read before the change must not be kept, nor given to those who ask after it. */
static void a_read_under_way_when_the_image_changes_is_old(void **state)
{
    (void)state;
    struct ask *before = read_one(0, 0, 5, 1);
    device_dispatch(f->device, 0);
    vdisk_image_changed(f->vdisk);
    struct ask *after = read_one(1, 1, 5, 1);
    assert_int_equal(device_dispatch(f->device, 0), 1);
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(before));
    assert_int_equal(after->done_count, 0);
    struct ask *later = read_one(2, 2, 5, 1);
    assert_int_equal(later->done_count, 0); /* not in the cache */
    fake_disk_complete(f->disk, 0, 0);
    assert_true(is_served(after) && is_served(later));
    assert_true(is_served(read_one(0, 3, 5, 1)));
}

int main(void)
{
#define QUEUE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        QUEUE_TEST(a_cancelled_request_is_never_answered),
        QUEUE_TEST(a_read_that_nobody_waits_for_ends_quietly),
        QUEUE_TEST(done_may_ask_again),
        QUEUE_TEST(the_cache_keeps_to_its_bound),
        QUEUE_TEST(turns_go_round),
        QUEUE_TEST(a_changed_image_empties_the_cache),
        QUEUE_TEST(a_request_that_the_shrunken_image_lacks_is_an_error),
        QUEUE_TEST(a_read_under_way_when_the_image_changes_is_old),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
