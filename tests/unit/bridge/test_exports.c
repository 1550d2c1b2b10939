/* SPDX-License-Identifier: MIT */
/* exports, against a Dom0 that has two disks. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/vdev.h"
#include "bridge/exports.h"
#include "fakes/fake_disk.h"
#include "fakes/fake_dom0.h"

enum { XVDB = 51728, HANG_S = 60 };

static char base[64];
static struct fake_dom0 *dom0;
static struct exports *exports;
static struct exports_options options;
static struct why why;

static int setup(void **state)
{
    (void)state;
    alarm(HANG_S);
    exports = NULL;
    snprintf(base, sizeof(base), "/tmp/splitdom-exports-XXXXXX");
    if (mkdtemp(base) == NULL)
        return -1;
    struct fake_dom0_script script = {.disks = 2};
    dom0 = fake_dom0_start(base, &script);
    options = (struct exports_options){.domain.rundir = base,
                                       .domain.name = "fake",
                                       .depth = 8,
                                       .disk_count = 2,
                                       .disks = {{.vdev = VDEV_XVDA}, {.vdev = XVDB}}};
    return dom0 != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    exports_close(exports);
    fake_dom0_stop(dom0);
    alarm(0);
    return rmdir(base);
}

static uint8_t writable[1 << 20];

/* Another Dom0, whose disks can be written. */
static void make_writable(void)
{
    struct fake_dom0_script script = {
        .disks = 2, .sectors = sizeof(writable) / 512, .disk = writable};

    fake_dom0_stop(dom0);
    dom0 = fake_dom0_start(base, &script);
    assert_non_null(dom0);
}

static void open_exports(void)
{
    if (exports_open(&options, &exports, &why) < 0)
        fail_msg("%s", why.text);
}

static void disks_are_exports_by_name_and_the_first_is_the_default(void **state)
{
    struct blkfront *first, *same, *other;
    uint8_t sector[512];

    (void)state;
    open_exports();
    assert_int_equal(exports_count(exports), 2);
    assert_string_equal(exports_name(exports, 1), "xvdb");
    assert_int_equal(exports_acquire(exports, "", &first, &why), 0);
    assert_int_equal(exports_acquire(exports, "xvda", &same, &why), 0);
    assert_int_equal(exports_acquire(exports, "xvdb", &other, &why), 0);
    assert_ptr_equal(first, same);
    assert_ptr_not_equal(first, other);
    assert_int_equal(exports_acquire(exports, "xvdc", &other, &why), -ENOENT);
    assert_string_equal(why.text, "there is no export xvdc");
    /* What would make a line of its own of it, or move a terminal's cursor, is not repeated. */
    assert_int_equal(exports_acquire(exports, "\x1b[2Ja\nb", &other, &why), -ENOENT);
    assert_string_equal(why.text, "there is no export of that name");
    exports_release(exports, first);
    assert_int_equal(blkfront_read(same, 3, 1, sector), 0); /* it has a user left */
    assert_true(fake_disk_holds(sector, 3, 1));
    exports_release(exports, same);
    exports_release(exports, other);
}

static void a_disk_can_be_opened_again(void **state)
{
    struct blkfront *bf;
    uint8_t sector[512];

    (void)state;
    open_exports();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(exports_acquire(exports, "xvdb", &bf, &why), 0);
        assert_int_equal(blkfront_read(bf, 5, 1, sector), 0);
        exports_release(exports, bf);
    }
}

static void it_is_known_whether_disks_have_users(void **state)
{
    struct blkfront *bf;

    (void)state;
    open_exports();
    assert_false(exports_are_used(exports));
    assert_int_equal(exports_acquire(exports, "xvdb", &bf, &why), 0);
    assert_true(exports_are_used(exports));
    exports_release(exports, bf);
    assert_false(exports_are_used(exports));
}

