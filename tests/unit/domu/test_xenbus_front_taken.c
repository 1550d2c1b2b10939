/* SPDX-License-Identifier: MIT */
/* xenbus_front: a device that Dom0 takes away while its front end connects. */
#include <errno.h>
#include <string.h>

#include "unit/domu/xenbus_front_fixture.h"
#include "xenstore/server/xs_local.h"

/* A device that is taken away as soon as its front end has a certain state. */
#define BRIEF_FRONT "/local/domain/3/device/vbd/7"
#define BRIEF_BACK  "/local/domain/0/backend/vbd/3/7"

enum { BRIEF = 7 };

static const char *brief_begin, *brief_end; /* the front end's first state, and the last */
static struct xs_server *server;
static struct xs_local_watch *brief_watch;

static void put(const char *path, const char *value, const char *owner, const char *reader)
{
    const char *const perms[] = {owner, reader};
    if (xs_local_write(server, path, value) < 0 || xs_local_set_perms(server, path, perms, 2) < 0)
        abort();
}

/* As the toolstack does that. */
static void take_away(void *ctx, const char *path)
{
    char value[8];
    (void)ctx;
    (void)path;
    if (xs_local_read(server, BRIEF_FRONT "/state", value, sizeof(value)) < 0 ||
        value[0] != brief_end[0])
        return;
    if (xs_local_rm(server, BRIEF_FRONT) < 0 || xs_local_rm(server, BRIEF_BACK) < 0)
        abort();
}

static void make_brief(struct fake_dom0 *d, struct xs_server *store)
{
    (void)d;
    server = store;
    put(BRIEF_FRONT, "", "n3", "r0");
    put(BRIEF_FRONT "/backend", BRIEF_BACK, "n3", "r0");
    put(BRIEF_FRONT "/state", brief_begin, "n3", "r0");
    put(BRIEF_BACK "/state", "2", "n0", "r3");
    if (xs_local_watch(store, BRIEF_FRONT "/state", take_away, NULL, &brief_watch) < 0)
        abort();
}

static void end_brief(struct fake_dom0 *d)
{
    (void)d;
    xs_local_unwatch(brief_watch);
}

static void meet_brief(struct xenbus_front *brief, const char *begin, const char *end)
{
    brief_begin = begin;
    brief_end = end;
    meet(&(struct fake_dom0_script){.make_devices = make_brief, .end_devices = end_brief});
    xenbus_front_init(brief, &class, &fronts, &life, BRIEF);
}

static void a_device_that_goes_before_its_back_end_begins_anew_is_not_waited_for(void **state)
{
    (void)state;
    struct xenbus_front brief;
    meet_brief(&brief, "6", "1");
    assert_int_equal(xenbus_front_find_back(&brief, &step), -ENODEV);
}

static void a_device_that_goes_with_an_offer_is_told(void **state)
{
    (void)state;
    struct xenbus_front brief;
    meet_brief(&brief, "1", "3");
    assert_int_equal(xenbus_front_find_back(&brief, &step), 0);
    assert_int_equal(xenbus_front_offer(&brief, write_ring, &step), -ENODEV);
    assert_int_equal(xenbus_front_fail(&brief, -ENODEV, step, why, sizeof(why)), -ENODEV);
    assert_non_null(strstr(why, "Dom0 took the device away"));
}

int main(void)
{
#define FRONT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        FRONT_TEST(a_device_that_goes_before_its_back_end_begins_anew_is_not_waited_for),
        FRONT_TEST(a_device_that_goes_with_an_offer_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
