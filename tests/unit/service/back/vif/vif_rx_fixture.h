/* SPDX-License-Identifier: MIT */
/* vif_rx_fixture: an interface whose front end posts pages and looks at what came. */
#ifndef SPLITDOM_TESTS_UNIT_SERVICE_BACK_VIF_VIF_RX_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_SERVICE_BACK_VIF_VIF_RX_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fakes/fake_vif.h"

static struct fake_vif *v;
static struct fake_rx *got;

static inline int setup(void **state)
{
    (void)state;
    v = calloc(1, sizeof(*v));
    got = malloc(sizeof(*got));
    return v == NULL || got == NULL ? -1 : fake_vif_open(v, UINT32_MAX - 100);
}

static inline int teardown(void **state)
{
    (void)state;
    fake_vif_close(v);
    free(got);
    free(v);
    return 0;
}

static inline void connect(void)
{
    assert_int_equal(fake_vif_connect(v), 0);
    fake_vif_turn(v);
}

static inline void post(uint32_t count)
{
    bool notify;
    assert_int_equal(fake_netfront_post(&v->front, count, &notify), count);
    fake_vif_ring(v, notify);
}

static inline void post_silently(uint32_t count)
{
    bool notify;
    assert_int_equal(fake_netfront_post(&v->front, count, &notify), count);
}

static inline void deliver(uint32_t length_bytes, uint32_t seed)
{
    fake_vif_deliver(v, length_bytes, seed);
    fake_vif_turn(v);
}

static inline void expect_frame(uint32_t length_bytes, uint32_t seed)
{
    assert_int_equal(fake_netfront_receive(&v->front, got), 1);
    assert_false(got->failed);
    assert_int_equal(got->length_bytes, length_bytes);
    assert_true(fake_network_is_frame(got->data, length_bytes, seed));
}

static inline void expect_none(void)
{
    assert_int_equal(fake_netfront_receive(&v->front, got), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
