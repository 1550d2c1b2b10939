/* SPDX-License-Identifier: MIT */
/* vdisks: what was done is counted by its kind, also by what is gone. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/block/device_private.h"
#include "vdisks_fixture.h"

/* An image on a device of its own, each of whose counters is the last one's and one more, from
 * first on. */
static struct vdisks_item *add(dev_t number, uint64_t first)
{
    struct image image = {.fd = open("/dev/null", O_RDWR | O_CLOEXEC),
                          .path = strdup("/some/image"),
                          .device = number,
                          .inode = 1,
                          .size_bytes = 64 * 512,
                          .block_size_bytes = 512,
                          .memory_align_bytes = 512};
    struct vdisks_item *item;
    assert_int_equal(
        vdisks_add(&vdisks, &image, &(struct vdisks_wish){.cache_bytes = 0}, &item, &why), 0);
    item->vdisk->stats =
        (struct vdisk_stats){first, first + 1, first + 2, first + 3, first + 4, first + 5};
    item->vdisk->device->stats =
        (struct device_stats){first + 6,  first + 7,  first + 8,  first + 9,
                              first + 10, first + 11, first + 12, (uint32_t)first};
    return item;
}

/* times: how often each of the counters of add was added up. */
static void assert_totals(uint64_t first, uint64_t times, uint32_t peak)
{
    const struct vdisks_totals totals = vdisks_totals(&vdisks);
    const struct vdisk_stats *v = &totals.vdisk;
    const struct device_stats *d = &totals.device;
    const uint64_t found[] = {v->hits,     v->misses,   v->shared, v->writes, v->flushes,
                              v->discards, d->reads,    d->bytes,  d->writes, d->bytes_written,
                              d->flushes,  d->discards, d->errors};
    for (uint64_t i = 0; i < sizeof(found) / sizeof(found[0]); i++)
        assert_int_equal(found[i], first + times * i);
    assert_int_equal(d->in_flight_peak, peak);
}

static void totals_are_of_all_images_and_devices(void **state)
{
    (void)state;
    assert_totals(0, 0, 0);
    (void)add(1, 100);
    assert_totals(100, 1, 100);
    (void)add(2, 3000);
    assert_totals(3100, 2, 3000);
    (void)add(3, 50); /* its peak is none */
    assert_totals(3150, 3, 3000);
}

static void what_is_gone_counts_on(void **state)
{
    struct vdisks_use *use;
    (void)state;
    struct vdisks_item *item = add(1, 100);
    assert_int_equal(vdisks_use(item, 1, 51712, ACCESS_READ, &use, &why), 0);
    (void)add(2, 3000);
    vdisks_leave(&vdisks, use);
    vdisks_sweep(&vdisks);
    assert_totals(3100, 2, 3000);
}

static void caches_of_all_images_add_up(void **state)
{
    (void)state;
    struct vdisks_item *item;
    assert_int_equal(vdisks_cache_bytes(&vdisks), 0);
    for (dev_t number = 1; number <= 2; number++) {
        struct image image = {.fd = open("/dev/null", O_RDWR | O_CLOEXEC),
                              .path = strdup("/some/image"),
                              .device = number,
                              .inode = 1,
                              .size_bytes = 64 * 512,
                              .block_size_bytes = 512,
                              .memory_align_bytes = 512};
        const struct vdisks_wish wish = {.cache_bytes = 512 * 3 * number};
        assert_int_equal(vdisks_add(&vdisks, &image, &wish, &item, &why), 0);
    }
    assert_int_equal(vdisks_cache_bytes(&vdisks), 512 * 3 + 512 * 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(totals_are_of_all_images_and_devices, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_gone_counts_on, setup, teardown),
        cmocka_unit_test_setup_teardown(caches_of_all_images_add_up, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
