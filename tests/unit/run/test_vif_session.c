/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fakes/netfront_rig.h"
#include "run/vif_session.h"

static struct netfront_rig rig;
static struct vif_options options;
static struct vif_session session;
static struct why why;

static int setup(void **state)
{
    (void)state;
    options = (struct vif_options){.domain.name = "fake", .domain.rundir = rig.base};
    return rig_setup(&rig);
}

static int teardown(void **state)
{
    (void)state;
    return rig_teardown(&rig);
}

static int take(const char *first, const char *second)
{
    char *argv[] = {(char *)first, (char *)second};
    int at = 0;

    return vif_options_take(&options, 2, argv, &at, &why);
}

static void its_options_are_taken(void **state)
{
    (void)state;
    assert_int_equal(take("--vif", "3"), 1);
    assert_int_equal(take("--tdf", "1/10"), 1);
    assert_int_equal(take("--domain-name", "web"), 1);
    assert_int_equal(take("--name", "x"), 1);
    assert_int_equal(take("--rundir", "/r"), 1);
    assert_int_equal(take("--reconnect", "x"), 1);
    assert_int_equal(options.devid, 3);
    assert_int_equal(options.domain.tdf_den, 10);
    assert_string_equal(options.domain.domain_name, "web");
    assert_string_equal(options.domain.name, "x");
    assert_string_equal(options.domain.rundir, "/r");
    assert_true(options.domain.reconnect);
    assert_int_equal(take("--vif", "65536"), -EINVAL);
    assert_int_equal(take("--disk", "xvda"), 0);
}

static void it_is_a_domain_with_an_interface(void **state)
{
    struct netfront_info info;
    (void)state;
    rig_start(&rig);
    assert_int_equal(vif_session_open(&session, &options, &why), 0);
    netfront_info(session.nf, &info);
    assert_true(info.link_up);
    assert_true(session.stop_fd >= 0);
    vif_session_close(&session);
    assert_int_equal(session.stop_fd, -1);
}

static void a_domain_without_that_interface_is_told_what_to_do(void **state)
{
    (void)state;
    options.devid = 1;
    rig_start(&rig);
    assert_int_equal(vif_session_open(&session, &options, &why), -ENODEV);
    assert_non_null(strstr(why.text, "network-attach"));
}

static void a_service_that_does_not_run_is_told(void **state)
{
    (void)state;
    assert_int_equal(vif_session_open(&session, &options, &why), -ENOENT);
    assert_true(strlen(why.text) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(its_options_are_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(it_is_a_domain_with_an_interface, setup, teardown),
        cmocka_unit_test_setup_teardown(a_domain_without_that_interface_is_told_what_to_do, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_service_that_does_not_run_is_told, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
