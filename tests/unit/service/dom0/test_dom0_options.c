/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/dom0/dom0_options.h"

static void the_default_is_one_percent(void **state)
{
    const struct dom0_options options = dom0_options_default();
    uint64_t bytes;

    (void)state;
    assert_int_equal(dom0_options_cache_bytes(&options, 100 << 20, &bytes), 0);
    assert_int_equal(bytes, 1 << 20);
    assert_int_equal(dom0_options_cache_bytes(&options, 99, &bytes), 0);
    assert_int_equal(bytes, 0);
    assert_int_equal(dom0_options_cache_bytes(&options, UINT64_MAX, &bytes), 0);
    assert_true(bytes == UINT64_MAX / 100);
}

/* As service(1) has them. */
static void the_defaults_are_those_of_the_manual(void **state)
{
    const struct dom0_options options = dom0_options_default();

    (void)state;
    assert_int_equal(options.depth, 64);
    assert_int_equal(options.depth_alone, 128);
    assert_int_equal(options.max_domains, 1024);
    assert_int_equal(options.idle_timeout_ns, UINT64_C(300) * 1000000000);
    assert_int_equal(options.depth_isolated, 12);
    assert_int_equal(options.nbd_reconnect_s, 60);
    assert_int_equal(options.max_pages, 8192);
    assert_int_equal(options.max_ring_page_order, DOM0_RING_PAGE_ORDER_MAX);
    assert_true(options.shared_cache);
    assert_true(options.tdf_num == 1 && options.tdf_den == 1);
    assert_true(options.scale_num == 1 && options.scale_den == 1);
}

static void a_share_is_taken_of_the_image(void **state)
{
    struct dom0_options options = dom0_options_default();
    uint64_t bytes;

    (void)state;
    options.cache_ppm = 2500;
    assert_int_equal(dom0_options_cache_bytes(&options, 4000000, &bytes), 0);
    assert_int_equal(bytes, 10000);
    options.cache_ppm = 0;
    assert_int_equal(dom0_options_cache_bytes(&options, 4000000, &bytes), 0);
    assert_int_equal(bytes, 0);
}

static void bytes_are_bounded_by_one_percent(void **state)
{
    struct dom0_options options = dom0_options_default();
    uint64_t bytes;

    (void)state;
    options.cache_bytes = 1000;
    assert_int_equal(dom0_options_cache_bytes(&options, 100000, &bytes), 0);
    assert_int_equal(bytes, 1000);
    assert_int_equal(dom0_options_cache_bytes(&options, 99999, &bytes), -EINVAL);
    assert_int_equal(bytes, 999);
    options.cache_bytes = 0;
    assert_int_equal(dom0_options_cache_bytes(&options, 99999, &bytes), 0);
    assert_int_equal(bytes, 0);
}

static void an_engine_is_told_by_its_name(void **state)
{
    (void)state;
    assert_string_equal(dom0_engine_name(DOM0_ENGINE_AUTO), "auto");
    assert_string_equal(dom0_engine_name(DOM0_ENGINE_URING), "uring");
    assert_string_equal(dom0_engine_name(DOM0_ENGINE_THREADS), "threads");
    assert_string_equal(dom0_engine_name(DOM0_ENGINE_NULL), "null");
    assert_string_equal(dom0_engine_name(DOM0_ENGINE_MODEL), "model");
    assert_string_equal(dom0_engine_name((enum dom0_engine)99), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_is_one_percent),
        cmocka_unit_test(the_defaults_are_those_of_the_manual),
        cmocka_unit_test(a_share_is_taken_of_the_image),
        cmocka_unit_test(bytes_are_bounded_by_one_percent),
        cmocka_unit_test(an_engine_is_told_by_its_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
