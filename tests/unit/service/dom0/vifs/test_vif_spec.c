/* SPDX-License-Identifier: MIT */
/* vif_spec: xl's words, and its messages as recorded from a real one. */
#include "service/dom0/vifs/vif_spec.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct vif_spec spec;
static struct why why;

static void parse(const char *text)
{
    assert_int_equal(vif_spec_parse(text, &spec, &why), 0);
}

static void refused(const char *text, const char *message)
{
    assert_int_equal(vif_spec_parse(text, &spec, &why), -EINVAL);
    assert_string_equal(why.text, message);
}

static void nothing_is_a_vif_with_defaults(void **state)
{
    (void)state;
    parse("");
    assert_false(spec.has_mac);
    assert_int_equal(spec.devid, -1);
    assert_int_equal(spec.mtu, 1500);
    assert_int_equal(spec.rate_bytes, 0);
    assert_string_equal(spec.bridge, "");
    assert_true(spec.antispoof && !spec.untrusted && !spec.persistent);
}

static void everything_that_xl_takes_is_taken(void **state)
{
    (void)state;
    parse("mac=00:16:3e:00:00:03,bridge=xenbr0,rate=1MB/s@20ms,vifname=foo,"
          "script=/etc/xen/scripts/vif-bridge,model=netfront,type=vif,backend=0,"
          "mtu=9000,devid=7,trusted=0,ip=10.0.0.1 10.0.0.2,antispoof=0,persistent=1");
    static const uint8_t mac[] = {0, 0x16, 0x3e, 0, 0, 3};
    assert_true(spec.has_mac);
    assert_memory_equal(spec.mac, mac, 6);
    assert_string_equal(spec.bridge, "xenbr0");
    assert_string_equal(spec.name, "foo");
    assert_int_equal(spec.rate_bytes, 20000);
    assert_int_equal(spec.rate_interval_us, 20000);
    assert_int_equal(spec.mtu, 9000);
    assert_int_equal(spec.devid, 7);
    assert_true(spec.untrusted && !spec.antispoof && spec.persistent);
    assert_int_equal(spec.addresses.address_count, 2);
    assert_string_equal(spec.ip, "10.0.0.1 10.0.0.2");
}

static void a_rate_is_bytes_and_microseconds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
        uint32_t us;
    } rates[] = {
        {"rate=10Mb/s", 62500, 50000},         {"rate=3MB/s", 150000, 50000},
        {"rate=1Gb/s@1s", 125000000, 1000000}, {"rate=64Kb/s@20ms", 160, 20000},
        {"rate=8b/s@100us", 1, 100},           {"rate=100GB/s", UINT64_C(5000000000), 50000}};
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        parse(rates[i].text);
        assert_int_equal(spec.rate_bytes, rates[i].bytes);
        assert_int_equal(spec.rate_interval_us, rates[i].us);
    }
}

static void what_is_wrong_is_said_in_the_words_of_xl(void **state)
{
    (void)state;
    refused("mac=00:16:3e:00", "Invalid parameter `mac'.");
    refused("nonsense", "unrecognized argument `nonsense'");
    refused("macs=1", "unrecognized argument `macs=1'");
    refused("rate=fast", "config parsing error in vif: invalid rate in `fast'");
    refused("rate=0b/s", "config parsing error in vif: invalid rate in `0b/s'");
    refused("rate=1Mb/sec", "config parsing error in vif: invalid rate in `1Mb/sec'");
    refused("rate=1MB/s@", "config parsing error in vif: invalid replenishment interval in "
                           "`1MB/s@'");
    refused("rate=1MB/s@5h", "config parsing error in vif: invalid replenishment interval in "
                             "`1MB/s@5h'");
    refused("rate=999999999GB/s@999s",
            "config parsing error in vif: rate overflow in `999999999GB/s@999s'");
    refused("type=pv", "Invalid parameter `type'.");
    refused("accel=1", "the accel parameter for vifs is currently not supported");
}

static void what_dom0_cannot_do_is_refused(void **state)
{
    (void)state;
    static const char *const refusals[] = {"script=/bin/false",
                                           "type=ioemu",
                                           "model=e1000",
                                           "backend=1",
                                           "gatewaydev=eth0",
                                           "bridge=",
                                           "bridge=a/b",
                                           "vifname=0123456789abcdef",
                                           "mtu=67",
                                           "mtu=70000",
                                           "devid=-1",
                                           "devid=65536",
                                           "trusted=2",
                                           "antispoof=yes",
                                           "persistent=2",
                                           "ip=10.0.0",
                                           "mac=01:00:00:00:00:00",
                                           "mac=00:00:00:00:00:00",
                                           "mac=00:16:3e:00:00:100",
                                           "mac=00:16:3e:00:00:01:02",
                                           "mac="};
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        why.text[0] = '\0';
        assert_int_equal(vif_spec_parse(refusals[i], &spec, &why), -EINVAL);
        assert_true(strlen(why.text) > 10);
    }
}

static void a_word_of_any_length_is_refused(void **state)
{
    (void)state;
    char text[4096] = "bridge=";
    memset(text + 7, 'x', sizeof(text) - 8);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(vif_spec_parse(text, &spec, &why), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_a_vif_with_defaults),
        cmocka_unit_test(everything_that_xl_takes_is_taken),
        cmocka_unit_test(a_rate_is_bytes_and_microseconds),
        cmocka_unit_test(what_is_wrong_is_said_in_the_words_of_xl),
        cmocka_unit_test(what_dom0_cannot_do_is_refused),
        cmocka_unit_test(a_word_of_any_length_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
