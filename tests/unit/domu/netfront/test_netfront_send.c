/* SPDX-License-Identifier: MIT */
/* netfront_send and _drain: how frames lie on the ring, and what becomes of them. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fakes/netfront_rig.h"
#include "ring/barrier.h"

enum { SLOTS = 32, KEPT_MAX = 64 };

/* A back end that keeps frames, and answers so many of them as it may. */
struct keeper {
    struct fake_frame kept[KEPT_MAX];
    uint32_t count, answered; /* count: atomic */
    uint32_t answers;         /* atomic: how many more it may give */
    uint32_t status;          /* atomic: of all frames */
    bool lies;                /* answers a page that was not sent */
};

static struct netfront_rig rig;
static struct netfront_options options;
static struct keeper keeper;
static uint8_t data[NETFRONT_FRAME_MAX];

static int setup(void **state)
{
    (void)state;
    options =
        (struct netfront_options){.size = sizeof(options), .tx_slots = SLOTS, .rx_slots = SLOTS};
    memset(&keeper, 0, sizeof(keeper));
    return rig_setup(&rig);
}

static int teardown(void **state)
{
    (void)state;
    return rig_teardown(&rig);
}

static void keep(struct fake_netback *vif, const struct fake_frame *frame)
{
    struct keeper *k = vif->ctx;
    k->kept[k->count] = *frame;
    store_full_u32(&k->count, k->count + 1);
}

static void answer_some(struct fake_netback *vif)
{
    struct keeper *k = vif->ctx;
    for (; k->answered < k->count && load_full_u32(&k->answers) > 0; k->answered++) {
        store_full_u32(&k->answers, load_full_u32(&k->answers) - 1);
        if (k->lies)
            k->kept[k->answered].ids[0] ^= 1;
        fake_netback_answer(vif, &k->kept[k->answered], (int16_t)load_full_u32(&k->status));
    }
}

static void open_with_keeper(uint32_t answers)
{
    keeper.answers = answers;
    rig.vif.frame = keep;
    rig.vif.idle = answer_some;
    rig.vif.ctx = &keeper;
    rig_start(&rig);
    assert_int_equal(rig_open(&rig, &options, false), 0);
}

static struct netfront_frame frame_of(uint32_t length_bytes, uint32_t seed)
{
    rig_fill(data, length_bytes, seed);
    return (struct netfront_frame){.data = data, .length_bytes = length_bytes};
}

static struct netfront_statistics statistics(void)
{
    struct netfront_statistics out;
    netfront_statistics(rig.nf, &out);
    return out;
}

/* Frame i, which has come. */
static const struct fake_frame *kept_frame(uint32_t i)
{
    assert_true(load_full_u32(&keeper.count) > i);
    return &keeper.kept[i];
}

static void a_frame_arrives_as_it_was_sent(void **state)
{
    static const uint32_t lengths[] = {14, 60, 1514, 4096, 4097, 9014, 65535};
    (void)state;
    open_with_keeper(UINT32_MAX);
    for (uint32_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct netfront_frame frame = frame_of(lengths[i], i);
        assert_int_equal(netfront_send(rig.nf, &frame, 1, 30 * RIG_S), 1);
        assert_int_equal(netfront_drain(rig.nf, 30 * RIG_S), 0);
        const struct fake_frame *kept = kept_frame(i);
        assert_int_equal(load_full_u32(&keeper.count), i + 1);
        assert_int_equal(kept->length_bytes, lengths[i]);
        assert_true(rig_holds(kept->data, lengths[i], i));
        assert_int_equal(kept->nr_slots, (lengths[i] + 4095) / 4096);
        assert_false(kept->checksum_blank || kept->data_validated || kept->has_stamp);
    }
    assert_int_equal(statistics().tx_frames, 7);
    assert_int_equal(statistics().tx_errors + statistics().tx_dropped + statistics().tx_lost, 0);
}