static void what_is_missing_is_known_at_once(void **state)
{
    (void)state;
    options.disks[1].vdev = 51744;
    assert_int_equal(exports_open(&options, &exports, &why), -ENODEV);
    assert_non_null(strstr(why.text, "xvdc"));
    assert_null(exports);
    options.disks[1].vdev = VDEV_XVDA;
    assert_int_equal(exports_open(&options, &exports, &why), -EEXIST);
}

static void a_writable_disk_is_read_only_where_that_is_asked_for(void **state)
{
    struct blkfront_geometry geometry;
    struct blkfront *first, *other;

    (void)state;
    make_writable();
    options.disks[0].access = EXPORT_READ;
    options.disks[1].access = EXPORT_WRITE;
    open_exports();
    assert_int_equal(exports_acquire(exports, "xvda", &first, &why), 0);
    assert_int_equal(exports_acquire(exports, "xvdb", &other, &why), 0);
    assert_int_equal(exports_geometry(exports, first, &geometry), 0);
    assert_true(geometry.read_only);
    assert_false(geometry.discard);
    assert_int_equal(exports_geometry(exports, other, &geometry), 0);
    assert_false(geometry.read_only);
    exports_release(exports, first);
    exports_release(exports, other);
    exports_close(exports);
    options.disks[0].access = EXPORT_WRITE;
    options.disks[1].access = EXPORT_READ;
    open_exports();
    assert_int_equal(exports_acquire(exports, "xvdb", &other, &why), 0);
    assert_int_equal(exports_geometry(exports, other, &geometry), 0);
    assert_true(geometry.read_only);
    assert_int_equal(geometry.discard_granularity, 0);
    exports_release(exports, other);
}

static void a_read_only_disk_is_refused_where_it_is_to_be_written(void **state)
{
    (void)state;
    options.disks[1].access = EXPORT_WRITE;
    assert_int_equal(exports_open(&options, &exports, &why), -EROFS);
    assert_non_null(strstr(why.text, "xvdb is read-only"));
    assert_null(exports);
}

static void a_disk_has_as_many_rings_as_are_asked_for(void **state)
{
    struct fake_dom0_script script = {.disks = 2, .queues = 4};
    struct blkfront *bf;
    uint8_t sector[512];

    (void)state;
    fake_dom0_stop(dom0);
    dom0 = fake_dom0_start(base, &script);
    assert_non_null(dom0);
    options.queues = 3;
    open_exports();
    assert_int_equal(exports_acquire(exports, "xvdb", &bf, &why), 0);
    assert_int_equal(blkfront_queues(bf), 3);
    assert_int_equal(blkfront_read(bf, 3, 1, sector), 0);
    assert_true(fake_disk_holds(sector, 3, 1));
    exports_release(exports, bf);
}

static void the_end_of_the_domain_can_be_waited_for(void **state)
{
    (void)state;
    open_exports();
    struct pollfd wait = {.fd = exports_failure_fd(exports), .events = POLLIN};
    assert_int_equal(poll(&wait, 1, 0), 0);
    fake_dom0_stop(dom0);
    dom0 = NULL;
    assert_int_equal(poll(&wait, 1, HANG_S * 1000), 1);
    assert_non_null(strstr(exports_failure(exports), "Dom0 is gone"));
}

int main(void)
{
#define EXPORTS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        EXPORTS_TEST(disks_are_exports_by_name_and_the_first_is_the_default),
        EXPORTS_TEST(a_disk_can_be_opened_again),
        EXPORTS_TEST(it_is_known_whether_disks_have_users),
        EXPORTS_TEST(what_is_missing_is_known_at_once),
        EXPORTS_TEST(a_writable_disk_is_read_only_where_that_is_asked_for),
        EXPORTS_TEST(a_read_only_disk_is_refused_where_it_is_to_be_written),
        EXPORTS_TEST(a_disk_has_as_many_rings_as_are_asked_for),
        EXPORTS_TEST(the_end_of_the_domain_can_be_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
