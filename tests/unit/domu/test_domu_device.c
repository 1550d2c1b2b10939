/* SPDX-License-Identifier: MIT */
/* domu_device: how devices of a class that counts its calls come into a domain, and out of it. */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "domu/domu_device.h"
#include "fakes/fake_dom0.h"

enum { HANG_S = 60, DEVID = 7, FAILURE = -ENODEV };

static char base[64], why[256];
static struct fake_dom0 *dom0;
static struct domu *domu;
static struct xenbus_front front, other;
static unsigned opens, openeds, given_back; /* of all devices */
static bool restarts;                       /* what the next open does */
static int failure;

static void start(void)
{
    dom0 = fake_dom0_start(base, &(struct fake_dom0_script){.silent = false});
    assert_non_null(dom0);
}

static void await_death(const struct life *life)
{
    while (!life_is_dead(life)) /* a thread of its own notices */
        sched_yield();
}

static int counted_open(struct xenbus_front *device, char *reason, size_t reason_bytes)
{
    opens++;
    assert_int_equal(device->devid, DEVID);
    if (restarts) {
        restarts = false;
        fake_dom0_stop(dom0);
        start();
        await_death(device->life);
        return -ENOTCONN;
    }
    snprintf(reason, reason_bytes, "%s", failure < 0 ? "it is not there" : "");
    return failure;
}

static void counted_opened(struct xenbus_front *device)
{
    openeds++;
    assert_false(list_is_linked(&device->of_domain)); /* nobody else knows of it yet */
}

static void counted_give_back(struct xenbus_front *device)
{
    given_back++;
    assert_false(list_is_linked(&device->of_domain));
}

static void ignore_loss(struct xenbus_front *device, int error, const char *reason)
{
    (void)device, (void)error, (void)reason;
}

static const struct front_class lamps = {.name = "vlamp",
                                         .device = "lamp",
                                         .open = counted_open,
                                         .opened = counted_opened,
                                         .give_back = counted_give_back,
                                         .lost = ignore_loss};
static const struct front_class bells = {.name = "vbell",
                                         .device = "bell",
                                         .open = counted_open,
                                         .opened = counted_opened,
                                         .give_back = counted_give_back,
                                         .lost = ignore_loss};

static void open_domain(bool reconnect)
{
    const struct domu_options options = {.size = sizeof(options),
                                         .rundir = base,
                                         .name = "fake",
                                         .pages = 1,
                                         .reconnect = reconnect};
    struct domu_error error;
    start();
    if (domu_open(&options, &domu, &error) < 0)
        fail_msg("%s", error.text);
}

static int open_lamp(void)
{
    return domu_device_open(domu, &front, &lamps, DEVID, why, sizeof(why));
}

static int setup(void **state)
{
    (void)state;
    alarm(HANG_S);
    opens = openeds = given_back = 0;
    restarts = false;
    failure = 0;
    front = other = (struct xenbus_front){.class = NULL};
    domu = NULL;
    dom0 = NULL;
    snprintf(base, sizeof(base), "/tmp/splitdom-device-XXXXXX");
    return mkdtemp(base) != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    if (domu != NULL) {
        domu_device_close(domu, &front);
        domu_device_close(domu, &other);
    }
    domu_close(domu);
    fake_dom0_stop(dom0);
    alarm(0);
    return rmdir(base);
}

static void a_device_is_the_domains_from_open_to_close(void **state)
{
    (void)state;
    open_domain(false);
    assert_int_equal(open_lamp(), 0);
    assert_true(list_is_linked(&front.of_domain));
    assert_ptr_equal(front.life, &domu->life);
    assert_int_equal(opens, 1);
    assert_int_equal(openeds, 1);
    domu_device_close(domu, &front);
    assert_true(list_is_empty(&domu->fronts.list));
    assert_int_equal(given_back, 1);
}

static void a_device_is_closed_once(void **state)
{
    (void)state;
    open_domain(false);
    domu_device_close(domu, &front);
    assert_int_equal(given_back, 0);
    assert_int_equal(open_lamp(), 0);
    domu_device_close(domu, &front);
    domu_device_close(domu, &front);
    assert_int_equal(given_back, 1);
}

