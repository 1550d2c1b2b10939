/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mac_text.h"

static void a_byte_has_one_digit_or_two(void **state)
{
    static const uint8_t expected[MAC_TEXT_BYTES] = {0x00, 0x16, 0x3e, 0x0a, 0xfb, 0x0c};
    uint8_t mac[MAC_TEXT_BYTES];
    char text[MAC_TEXT_SIZE];

    (void)state;
    assert_int_equal(mac_text_parse("0:16:3E:a:Fb:0c", mac), 0);
    assert_memory_equal(mac, expected, sizeof(mac));
    mac_text_format(mac, text);
    assert_string_equal(text, "00:16:3e:0a:fb:0c");
}

static void what_is_no_address_changes_nothing(void **state)
{
    static const char *const wrong[] = {
        "",
        "00:16:3e:00:00",
        "00:16:3e:00:00:",
        "00:16:3e:00:00:01:02",
        "00:16:3e:00:00:001",
        "00:16:3e::00:01",
        "00:16:3e:00:00:0g",
        "00-16-3e-00-00-01",
        " 0:16:3e:00:00:01",
        "0x:16:3e:00:00:01",
        "+1:16:3e:00:00:01",
    };
    static const uint8_t before[MAC_TEXT_BYTES] = {1, 2, 3, 4, 5, 6};
    uint8_t mac[MAC_TEXT_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        memcpy(mac, before, sizeof(mac));
        assert_int_equal(mac_text_parse(wrong[i], mac), -EINVAL);
        assert_memory_equal(mac, before, sizeof(mac));
    }
}

static void an_interfaces_own_address_is_no_groups(void **state)
{
    static const char *const wrong[] = {"00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff",
                                        "01:00:5e:00:00:01", "00:16:3e:00:00:01x"};
    static const uint8_t expected[MAC_TEXT_BYTES] = {0x02, 0x16, 0x3e, 0, 0, 1};
    uint8_t mac[MAC_TEXT_BYTES];

    (void)state;
    assert_int_equal(mac_text_parse_single("2:16:3e:0:0:1", mac), 0);
    assert_memory_equal(mac, expected, sizeof(mac));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(mac_text_parse_single(wrong[i], mac), -EINVAL);
        assert_memory_equal(mac, expected, sizeof(mac));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_byte_has_one_digit_or_two),
        cmocka_unit_test(what_is_no_address_changes_nothing),
        cmocka_unit_test(an_interfaces_own_address_is_no_groups),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
