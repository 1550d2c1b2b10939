/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/export_spec.h"

enum { XVDA = 51712, XVDB = 51728 };

static void assert_takes(const char *text, uint32_t vdev, enum export_access access)
{
    struct export_spec spec;
    struct why why;

    if (export_spec_parse(text, &spec, &why) < 0)
        fail_msg("%s: %s", text, why.text);
    assert_int_equal(spec.vdev, vdev);
    assert_int_equal(spec.access, access);
}

static void assert_refuses(const char *text, const char *reason)
{
    struct export_spec spec = {.vdev = 7};
    struct why why = {""};

    assert_int_equal(export_spec_parse(text, &spec, &why), -EINVAL);
    if (strstr(why.text, reason) == NULL)
        fail_msg("%s: no '%s' in '%s'", text, reason, why.text);
    assert_int_equal(spec.vdev, 7);
}

static void a_disk_is_named_by_its_name_or_number(void **state)
{
    (void)state;
    assert_takes("xvdb", XVDB, EXPORT_AS_IS);
    assert_takes("51712", XVDA, EXPORT_AS_IS);
    assert_takes("vdev=xvdb", XVDB, EXPORT_AS_IS);
}

static void access_is_a_word_in_any_order(void **state)
{
    (void)state;
    assert_takes("xvdb,r", XVDB, EXPORT_READ);
    assert_takes("xvdb,access=ro", XVDB, EXPORT_READ);
    assert_takes("access=rw,vdev=xvda", XVDA, EXPORT_WRITE);
    assert_takes("access=w,xvda", XVDA, EXPORT_WRITE);
}

static void what_is_no_disk_is_refused(void **state)
{
    (void)state;
    assert_refuses("", "which one?");
    assert_refuses("access=r", "which one?");
    assert_refuses("floppy", "'floppy' is no disk");
    assert_refuses(",xvda", "is no disk");
    assert_refuses("xvda,vdev=xvdb", "vdev is there twice");
    assert_refuses("xvda,r,access=r", "access is there twice");
    assert_refuses("xvda,w!", "not 'w!'");
    assert_refuses("xvda,r,x", "one word too many");
    assert_refuses("xvda,size=7", "unknown parameter 'size=7'");
}

static void what_dom0_decides_is_refused(void **state)
{
    (void)state;
    assert_refuses("vdev=xvda,target=disk.img", "'target=disk.img' is Dom0's decision");
    assert_refuses("format=raw,vdev=xvda", "Dom0's decision");
    assert_refuses("xvda,no-discard", "Dom0's decision");
    assert_refuses("xvda,backend=3", "Dom0's decision");
    assert_refuses("disk.img,raw,xvdb,w", "is no disk");
}

static void the_words_for_it_are_taken_again(void **state)
{
    static const struct export_spec specs[] = {
        {XVDA, EXPORT_AS_IS}, {XVDB, EXPORT_READ}, {1U << 28 | 26 << 8, EXPORT_WRITE}};
    char text[EXPORT_SPEC_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
        export_spec_format(&specs[i], text);
        assert_takes(text, specs[i].vdev, specs[i].access);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_disk_is_named_by_its_name_or_number),
        cmocka_unit_test(access_is_a_word_in_any_order),
        cmocka_unit_test(what_is_no_disk_is_refused),
        cmocka_unit_test(what_dom0_decides_is_refused),
        cmocka_unit_test(the_words_for_it_are_taken_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