static void properties_travel_with_the_frame(void **state)
{
    (void)state;
    open_with_keeper(UINT32_MAX);
    struct netfront_frame frame = frame_of(20000, 3);
    frame.checksum_blank = true;
    frame.gso_type = NETFRONT_GSO_TCPV6;
    frame.gso_size_bytes = 1440;
    assert_int_equal(netfront_send(rig.nf, &frame, 1, 30 * RIG_S), 1);
    assert_int_equal(netfront_drain(rig.nf, 30 * RIG_S), 0);
    const struct fake_frame *kept = kept_frame(0);
    assert_int_equal(kept->nr_slots, 6);
    assert_true(kept->checksum_blank && kept->data_validated);
    assert_int_equal(kept->gso_type, NETFRONT_GSO_TCPV6);
    assert_int_equal(kept->gso_size_bytes, 1440);
    assert_true(rig_holds(kept->data, 20000, 3));
}

static void a_frame_tells_when_it_left(void **state)
{
    (void)state;
    rig.vif.stamps = true;
    open_with_keeper(UINT32_MAX);
    uint64_t before_ns = domu_now_ns(rig.domu);
    struct netfront_frame frame = frame_of(60, 1);
    assert_int_equal(netfront_send(rig.nf, &frame, 1, 30 * RIG_S), 1);
    frame.stamp_ns = 77;
    assert_int_equal(netfront_send(rig.nf, &frame, 1, 30 * RIG_S), 1);
    assert_int_equal(netfront_drain(rig.nf, 30 * RIG_S), 0);
    const uint64_t low = (UINT64_C(1) << 48) - 1;
    assert_true(kept_frame(0)->has_stamp);
    assert_in_range(kept_frame(0)->stamp_ns, before_ns & low, domu_now_ns(rig.domu) & low);
    assert_int_equal(kept_frame(1)->stamp_ns, 77);
}

static void what_cannot_be_sent_is_refused(void **state)
{
    (void)state;
    rig.vif.no_sg = rig.vif.no_gso = true;
    open_with_keeper(UINT32_MAX);
    struct netfront_frame frame = frame_of(13, 1);
    assert_int_equal(netfront_send(rig.nf, &frame, 1, 0), -EINVAL);
    frame.length_bytes = 65536;
    assert_int_equal(netfront_send(rig.nf, &frame, 1, 0), -EINVAL);
    assert_int_equal(netfront_send(rig.nf, &frame, 0, 0), -EINVAL);
    frame.length_bytes = 4097;
    assert_int_equal(netfront_send(rig.nf, &frame, 1, 0), -EOPNOTSUPP);
    frame.length_bytes = 4000;
    frame.gso_type = NETFRONT_GSO_TCPV4;
    assert_int_equal(netfront_send(rig.nf, &frame, 1, 0), -EINVAL); /* no size */
    frame.gso_size_bytes = 1460;
    assert_int_equal(netfront_send(rig.nf, &frame, 1, 0), -EOPNOTSUPP);
    frame.gso_type = 3;
    assert_int_equal(netfront_send(rig.nf, &frame, 1, 0), -EINVAL);
    frame.gso_type = NETFRONT_GSO_NONE;
    frame.gso_size_bytes = 0;
    data[12] = 0x86;
    data[13] = 0xdd;
    frame.checksum_blank = true;
    assert_int_equal(netfront_send(rig.nf, &frame, 1, 0), -EOPNOTSUPP);
    data[12] = 0x08;
    assert_int_equal(netfront_send(rig.nf, &frame, 1, 0), 1);
}

static void those_before_a_frame_that_is_refused_are_sent(void **state)
{
    (void)state;
    open_with_keeper(UINT32_MAX);
    struct netfront_frame frames[3];
    frames[0] = frames[1] = frames[2] = frame_of(60, 1);
    frames[2].length_bytes = 1;
    assert_int_equal(netfront_send(rig.nf, frames, 3, 0), 2);
    assert_int_equal(netfront_drain(rig.nf, 30 * RIG_S), 0);
    assert_int_equal(load_full_u32(&keeper.count), 2);
}

static void a_full_ring_takes_no_more(void **state)
{
    struct netfront_frame frames[SLOTS + 4];
    (void)state;
    open_with_keeper(0);
    for (uint32_t i = 0; i < SLOTS + 4; i++)
        frames[i] = frame_of(60, 1);
    assert_int_equal(netfront_send(rig.nf, frames, SLOTS + 4, 0), SLOTS);
    assert_int_equal(netfront_send(rig.nf, frames, 1, 0), -EAGAIN);
    assert_int_equal(netfront_send(rig.nf, frames, 1, 5 * RIG_MS), -EAGAIN);
    assert_int_equal(netfront_drain(rig.nf, 5 * RIG_MS), -EAGAIN);
    assert_int_equal(statistics().tx_frames, SLOTS);
    assert_int_equal(statistics().tx_waits, 1);
}

