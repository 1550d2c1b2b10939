/* SPDX-License-Identifier: MIT */
/* vdev: names and numbers of xen-vbd-interface(7), both ways. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/vdev.h"

static const struct {
    const char *name;
    uint32_t number;
} pairs[] = {
    {"xvda", 51712},
    {"xvdb", 51728},
    {"xvda1", 51713},
    {"xvdp", 202 << 8 | 15 << 4},
    {"xvdp15", 202 << 8 | 255},
    {"xvda16", 1 << 28 | 16},
    {"xvdq", 1 << 28 | 16 << 8},
    {"xvdz", 268441856},
    {"xvdaa", 1 << 28 | 26 << 8},
    {"xvdtq37", 1 << 28 | 536 << 8 | 37},
    {"xvdbgqcv255", 1 << 28 | ((1 << 20) - 1) << 8 | 255},
    {"hda", 3 << 8},
    {"hdb63", 3 << 8 | 1 << 6 | 63},
    {"hdc", 22 << 8},
    {"hdd1", 22 << 8 | 1 << 6 | 1},
    {"sda", 8 << 8},
    {"sdp15", 8 << 8 | 255},
    {"12345", 12345},
    {"2147483647", 2147483647},
};

static void names_and_numbers_are_those_of_xen(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        uint32_t number = 0;
        char name[VDEV_NAME_SIZE];
        if (vdev_parse(pairs[i].name, &number) < 0 || number != pairs[i].number)
            fail_msg("%s is %u", pairs[i].name, number);
        vdev_format(pairs[i].number, name);
        assert_string_equal(name, pairs[i].name);
    }
}

static void other_ways_to_name_a_disk_are_taken(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t number;
    } others[] = {{"d0", 51712},     {"d0p0", 51712},
                  {"d1p2", 51730},   {"d536p37", 1 << 28 | 536 << 8 | 37},
                  {"0xca00", 51712}, {"0xCA00", 51712},
                  {"0XcA00", 51712}, {"0145000", 51712},
                  {"51712", 51712},  {"0x7fffffff", INT32_MAX}};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        uint32_t number = 0;
        if (vdev_parse(others[i].name, &number) < 0 || number != others[i].number)
            fail_msg("%s is %u", others[i].name, number);
    }
}

/* Whatever was read before it. */
static void a_short_number_follows_a_long_one(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        uint32_t number = 0;
        assert_int_equal(vdev_parse("d1048575p3", &number), 0);
        assert_int_equal(vdev_parse("d0p1", &number), 0);
        assert_int_equal(number, 51713);
    }
}

static void what_is_no_disk_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "foo",
                                        "xvd",
                                        "xvdA",
                                        "xvda0",
                                        "xvd1",
                                        "xvda01",
                                        "xvda256",
                                        "xvdbgqcw",
                                        "xvda1x",
                                        "hde",
                                        "d01234567890123456",
                                        "d1234567890123456789p1",
                                        "hda64",
                                        "sdq",
                                        "sda16",
                                        "51712x",
                                        "0",
                                        "-1",
                                        "2147483648",
                                        "0x",
                                        "0x0",
                                        "0xg",
                                        "0x80000000",
                                        "0x10000000000000001",
                                        "0145008",
                                        "0145000x",
                                        "00",
                                        "+51712",
                                        "d",
                                        "d0p",
                                        "dp0",
                                        "d0p256",
                                        "d1048576",
                                        "d00",
                                        " xvda",
                                        "xvda ",
                                        "zzzzzzzzzzzzzzzzzzzz",
                                        "xvdzzzzzzzzzzzzzzzzzzzzzzzzzzz"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        uint32_t number;
        if (vdev_parse(wrong[i], &number) != -EINVAL)
            fail_msg("'%s' was taken for %u", wrong[i], number);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_numbers_are_those_of_xen),
        cmocka_unit_test(other_ways_to_name_a_disk_are_taken),
        cmocka_unit_test(a_short_number_follows_a_long_one),
        cmocka_unit_test(what_is_no_disk_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
