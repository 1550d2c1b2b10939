/* SPDX-License-Identifier: MIT */
/* xs_client: a store that does not answer in time. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "xenstore/server/xs_ring.h"
#include "xenstore/xs_client.h"

static struct xenstore_domain_interface page;
static struct xs_client *client;
static char path[64], token[16];

/* The clock, and what a wait for the store takes. */
static time_t passed_s;

int __real_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);

int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
    int rc = __real_clock_gettime(id, ts);
    ts->tv_sec += passed_s;
    return rc;
}

static void notify(void *ctx)
{
    (void)ctx;
}

static int wait_in_vain(void *ctx, int timeout_ms)
{
    (void)ctx;
    passed_s += timeout_ms / 1000 + 1;
    return -ETIMEDOUT;
}

static const struct xs_client_ops ops = {notify, wait_in_vain};

static int setup(void **state)
{
    (void)state;
    xs_ring_init(&page);
    return xs_client_create(&page, &ops, NULL, &client);
}

static int teardown(void **state)
{
    (void)state;
    xs_client_destroy(client);
    return 0;
}

static void events_may_be_waited_for_again(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(xs_client_next_event(client, 1000, path, 64, token, 16), -ETIMEDOUT);
}

/* Whoever waits for events must not take that for "none yet", and wait again for ever. */
static void a_store_that_has_not_answered_has_no_events(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(xs_client_write(client, 0, "n", "1"), -ETIMEDOUT);
    assert_int_equal(xs_client_next_event(client, 1000, path, 64, token, 16), -ETIME);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(events_may_be_waited_for_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_store_that_has_not_answered_has_no_events, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