static void who_does_not_wait_sends_nothing_while_dom0_is_away(void **state)
{
    (void)state;
    const struct netfront_frame frame = frame_of(60, 1);
    rig_start(&rig);
    assert_int_equal(rig_open(&rig, &options, true), 0);
    rig_die_noticed(&rig);
    assert_int_equal(netfront_send(rig.nf, &frame, 1, 0), -EAGAIN);
    assert_int_equal(statistics().tx_frames, 0);
}

static void *send_four(void *arg)
{
    struct netfront_frame frames[4];
    (void)arg;
    for (uint32_t i = 0; i < 4; i++)
        frames[i] = (struct netfront_frame){.data = data, .length_bytes = 60};
    return (void *)(intptr_t)netfront_send(rig.nf, frames, 4, -1);
}

static void who_waits_for_room_gets_it(void **state)
{
    struct netfront_frame frame;
    pthread_t thread;
    void *sent;
    (void)state;
    open_with_keeper(0);
    frame = frame_of(60, 1);
    for (uint32_t i = 0; i < SLOTS; i++)
        assert_int_equal(netfront_send(rig.nf, &frame, 1, 0), 1);
    assert_int_equal(pthread_create(&thread, NULL, send_four, NULL), 0);
    while (statistics().tx_waits == 0)
        sched_yield();
    store_full_u32(&keeper.answers, UINT32_MAX);
    fake_dom0_wake(rig.dom0);
    pthread_join(thread, &sent);
    assert_int_equal((intptr_t)sent, 4);
    assert_int_equal(netfront_drain(rig.nf, 30 * RIG_S), 0);
    assert_int_equal(load_full_u32(&keeper.count), SLOTS + 4);
}

static void what_dom0_did_not_send_is_counted(void **state)
{
    (void)state;
    keeper.status = (uint32_t)NETIF_RSP_DROPPED;
    open_with_keeper(UINT32_MAX);
    struct netfront_frame frame = frame_of(9000, 1);
    assert_int_equal(netfront_send(rig.nf, &frame, 1, 0), 1);
    assert_int_equal(netfront_drain(rig.nf, 30 * RIG_S), 0);
    assert_int_equal(statistics().tx_dropped, 1);
    store_full_u32(&keeper.status, (uint32_t)NETIF_RSP_ERROR);
    assert_int_equal(netfront_send(rig.nf, &frame, 1, 0), 1);
    assert_int_equal(netfront_drain(rig.nf, 30 * RIG_S), 0);
    assert_int_equal(statistics().tx_errors, 1);
}

static void an_answer_to_nothing_disables_the_interface(void **state)
{
    (void)state;
    keeper.lies = true;
    open_with_keeper(UINT32_MAX);
    struct netfront_frame frame = frame_of(60, 1);
    assert_int_equal(netfront_send(rig.nf, &frame, 1, 0), 1);
    assert_int_equal(netfront_drain(rig.nf, 30 * RIG_S), -EPROTO);
    assert_int_equal(netfront_send(rig.nf, &frame, 1, -1), -EPROTO);
    frame.room_bytes = 60;
    assert_int_equal(netfront_receive(rig.nf, &frame, 1, -1), -EPROTO);
    assert_non_null(strstr(netfront_failure(rig.nf), "protocol"));
}

/* The data that Dom0 has are those of the call: what the caller does next is not seen. */
static void frames_are_copied(void **state)
{
    (void)state;
    open_with_keeper(UINT32_MAX);
    for (uint32_t i = 0; i < 16; i++) {
        struct netfront_frame frame = frame_of(1500, i);
        assert_int_equal(netfront_send(rig.nf, &frame, 1, 30 * RIG_S), 1);
        memset(data, 0, sizeof(data));
    }
    assert_int_equal(netfront_drain(rig.nf, 30 * RIG_S), 0);
    for (uint32_t i = 0; i < 16; i++)
        assert_true(rig_holds(kept_frame(i)->data, 1500, i));
}

