/* SPDX-License-Identifier: MIT */
/* netfront_receive: how a thread waits for a frame, and what ends a wait. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "unit/domu/netfront/receive_fixture.h"

static void *receive_for_ever(void *result)
{
    struct netfront_frame frame;
    *(int *)result = receive(&frame, 1, -1);
    return NULL;
}

static bool sleeps(void)
{
    pthread_mutex_lock(&rig.nf->queue[0].rx.lock);
    bool sleeping = rig.nf->queue[0].rx.sleeping;
    pthread_mutex_unlock(&rig.nf->queue[0].rx.lock);
    return sleeping;
}

static int end_of_wait(void (*cause)(void))
{
    pthread_t thread;
    int result = 0;
    assert_int_equal(pthread_create(&thread, NULL, receive_for_ever, &result), 0);
    while (!sleeps())
        sched_yield();
    cause();
    pthread_join(thread, NULL);
    return result;
}

static void interrupt(void)
{
    netfront_interrupt(rig.nf);
}

static void die(void)
{
    rig_die(&rig);
}

static void come(void)
{
    send_out(60, 1, 0, 0);
}

static void who_waits_can_be_interrupted(void **state)
{
    struct netfront_frame frame;
    (void)state;
    start();
    assert_int_equal(end_of_wait(interrupt), -ECANCELED);
    interrupt();
    assert_int_equal(receive(&frame, 1, -1), -ECANCELED);
    assert_int_equal(receive(&frame, 1, RIG_MS), -EAGAIN);
}

static void who_waits_is_woken_by_a_frame(void **state)
{
    (void)state;
    options.no_spin = true;
    start();
    for (int i = 0; i < 5; i++)
        assert_int_equal(end_of_wait(come), 1);
}

static void dom0s_death_ends_all_waits(void **state)
{
    struct netfront_frame frame;
    struct netfront_info info;
    (void)state;
    start();
    assert_int_equal(end_of_wait(die), -ENOTCONN);
    assert_int_equal(receive(&frame, 1, -1), -ENOTCONN);
    frame = (struct netfront_frame){.data = sent, .length_bytes = 60};
    assert_int_equal(netfront_send(rig.nf, &frame, 1, -1), -ENOTCONN);
    assert_int_equal(netfront_drain(rig.nf, -1), -ENOTCONN);
    assert_non_null(strstr(netfront_failure(rig.nf), "Dom0"));
    netfront_info(rig.nf, &info);
    assert_false(info.link_up);
}

/* A response that no frame is made of. */
static void lie(struct fake_netback *vif, const struct fake_frame *frame)
{
    struct netif_rx_request req;
    fake_netback_answer(vif, frame, NETIF_RSP_OKAY);
    (void)fake_netback_posted(vif);
    netif_rx_take_request(&vif->queue[0].rx, &req);
    netif_rx_put_response(&vif->queue[0].rx,
                          &(struct netif_rx_response){.id = req.id, .offset = 4000, .status = 200});
}

/* It may be disabled before the frame's own answer is looked at. */
static void come_to_a_liar(void)
{
    const struct netfront_frame frame = {.data = sent, .length_bytes = 60};
    (void)netfront_send(rig.nf, &frame, 1, -1);
}

static void a_lie_disables_the_interface(void **state)
{
    (void)state;
    struct netfront_frame frame;
    rig.vif.frame = lie;
    start();
    assert_int_equal(end_of_wait(come_to_a_liar), -EPROTO);
    assert_int_equal(receive(&frame, 1, -1), -EPROTO);
    frame = (struct netfront_frame){.data = sent, .length_bytes = 60};
    assert_int_equal(netfront_send(rig.nf, &frame, 1, -1), -EPROTO);
}

static uint32_t waiter; /* atomic: the thread that waits */

static void *receive_as_waiter(void *result)
{
    store_full_u32(&waiter, (uint32_t)gettid());
    return receive_for_ever(result);
}

static bool waiter_is_asleep(void)
{
    char path[64], state = '?';
    snprintf(path, sizeof(path), "/proc/self/task/%u/stat", load_full_u32(&waiter));
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    (void)!fscanf(file, "%*d %*s %c", &state);
    fclose(file);
    return state == 'S';
}

/* The descriptor's thread sleeps on the ring; who receives sleeps until that thread tells. */
static void who_has_the_descriptor_waits_asleep(void **state)
{
    pthread_t thread;
    int result = 0;
    (void)state;
    start();
    assert_true(netfront_fd(rig.nf) >= 0);
    for (int i = 0; i < 5; i++) {
        store_full_u32(&waiter, 0);
        assert_int_equal(pthread_create(&thread, NULL, receive_as_waiter, &result), 0);
        while (load_full_u32(&waiter) == 0 || !waiter_is_asleep())
            sched_yield();
        come();
        pthread_join(thread, NULL);
        assert_int_equal(result, 1);
    }
}

/* Frames come too seldom to be looked for: the processor is left to others. */
static void who_waits_in_vain_soon_sleeps_at_once(void **state)
{
    enum { WAITS = 100 };
    struct netfront_statistics statistics;
    struct netfront_frame frame;
    (void)state;
    start();
    for (int i = 0; i < WAITS; i++)
        assert_int_equal(receive(&frame, 1, RIG_MS / 10), -EAGAIN);
    netfront_statistics(rig.nf, &statistics);
    assert_true(statistics.spins_lost < WAITS / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_waits_can_be_interrupted, setup, teardown),
        cmocka_unit_test_setup_teardown(who_waits_is_woken_by_a_frame, setup, teardown),
        cmocka_unit_test_setup_teardown(dom0s_death_ends_all_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lie_disables_the_interface, setup, teardown),
        cmocka_unit_test_setup_teardown(who_has_the_descriptor_waits_asleep, setup, teardown),
        cmocka_unit_test_setup_teardown(who_waits_in_vain_soon_sleeps_at_once, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
