/* SPDX-License-Identifier: MIT */
/* xenbus_path: the directories of a domain and of the two halves of a device. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "xenstore/xenbus_path.h"

static void a_domain_has_a_home(void **state)
{
    (void)state;
    char path[XENBUS_PATH_MAX];
    xenbus_home_path(path, 7, "");
    assert_string_equal(path, "/local/domain/7");
    xenbus_home_path(path, 65535, "sched/weight");
    assert_string_equal(path, "/local/domain/65535/sched/weight");
}

static void a_device_has_two_halves_and_an_error(void **state)
{
    (void)state;
    char path[XENBUS_PATH_MAX];
    const struct xenbus_key key = {"vbd", 7, 51712};
    xenbus_front_path(path, &key, "");
    assert_string_equal(path, "/local/domain/7/device/vbd/51712");
    xenbus_front_path(path, &key, "state");
    assert_string_equal(path, "/local/domain/7/device/vbd/51712/state");
    xenbus_back_path(path, &key, "");
    assert_string_equal(path, "/local/domain/0/backend/vbd/7/51712");
    xenbus_error_path(path, &key);
    assert_string_equal(path, "/local/domain/0/error/backend/vbd/7/51712/error");
}

/* Two devices of one class, and two classes, lie beside each other. */
static void class_and_number_are_in_the_path(void **state)
{
    (void)state;
    char path[XENBUS_PATH_MAX];
    xenbus_back_path(path, &(struct xenbus_key){"vbd", 7, 51728}, "state");
    assert_string_equal(path, "/local/domain/0/backend/vbd/7/51728/state");
    xenbus_front_path(path, &(struct xenbus_key){"vif", 7, 0}, "mac");
    assert_string_equal(path, "/local/domain/7/device/vif/0/mac");
}

static void all_devices_of_a_domain_are_below_one_directory(void **state)
{
    (void)state;
    char path[XENBUS_PATH_MAX];
    xenbus_backs_path(path, "vif", 7);
    assert_string_equal(path, "/local/domain/0/backend/vif/7");
    xenbus_errors_path(path, "vif", 7);
    assert_string_equal(path, "/local/domain/0/error/backend/vif/7");
}

static void the_longest_paths_fit(void **state)
{
    (void)state;
    char path[XENBUS_PATH_MAX];
    const struct xenbus_key key = {"console", 65535, UINT32_MAX};
    xenbus_back_path(path, &key, "multi-queue-max-queues");
    assert_string_equal(path,
                        "/local/domain/0/backend/console/65535/4294967295/multi-queue-max-queues");
    xenbus_front_path(path, &key, "queue-4294967295/event-channel-tx");
    assert_string_equal(
        path, "/local/domain/65535/device/console/4294967295/queue-4294967295/event-channel-tx");
    xenbus_error_path(path, &key);
    assert_string_equal(path, "/local/domain/0/error/backend/console/65535/4294967295/error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_domain_has_a_home),
        cmocka_unit_test(a_device_has_two_halves_and_an_error),
        cmocka_unit_test(class_and_number_are_in_the_path),
        cmocka_unit_test(all_devices_of_a_domain_are_below_one_directory),
        cmocka_unit_test(the_longest_paths_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