/* Both extra infos of a frame come, one behind the other. */
static void a_frame_to_be_cut_tells_when_it_left_too(void **state)
{
    (void)state;
    rig.vif.stamps = true;
    open_with_keeper(UINT32_MAX);
    struct netfront_frame frame = frame_of(9000, 3);
    frame.checksum_blank = true;
    frame.gso_type = NETFRONT_GSO_TCPV4;
    frame.gso_size_bytes = 1440;
    assert_int_equal(netfront_send(rig.nf, &frame, 1, 30 * RIG_S), 1);
    assert_int_equal(netfront_drain(rig.nf, 30 * RIG_S), 0);
    const struct fake_frame *kept = kept_frame(0);
    assert_int_equal(kept->nr_slots, 5);
    assert_int_equal(kept->gso_type, NETFRONT_GSO_TCPV4);
    assert_true(kept->has_stamp);
    assert_true(rig_holds(kept->data, 9000, 3));
}

static void *send_segments(void *arg)
{
    struct netfront_frame frame = {.data = data,
                                   .length_bytes = 3000,
                                   .checksum_blank = true,
                                   .gso_type = NETFRONT_GSO_TCPV4,
                                   .gso_size_bytes = 1440};
    (void)arg;
    return (void *)(intptr_t)netfront_send(rig.nf, &frame, 1, -1);
}

/* What may be sent is asked again when the ring that was waited for is another Dom0's. */
static void a_next_dom0_need_not_take_what_waited(void **state)
{
    struct netfront_frame frame;
    pthread_t thread;
    void *sent;
    (void)state;
    keeper.answers = 0;
    rig.vif.frame = keep;
    rig.vif.idle = answer_some;
    rig.vif.ctx = &keeper;
    rig_start(&rig);
    assert_int_equal(rig_open(&rig, &options, true), 0);
    frame = frame_of(60, 1);
    for (uint32_t i = 0; i < SLOTS; i++)
        assert_int_equal(netfront_send(rig.nf, &frame, 1, 0), 1);
    assert_int_equal(pthread_create(&thread, NULL, send_segments, NULL), 0);
    while (statistics().tx_waits == 0)
        sched_yield();
    rig_die_noticed(&rig);
    rig.vif.no_gso = true;
    rig_start(&rig);
    pthread_join(thread, &sent);
    assert_int_equal((intptr_t)sent, -EOPNOTSUPP);
}

/* More by one call than the ring holds: what is on it is shown before anybody waits for room. */
static void a_call_may_send_more_than_a_ring_holds(void **state)
{
    enum { FRAMES = 60 };
    struct netfront_frame frames[FRAMES];
    (void)state;
    open_with_keeper(UINT32_MAX);
    for (uint32_t i = 0; i < FRAMES; i++)
        frames[i] = frame_of(60, 1);
    assert_int_equal(netfront_send(rig.nf, frames, FRAMES, -1), FRAMES);
    assert_int_equal(netfront_drain(rig.nf, 30 * RIG_S), 0);
    assert_int_equal(load_full_u32(&keeper.count), FRAMES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_frame_arrives_as_it_was_sent, setup, teardown),
        cmocka_unit_test_setup_teardown(properties_travel_with_the_frame, setup, teardown),
        cmocka_unit_test_setup_teardown(a_frame_tells_when_it_left, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_sent_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(those_before_a_frame_that_is_refused_are_sent, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_full_ring_takes_no_more, setup, teardown),
        cmocka_unit_test_setup_teardown(who_waits_for_room_gets_it, setup, teardown),
        cmocka_unit_test_setup_teardown(what_dom0_did_not_send_is_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_to_nothing_disables_the_interface, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(frames_are_copied, setup, teardown),
        cmocka_unit_test_setup_teardown(a_frame_to_be_cut_tells_when_it_left_too, setup, teardown),
        cmocka_unit_test_setup_teardown(a_next_dom0_need_not_take_what_waited, setup, teardown),
        cmocka_unit_test_setup_teardown(a_call_may_send_more_than_a_ring_holds, setup, teardown),
        cmocka_unit_test_setup_teardown(who_does_not_wait_sends_nothing_while_dom0_is_away, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
