/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bridge/vdev.h"

static void names_have_xens_numbers(void **state)
{
    static const struct {
        const char *name;
        uint32_t vdev;
    } known[] = {{"xvda", 51712},
                 {"xvdb", 51728},
                 {"xvdp", 51952},
                 {"xvdq", 268439552},
                 {"xvdz", 268441856},
                 {"xvdaa", 268442112},
                 {"xvdzz", 268435456 + 701 * 256}};
    char name[VDEV_NAME_SIZE];
    uint32_t vdev;

    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        assert_int_equal(vdev_parse(known[i].name, &vdev), 0);
        assert_int_equal(vdev, known[i].vdev);
        vdev_name(vdev, name);
        assert_string_equal(name, known[i].name);
    }
}

static void numbers_are_taken_as_they_are(void **state)
{
    char name[VDEV_NAME_SIZE];
    uint32_t vdev;

    (void)state;
    assert_int_equal(vdev_parse("832", &vdev), 0);
    assert_int_equal(vdev, 832);
    vdev_name(vdev, name);
    assert_string_equal(name, "832");
}

static void anything_else_is_no_disk(void **state)
{
    static const char *const wrong[] = {"",    "xvd", "xvda1", "xvdA",   "xvdabc",
                                        "sda", "0",   "-1",    "51712 ", "536870912"};
    uint32_t vdev = 7;

    (void)state;
    assert_int_equal(vdev_parse(NULL, &vdev), -EINVAL);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(vdev_parse(wrong[i], &vdev), -EINVAL);
    assert_int_equal(vdev, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_have_xens_numbers),
        cmocka_unit_test(numbers_are_taken_as_they_are),
        cmocka_unit_test(anything_else_is_no_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
