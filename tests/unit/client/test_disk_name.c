/* SPDX-License-Identifier: MIT */
/* disk_name: names and numbers of disks, as xen-vbd-interface(7) has them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/disk_name.h"

static void names_and_numbers_are_xens(void **state)
{
    static const struct {
        const char *text;
        uint32_t vdev;
    } cases[] = {
        {"xvda", 51712},
        {"xvdb", 51728},
        {"xvdp", 51952},
        {"xvdq", (1 << 28) + (16 << 8)},
        {"xvdz", (1 << 28) + (25 << 8)},
        {"xvdaa", (1 << 28) + (26 << 8)},
        {"xvdba", (1 << 28) + (52 << 8)},
        {"51728", 51728},
        {"768", 768},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t vdev = 0;
        assert_int_equal(disk_name_parse(cases[i].text, &vdev), 0);
        assert_int_equal(vdev, cases[i].vdev);
    }
}

static void other_texts_are_refused(void **state)
{
    static const char *const texts[] = {"",    "xvd",   "xvd1",         "xvda1", "xvdA",
                                        "0",   "hda",   "xvdaaaaaaaaa", "-1",    "51728 ",
                                        "sda", "xvdb ", "2147483648"};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        uint32_t vdev;
        assert_int_equal(disk_name_parse(texts[i], &vdev), -EINVAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_numbers_are_xens),
        cmocka_unit_test(other_texts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
