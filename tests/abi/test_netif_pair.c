/* SPDX-License-Identifier: MIT */
/*
 * A network front end by Xen's macros and our back end: frames of all sizes and kinds go out by its
 * tx ring and come back by its rx ring, for many rounds of both rings, over the wrap of their
 * indices. Doorbell and events are used only when the other side asked for them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "fakes/fake_vif.h"

#include "xen_net.h"

enum { FRAMES = 20000, BATCH = 24 };

struct pair {
    struct fake_vif v;
    struct xen_net *xen;
    struct prng random;
    struct xen_net_frame frame, got;
    uint32_t sent, arrived, received, answered;
};

static struct pair *p;

static void start(uint32_t index)
{
    p = calloc(1, sizeof(*p));
    assert_non_null(p);
    assert_int_equal(fake_vif_open(&p->v, index), 0);
    prng_init(&p->random, 20261130, index);
    const struct segment *segment = &p->v.front.segment;
    const struct xen_net_pages pages = {.tx_ring = p->v.front.tx.half.sring,
                                        .rx_ring = p->v.front.rx.half.sring,
                                        .tx_data = segment_page(segment, p->v.front.tx_pfn),
                                        .rx_data = segment_page(segment, p->v.front.rx_pfn),
                                        .tx_ref = FAKE_NETFRONT_TX_REF,
                                        .rx_ref = FAKE_NETFRONT_RX_REF,
                                        .index = index};
    p->xen = xen_net_create(&pages);
    assert_non_null(p->xen);
    assert_int_equal(fake_vif_connect(&p->v), 0);
    fake_vif_turn(&p->v);
}

static void finish(void)
{
    fake_vif_close(&p->v);
    xen_net_destroy(p->xen);
    free(p);
}

/* What frame number n is: its length and kind, and its bytes. */
static void make(uint32_t n, struct xen_net_frame *frame)
{
    struct prng random;
    prng_init(&random, 7, n);
    uint64_t kind = prng_below(&random, 10);
    uint64_t most = kind < 6 ? 1500 : kind < 9 ? 9000 : 65535;
    frame->length_bytes = 14 + (uint32_t)prng_below(&random, most - 13);
    frame->checksum_blank = prng_below(&random, 2) == 0;
    frame->data_validated = frame->checksum_blank || prng_below(&random, 2) == 0;
    frame->gso_type = prng_below(&random, 4) == 0 ? (uint8_t)(1 + prng_below(&random, 2)) : 0;
    frame->gso_size = frame->gso_type != 0 ? (uint16_t)(1 + prng_below(&random, 9000)) : 0;
    fake_network_fill(frame->data, frame->length_bytes, n);
}

static void send_some(void)
{
    bool notify, any = false;
    for (uint64_t count = prng_below(&p->random, BATCH); count > 0 && p->sent < FRAMES; count--) {
        make(p->sent, &p->frame);
        if (!xen_net_send(p->xen, &p->frame, &notify))
            break;
        any = any || notify;
        p->sent++;
    }
    fake_vif_ring(&p->v, any);
}

/* What has arrived goes back to where it came from. */
static void echo(void)
{
    for (uint32_t i = 0; i < p->v.net.count; i++) {
        const struct net_frame *frame = p->v.net.frame[i];
        make(p->arrived++, &p->frame);
        assert_int_equal(frame->length_bytes, p->frame.length_bytes);
        assert_memory_equal(frame->data, p->frame.data, frame->length_bytes);
        assert_int_equal(frame->checksum_blank, p->frame.checksum_blank);
        assert_int_equal(frame->gso_type, p->frame.gso_type);
        net_port_output(&p->v.port, p->v.net.frame[i], fake_vif_now_ns(&p->v));
    }
    fake_network_clear(&p->v.net);
    fake_vif_turn(&p->v);
}

static void receive_some(void)
{
    int rc;
    while ((rc = xen_net_receive(p->xen, &p->got)) == 1) {
        make(p->received++, &p->frame);
        assert_int_equal(p->got.length_bytes, p->frame.length_bytes);
        assert_memory_equal(p->got.data, p->frame.data, p->frame.length_bytes);
        assert_int_equal(p->got.checksum_blank, p->frame.checksum_blank);
        assert_int_equal(p->got.data_validated, p->frame.data_validated);
        assert_int_equal(p->got.gso_type, p->frame.gso_type);
        assert_int_equal(p->got.gso_size, p->frame.gso_size);
    }
    assert_int_equal(rc, 0);
    int frames = xen_net_collect(p->xen);
    assert_true(frames >= 0);
    p->answered += (uint32_t)frames;
}

static void exchange(uint32_t index)
{
    bool notify;
    start(index);
    for (uint32_t round = 0; p->received < FRAMES; round++) {
        assert_true(round < 100 * FRAMES);
        send_some();
        if (p->v.q->waiting_bytes < VIF_RX_QUEUE_BYTES / 4)
            echo();
        if (prng_below(&p->random, 3) != 0) {
            xen_net_post(p->xen, XEN_NET_SLOTS, &notify);
            fake_vif_ring(&p->v, notify);
        }
        receive_some();
    }
    assert_int_equal(p->answered, FRAMES);
    assert_int_equal(fake_vif_drops(&p->v), 0);
    assert_null(p->v.broken);
    finish();
}

static void frames_go_out_and_come_back(void **state)
{
    (void)state;
    exchange(0);
}

static void frames_go_over_the_wrap(void **state)
{
    (void)state;
    exchange(UINT32_MAX - 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_go_out_and_come_back),
        cmocka_unit_test(frames_go_over_the_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
