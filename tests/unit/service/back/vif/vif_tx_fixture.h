/* SPDX-License-Identifier: MIT */
/* vif_tx_fixture: an interface whose front end sends frames and looks at the answers. */
#ifndef SPLITDOM_TESTS_UNIT_SERVICE_BACK_VIF_VIF_TX_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_SERVICE_BACK_VIF_VIF_TX_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fakes/fake_vif.h"

static struct fake_vif *v;
static uint8_t bytes[FAKE_NETFRONT_FRAME_MAX];

static inline int setup(void **state)
{
    (void)state;
    v = calloc(1, sizeof(*v));
    return v == NULL ? -1 : fake_vif_open(v, UINT32_MAX - 100);
}

static inline int teardown(void **state)
{
    (void)state;
    fake_vif_close(v);
    free(v);
    return 0;
}

static inline void connect_with(bool stamps)
{
    v->config.features.stamps = stamps;
    assert_int_equal(fake_vif_connect(v), 0);
    fake_vif_turn(v);
}

static inline void send_frame(uint32_t length_bytes, uint32_t seed, const struct fake_tx *how)
{
    bool notify;
    fake_network_fill(bytes, length_bytes, seed);
    assert_true(fake_netfront_send(&v->front, bytes, length_bytes, how, &notify) > 0);
    fake_vif_ring(v, notify);
}

static inline void expect_status(int16_t status)
{
    struct netif_tx_response rsp;
    assert_int_equal(netif_tx_take_response(&v->front.tx, &rsp), 1);
    assert_int_equal(rsp.status, status);
}

static inline void expect_no_answer(void)
{
    struct netif_tx_response rsp;
    assert_int_equal(netif_tx_take_response(&v->front.tx, &rsp), 0);
}

static inline const struct net_frame *arrived(uint32_t which)
{
    assert_true(which < v->net.count);
    return v->net.frame[which];
}

#endif