static void a_device_that_is_open_is_not_opened_again(void **state)
{
    (void)state;
    open_domain(false);
    assert_int_equal(open_lamp(), 0);
    assert_int_equal(domu_device_open(domu, &other, &lamps, DEVID, why, sizeof(why)), -EBUSY);
    assert_string_equal(why, "lamp 7 of this domain is open already");
    assert_int_equal(opens, 1);
    domu_device_close(domu, &front);
    assert_int_equal(domu_device_open(domu, &other, &lamps, DEVID, why, sizeof(why)), 0);
}

static void a_number_is_a_devices_of_each_class(void **state)
{
    (void)state;
    open_domain(false);
    assert_int_equal(open_lamp(), 0);
    assert_int_equal(domu_device_open(domu, &other, &bells, DEVID, why, sizeof(why)), 0);
    assert_int_equal(openeds, 2);
}

static void a_device_that_cannot_be_opened_says_why(void **state)
{
    (void)state;
    open_domain(true);
    failure = FAILURE;
    assert_int_equal(open_lamp(), FAILURE);
    assert_string_equal(why, "it is not there");
    assert_int_equal(opens, 1);
    assert_int_equal(openeds, 0);
    assert_true(list_is_empty(&domu->fronts.list));
    failure = 0;
    assert_int_equal(open_lamp(), 0);
}

static void a_dom0_that_does_not_answer_is_named(void **state)
{
    (void)state;
    open_domain(false);
    failure = -ETIME;
    assert_int_equal(open_lamp(), -ETIMEDOUT);
    assert_string_equal(why, "lamp 7: Dom0 does not answer");
}

static void a_dom0_that_dies_meanwhile_is_followed_by_the_next(void **state)
{
    (void)state;
    open_domain(true);
    restarts = true;
    assert_int_equal(open_lamp(), 0);
    assert_int_equal(opens, 2);
    assert_int_equal(openeds, 1);
}

static void a_domain_that_does_not_reconnect_has_the_first_failure(void **state)
{
    (void)state;
    open_domain(false);
    restarts = true;
    assert_int_equal(open_lamp(), -ENOTCONN);
    assert_int_equal(opens, 1);
}

static void a_domain_that_has_failed_takes_no_device(void **state)
{
    (void)state;
    open_domain(false);
    fake_dom0_stop(dom0);
    dom0 = NULL;
    struct pollfd end = {.fd = domu_fd(domu), .events = POLLIN};
    assert_int_equal(poll(&end, 1, HANG_S * 1000), 1);
    assert_int_equal(open_lamp(), -ENOTCONN);
    assert_non_null(strstr(why, "Dom0 is gone"));
    assert_int_equal(opens, 0);
}

static void what_closes_or_lies_loses_its_device(void **state)
{
    (void)state;
    open_domain(false);
    assert_int_equal(open_lamp(), 0);
    assert_int_equal(domu_device_loss(&front, XenbusStateClosing), -ENOTCONN);
    assert_int_equal(domu_device_loss(&front, XenbusStateClosed), -ENOTCONN);
    /* There was a state, and is none any more: what else was not to be read has gone, too. */
    snprintf(front.backend, sizeof(front.backend), "/local/domain/0/backend/vlamp/1/7");
    domu_claim(domu);
    int loss = domu_device_loss(&front, XenbusStateConnected);
    domu_release(domu);
    assert_int_equal(loss, -ENOTCONN);
    assert_int_equal(domu_device_loss(&front, -EPROTO), -EPROTO);
    assert_int_equal(domu_device_loss(&front, XenbusStateInitWait), 0);
    fake_dom0_stop(dom0);
    dom0 = NULL;
    await_death(front.life);
    assert_int_equal(domu_device_loss(&front, XenbusStateClosed),
                     0); /* with the domain, if at all */
}

#define DEVICE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DEVICE_TEST(a_device_is_the_domains_from_open_to_close),
        DEVICE_TEST(a_device_is_closed_once),
        DEVICE_TEST(a_device_that_is_open_is_not_opened_again),
        DEVICE_TEST(a_number_is_a_devices_of_each_class),
        DEVICE_TEST(a_device_that_cannot_be_opened_says_why),
        DEVICE_TEST(a_dom0_that_does_not_answer_is_named),
        DEVICE_TEST(a_dom0_that_dies_meanwhile_is_followed_by_the_next),
        DEVICE_TEST(a_domain_that_does_not_reconnect_has_the_first_failure),
        DEVICE_TEST(a_domain_that_has_failed_takes_no_device),
        DEVICE_TEST(what_closes_or_lies_loses_its_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
