/* SPDX-License-Identifier: MIT */
/* netfront's link to Dom0, with reconnect: one Dom0 dies, the next one takes over. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fakes/netfront_rig.h"
#include "ring/barrier.h"

enum { SLOTS = 32 };

static struct netfront_rig rig;
static struct netfront_options options;
static uint8_t bytes[4096];
static uint32_t acts; /* atomic: what idle has to do it does now */

static int setup(void **state)
{
    (void)state;
    store_full_u32(&acts, 0);
    options =
        (struct netfront_options){.size = sizeof(options), .tx_slots = SLOTS, .rx_slots = SLOTS};
    return rig_setup(&rig);
}

static int teardown(void **state)
{
    (void)state;
    return rig_teardown(&rig);
}

static void start(bool reconnect)
{
    rig_start(&rig);
    assert_int_equal(rig_open(&rig, &options, reconnect), 0);
}

static struct netfront_statistics statistics(void)
{
    struct netfront_statistics out;
    netfront_statistics(rig.nf, &out);
    return out;
}

static int send_out(int64_t timeout_ns)
{
    const struct netfront_frame frame = {.data = bytes, .length_bytes = 60};
    return netfront_send(rig.nf, &frame, 1, timeout_ns);
}

static int receive(int64_t timeout_ns)
{
    struct netfront_frame frame = {.data = bytes, .room_bytes = sizeof(bytes)};
    return netfront_receive(rig.nf, &frame, 1, timeout_ns);
}

static void ignore(struct fake_netback *vif, const struct fake_frame *frame)
{
    (void)vif;
    (void)frame;
}

static void frames_that_no_dom0_answered_are_lost_and_counted(void **state)
{
    (void)state;
    rig.vif.frame = ignore;
    start(true);
    for (int i = 0; i < 5; i++)
        assert_int_equal(send_out(0), 1);
    rig_die_noticed(&rig);
    assert_int_equal(send_out(0), -EAGAIN);
    assert_int_equal(send_out(RIG_MS), -EAGAIN);
    assert_int_equal(receive(0), -EAGAIN);
    rig.vif.frame = NULL;
    rig_start(&rig);
    for (int i = 0; i < 3 * SLOTS; i++) {
        assert_int_equal(send_out(-1), 1);
        assert_int_equal(receive(-1), 1);
    }
    assert_int_equal(statistics().tx_lost, 5);
    assert_int_equal(statistics().reconnects, 1);
}

static void *receive_one(void *arg)
{
    (void)arg;
    return (void *)(intptr_t)receive(-1);
}

static void who_waits_goes_on_waiting_at_the_next(void **state)
{
    pthread_t thread;
    void *result;
    (void)state;
    start(true);
    assert_int_equal(pthread_create(&thread, NULL, receive_one, NULL), 0);
    rig_die_noticed(&rig);
    rig_start(&rig);
    assert_int_equal(send_out(-1), 1);
    pthread_join(thread, &result);
    assert_int_equal((intptr_t)result, 1);
}

static void close_it(struct fake_netback *vif)
{
    if (load_full_u32(&acts) == 0)
        return;
    fake_netback_node(vif, "state", "5");
    fake_dom0_pump(vif->dom0);
}

static void an_interface_that_dom0_closes_fails(void **state)
{
    (void)state;
    rig.vif.idle = close_it;
    start(false);
    store_full_u32(&acts, 1);
    fake_dom0_wake(rig.dom0);
    assert_int_equal(receive(-1), -ENOTCONN);
    assert_int_equal(send_out(-1), -ENOTCONN);
    assert_non_null(strstr(netfront_failure(rig.nf), "closed the interface"));
}

static void carry_nonsense(struct fake_netback *vif)
{
    if (load_full_u32(&acts) == 0)
        return;
    fake_netback_node(vif, "carrier", "much");
    fake_dom0_pump(vif->dom0);
}

/* An administrator may write there. Dom0 has closed nothing, and its log says nothing. */
static void a_link_that_makes_no_sense_fails_and_says_so(void **state)
{
    (void)state;
    rig.vif.carrier = "1";
    rig.vif.idle = carry_nonsense;
    start(false);
    store_full_u32(&acts, 1);
    fake_dom0_wake(rig.dom0);
    assert_int_equal(receive(-1), -EPROTO);
    assert_non_null(strstr(netfront_failure(rig.nf), "carrier"));
}

/* The next Dom0 has less: what it does not take is refused from then on. */
static void features_are_those_of_the_present_dom0(void **state)
{
    struct netfront_frame frame = {
        .data = bytes, .length_bytes = 4000, .gso_type = 1, .gso_size_bytes = 1400};
    (void)state;
    start(true);
    assert_int_equal(netfront_send(rig.nf, &frame, 1, -1), 1);
    rig_die(&rig);
    rig.vif.no_gso = true;
    rig_start(&rig);
    assert_int_equal(send_out(-1), 1);
    while (statistics().reconnects == 0)
        sched_yield();
    assert_int_equal(netfront_send(rig.nf, &frame, 1, -1), -EOPNOTSUPP);
}

static void closing_while_there_is_no_dom0_does_not_hang(void **state)
{
    (void)state;
    start(true);
    rig_die_noticed(&rig);
    netfront_close(rig.nf);
    rig.nf = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(frames_that_no_dom0_answered_are_lost_and_counted, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_waits_goes_on_waiting_at_the_next, setup, teardown),
        cmocka_unit_test_setup_teardown(an_interface_that_dom0_closes_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(a_link_that_makes_no_sense_fails_and_says_so, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(features_are_those_of_the_present_dom0, setup, teardown),
        cmocka_unit_test_setup_teardown(closing_while_there_is_no_dom0_does_not_hang, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
