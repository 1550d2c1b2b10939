/* SPDX-License-Identifier: MIT */
/* vdisk: what is told of an image, and several vdisks on one device. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/container_of.h"
#include "fakes/fake_vdisk.h"
#include "service/block/device_private.h"
#include "service/block/queue.h"
#include "splitdom/shared_cache.h"

enum { DEPTH = 4, SECTORS = 64, VDISKS = 2, NOT_DONE = 4711 };

struct ask {
    struct block_request request;
    struct block_segment segment;
    uint8_t data[BLOCK_SECTOR_BYTES];
    int status;
};

struct fixture {
    struct device *device;
    struct fake_disk *disk;
    struct vdisk *vdisk[VDISKS];
    struct block_client client[VDISKS]; /* of each one */
};

static struct image image_of(uint64_t size_bytes, uint32_t block_bytes)
{
    return (struct image){.fd = -1,
                          .size_bytes = size_bytes,
                          .block_size_bytes = block_bytes,
                          .memory_align_bytes = 512};
}

static struct vdisk *make_vdisk(struct device *device, struct image image)
{
    const struct vdisk_config config = {.device = device,
                                        .cache_bytes = SECTORS * BLOCK_SECTOR_BYTES,
                                        .policy = cache_policy_find("lru")};
    struct vdisk *vdisk;
    struct why why;
    assert_int_equal(vdisk_create(&config, &image, &vdisk, &why), 0);
    return vdisk;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    const struct device_config config = {
        .engine = &fake_disk_ops, .align_bytes = 4096, .depth = DEPTH, .depth_isolated = DEPTH};
    struct why why;
    assert_non_null(f);
    assert_int_equal(device_create(&config, &f->device, &why), 0);
    f->disk = fake_disk_current();
    for (int i = 0; i < VDISKS; i++) {
        f->vdisk[i] = make_vdisk(f->device, image_of(SECTORS * BLOCK_SECTOR_BYTES, 512));
        block_client_open(&f->client[i], f->vdisk[i]);
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    fake_disk_complete_all(f->disk, 0);
    for (int i = 0; i < VDISKS; i++) {
        block_client_close(&f->client[i]);
        vdisk_destroy(f->vdisk[i]);
    }
    vdisk_destroy(NULL);
    device_destroy(f->device);
    free(f);
    return 0;
}

static void on_done(struct block_request *request, int status)
{
    container_of(request, struct ask, request)->status = status;
}

static void submit(struct block_client *client, struct ask *a, uint64_t sector)
{
    *a = (struct ask){.segment = {.address = a->data, .sector_count = 1}, .status = NOT_DONE};
    a->request = (struct block_request){.done = on_done,
                                        .sector = sector,
                                        .sector_count = 1,
                                        .segments = &a->segment,
                                        .segment_count = 1};
    block_submit(client, &a->request, 0);
}

static void a_disk_of_whole_blocks_tells_its_block(void **state)
{
    struct fixture *f = *state;
    struct vdisk *vdisk = make_vdisk(f->device, image_of(8 * 4096, 4096));
    assert_int_equal(vdisk->capabilities.sector_count, 64);
    assert_int_equal(vdisk->capabilities.physical_sector_bytes, 4096);
    vdisk->image.size_bytes += 512; /* and one that ends within a block claims none */
    vdisk_image_changed(vdisk);
    assert_int_equal(vdisk->capabilities.sector_count, 65);
    assert_int_equal(vdisk->capabilities.physical_sector_bytes, 512);
    vdisk_destroy(vdisk);
}

static void larger_blocks_than_the_devices_are_refused(void **state)
{
    struct fixture *f = *state;
    const struct vdisk_config config = {.device = f->device, .policy = cache_policy_find("lru")};
    struct image image = image_of(8192, 8192);
    struct vdisk *vdisk;
    struct why why = {0};
    assert_int_equal(vdisk_create(&config, &image, &vdisk, &why), -ENOTSUP);
    assert_null(vdisk);
    assert_non_null(strstr(why.text, "8192"));
    image = image_of(8192, 512);
    image.memory_align_bytes = 8192; /* the buffers would lie wrong */
    assert_int_equal(vdisk_create(&config, &image, &vdisk, &why), -ENOTSUP);
}

/* Neither cached sectors nor reads in flight are taken for those of another disk. */
static void equal_sectors_of_two_disks_are_two(void **state)
{
    struct fixture *f = *state;
    struct ask a[VDISKS], again;
    for (int i = 0; i < VDISKS; i++)
        submit(&f->client[i], &a[i], 5);
    assert_int_equal(device_dispatch(f->device, 0), 2);
    assert_ptr_equal(f->disk->waiting[0]->image, &f->vdisk[0]->image);
    assert_ptr_equal(f->disk->waiting[1]->image, &f->vdisk[1]->image);
    fake_disk_complete(f->disk, 0, 0);
    assert_int_equal(a[0].status, 0);
    assert_int_equal(a[1].status, NOT_DONE);
    submit(&f->client[0], &again, 5);
    assert_int_equal(again.status, 0);
    submit(&f->client[1], &again, 6);
    vdisk_image_changed(f->vdisk[0]); /* the other one's read stays what it was */
    fake_disk_complete(f->disk, 0, 0);
    assert_int_equal(a[1].status, 0);
    assert_int_equal(cache_used(f->vdisk[0]->cache), 0);
    assert_int_equal(cache_used(f->vdisk[1]->cache), 1);
    block_cancel(&again.request);
    assert_int_equal(f->vdisk[0]->stats.hits, 1);
    assert_int_equal(f->vdisk[1]->stats.hits, 0);
}

static void disks_of_one_device_take_turns(void **state)
{
    struct fixture *f = *state;
    struct ask many[8], few[2];
    for (uint64_t i = 0; i < 8; i++)
        submit(&f->client[0], &many[i], 8 * i);
    for (uint64_t i = 0; i < 2; i++)
        submit(&f->client[1], &few[i], 8 * i);
    assert_int_equal(device_dispatch(f->device, 0), DEPTH);
    uint32_t of_the_second = 0;
    for (uint32_t i = 0; i < DEPTH; i++)
        of_the_second += f->disk->waiting[i]->image == &f->vdisk[1]->image;
    assert_int_equal(of_the_second, 2);
    for (int i = 0; i < 8; i++)
        block_cancel(&many[i].request);
    for (int i = 0; i < 2; i++)
        block_cancel(&few[i].request);
}

static void a_disk_goes_while_another_one_reads(void **state)
{
    struct fixture *f = *state;
    struct vdisk *third = make_vdisk(f->device, image_of(4096, 512));
    struct ask a;
    submit(&f->client[0], &a, 1);
    assert_int_equal(device_dispatch(f->device, 0), 1);
    vdisk_destroy(third);
    fake_disk_complete(f->disk, 0, 0);
    assert_int_equal(a.status, 0);
}

static void a_disk_is_busy_until_the_device_has_let_go_of_it(void **state)
{
    struct fixture *f = *state;
    struct vdisk *third = make_vdisk(f->device, image_of(4096, 512));
    struct block_client client;
    struct ask a;
    block_client_open(&client, third);
    assert_false(vdisk_is_idle(third));
    submit(&client, &a, 1);
    assert_int_equal(device_dispatch(f->device, 0), 1);
    assert_true(block_cancel(&a.request));
    block_client_close(&client);
    assert_false(vdisk_is_idle(third)); /* its read is still under way */
    fake_disk_complete(f->disk, 0, 0);
    assert_true(vdisk_is_idle(third));
    vdisk_destroy(third);
}

/* The pieces of memory are filled one after the other. */
static void take_cache(void *ctx, struct cache *cache)
{
    struct cache **taken = ctx;
    assert_null(*taken);
    *taken = cache;
}

/* It is as Dom0's loop left it, and no thread has to end what that has begun. */
static void its_cache_is_left_to_who_destroys_it(void **state)
{
    struct fixture *f = *state;
    struct cache *taken = NULL, *cache;
    const struct vdisk_config config = {.device = f->device,
                                        .cache_bytes = SECTORS * BLOCK_SECTOR_BYTES,
                                        .policy = cache_policy_find("lru"),
                                        .let_go = take_cache,
                                        .let_go_ctx = &taken};
    struct image image = image_of(4096, 512);
    struct vdisk *vdisk;
    struct why why;
    assert_int_equal(vdisk_create(&config, &image, &vdisk, &why), 0);
    cache = vdisk->cache;
    assert_int_equal(cache_share(cache), 0);
    const struct shared_cache_header *header =
        mmap(NULL, sizeof(*header), PROT_READ, MAP_SHARED, cache_shared_fd(cache), 0);
    assert_ptr_not_equal(header, MAP_FAILED);
    uint32_t epoch = header->epoch;
    vdisk_destroy(vdisk);
    assert_ptr_equal(taken, cache);
    assert_int_not_equal(header->epoch, epoch); /* nobody finds anything there any more */
    munmap((void *)(uintptr_t)header, sizeof(*header));
    cache_destroy(taken);
}

static void a_read_may_have_several_segments(void **state)
{
    enum { PIECES = 3, PIECE_SECTORS = 2, FIRST = 5 };
    struct fixture *f = *state;
    static uint8_t page[PIECES][PIECE_SECTORS * BLOCK_SECTOR_BYTES];
    struct block_segment segment[PIECES];
    struct ask a = {.status = NOT_DONE};
    for (int i = 0; i < PIECES; i++) /* the last page first */
        segment[i] =
            (struct block_segment){.address = page[PIECES - 1 - i], .sector_count = PIECE_SECTORS};
    for (int round = 0; round < 2; round++) { /* from the device, then from the cache */
        memset(page, 0, sizeof(page));
        a.request = (struct block_request){.done = on_done,
                                           .sector = FIRST,
                                           .sector_count = PIECES * PIECE_SECTORS,
                                           .segments = segment,
                                           .segment_count = PIECES};
        block_submit(&f->client[0], &a.request, 0);
        (void)device_dispatch(f->device, 0);
        fake_disk_complete_all(f->disk, 0);
        assert_int_equal(a.status, 0);
        for (uint64_t i = 0; i < PIECES; i++)
            assert_true(
                fake_disk_holds(page[PIECES - 1 - i], FIRST + i * PIECE_SECTORS, PIECE_SECTORS));
    }
}

/* A file that nobody reads: the fake disk has the bytes. */
static void assert_truncated(const char *path, off_t size_bytes)
{
    assert_int_equal(truncate(path, size_bytes), 0);
}

static void a_refresh_empties_the_cache_whatever_it_finds(void **state)
{
    static const struct {
        off_t size_bytes;
        int rc;
    } found[] = {{4096, 0}, {8192, 0}, {8195, -EINVAL}};
    struct fixture *f = *state;
    char path[] = "build/test_vdisk.XXXXXX";
    struct image image;
    struct why why;
    struct ask a;
    mkdir("build", 0777);
    close(mkstemp(path));
    assert_truncated(path, 4096);
    if (image_open(path, false, &image, &why) < 0) {
        unlink(path);
        skip();
    }
    struct vdisk *vdisk = make_vdisk(f->device, image);
    struct block_client client;
    block_client_open(&client, vdisk);
    for (size_t i = 0; i < 3; i++) {
        submit(&client, &a, 5);
        assert_int_equal(a.status, NOT_DONE); /* nothing is cached, and nothing to be joined */
        device_dispatch(f->device, 0);
        if (i == 2) { /* one that is under way counts as old, too */
            assert_truncated(path, found[i].size_bytes);
            assert_int_equal(vdisk_refresh(vdisk, &why), found[i].rc);
        }
        fake_disk_complete_all(f->disk, 0);
        assert_int_equal(a.status, 0);
        assert_int_equal(cache_used(vdisk->cache), i < 2);
        assert_truncated(path, found[i].size_bytes);
        assert_int_equal(vdisk_refresh(vdisk, &why), found[i].rc);
        assert_int_equal(cache_used(vdisk->cache), 0);
    }
    assert_non_null(strstr(why.text, "8195"));
    assert_int_equal(vdisk->capabilities.sector_count, 16); /* as it was before that */
    block_client_close(&client);
    vdisk_destroy(vdisk);
    unlink(path);
}

/* What was read before the change is old, and is kept nowhere; another image's is as good as ever.
 */
static void what_is_under_way_when_an_image_changes_is_not_kept(void **state)
{
    struct fixture *f = *state;
    struct ask a[VDISKS] = {0}, again[VDISKS] = {0};
    for (int i = 0; i < VDISKS; i++)
        submit(&f->client[i], &a[i], 5);
    assert_int_equal(device_dispatch(f->device, 0), VDISKS);
    vdisk_image_changed(f->vdisk[0]);
    fake_disk_complete_all(f->disk, 0);
    for (int i = 0; i < VDISKS; i++) {
        assert_int_equal(a[i].status, 0);
        submit(&f->client[i], &again[i], 5);
        assert_int_equal(again[i].status, i == 0 ? NOT_DONE : 0);
        block_cancel(&again[i].request);
    }
    assert_int_equal(cache_used(f->vdisk[0]->cache), 0);
}

/* The place that is used last, when all others are, comes first. */
static void turn_places_round(struct device *device)
{
    struct device_job **last = &device->free_jobs;
    while ((*last)->next_free != NULL)
        last = &(*last)->next_free;
    struct device_job *job = *last;
    *last = NULL;
    job->next_free = device->free_jobs;
    device->free_jobs = job;
}

/* Whatever place of the device it has. */
static void nothing_under_way_is_kept_when_its_sectors_change(void **state)
{
    struct fixture *f = *state;
    struct ask a[DEPTH] = {0};
    turn_places_round(f->device);
    for (uint32_t i = 0; i < DEPTH; i++)
        submit(&f->client[0], &a[i], 10 * i);
    assert_int_equal(device_dispatch(f->device, 0), DEPTH);
    vdisk_outdate(f->vdisk[0], 0, SECTORS * BLOCK_SECTOR_BYTES);
    fake_disk_complete_all(f->disk, 0);
    for (uint32_t i = 0; i < DEPTH; i++)
        assert_int_equal(a[i].status, 0);
    assert_int_equal(cache_used(f->vdisk[0]->cache), 0);
}

int main(void)
{
#define VDISK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        VDISK_TEST(a_disk_of_whole_blocks_tells_its_block),
        VDISK_TEST(larger_blocks_than_the_devices_are_refused),
        VDISK_TEST(equal_sectors_of_two_disks_are_two),
        VDISK_TEST(disks_of_one_device_take_turns),
        VDISK_TEST(a_disk_goes_while_another_one_reads),
        VDISK_TEST(a_disk_is_busy_until_the_device_has_let_go_of_it),
        VDISK_TEST(its_cache_is_left_to_who_destroys_it),
        VDISK_TEST(a_read_may_have_several_segments),
        VDISK_TEST(a_refresh_empties_the_cache_whatever_it_finds),
        VDISK_TEST(nothing_under_way_is_kept_when_its_sectors_change),
        VDISK_TEST(what_is_under_way_when_an_image_changes_is_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
