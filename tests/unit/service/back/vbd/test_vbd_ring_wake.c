/* SPDX-License-Identifier: MIT */
/* vbd_ring: who is woken when an answer is shown (splitdom/sleepers.h). */
#include <string.h>

#include "ring/sleeper.h"
#include "unit/service/back/vbd/vbd_ring_fixture.h"

static uint32_t *word(uint64_t id)
{
    return &f->segment.sleepers->word[id];
}

static void who_is_answered_is_woken_and_nobody_else(void **state)
{
    (void)state;
    connect_ring(0, 1, 0);
    for (uint64_t id = 6; id < 9; id++)
        sleeper_lie_down(word(id));
    struct blkif_request req = read_request(7, 100);
    put(&req);
    consume(1);
    assert_true(sleeper_is_asleep(word(7))); /* it is at the disk */
    disk_ends(0, 0);
    assert_false(sleeper_is_asleep(word(7)));
    assert_true(sleeper_is_asleep(word(6)));
    assert_true(sleeper_is_asleep(word(8)));
    assert_int_equal(f->ends.ring->stats.woken, 1);
    expect(7, BLKIF_OP_READ, BLKIF_RSP_OKAY);
}

static void nobody_is_woken_before_the_answer_is_shown(void **state)
{
    (void)state;
    connect_ring(0, 1, 0);
    sleeper_lie_down(word(7));
    struct blkif_request req = read_request(7, 100);
    put(&req);
    consume(1);
    fake_disk_complete(f->disk, 0, 0);
    assert_true(sleeper_is_asleep(word(7)));
    expect_none();
    vbd_ring_flush(f->ends.ring);
    assert_false(sleeper_is_asleep(word(7)));
    expect(7, BLKIF_OP_READ, BLKIF_RSP_OKAY);
}

static void a_refused_request_wakes_too(void **state)
{
    (void)state;
    connect_ring(0, 1, 0);
    sleeper_lie_down(word(9));
    struct blkif_request req = read_request(9, IMAGE_SECTORS);
    put(&req);
    consume(1);
    assert_false(sleeper_is_asleep(word(9)));
    expect(9, BLKIF_OP_READ, BLKIF_RSP_ERROR);
}

/* Its upper bits are of no account, and not every id has a word. */
static void any_id_is_answered(void **state)
{
    (void)state;
    static const uint64_t ids[] = {7 + (UINT64_C(5) << 16), SLEEPERS_MAX - 1, SLEEPERS_MAX,
                                   SLEEPERS_IDS - 1, UINT64_MAX};
    connect_ring(0, 1, 0);
    for (uint32_t i = 0; i < SLEEPERS_MAX; i++)
        sleeper_lie_down(word(i));
    for (uint32_t i = 0; i < 5; i++) {
        struct blkif_request req = read_request(ids[i], IMAGE_SECTORS);
        put(&req);
    }
    consume(5);
    for (uint32_t i = 0; i < SLEEPERS_MAX; i++)
        assert_int_equal(sleeper_is_asleep(word(i)), i != 7 && i != SLEEPERS_MAX - 1);
    assert_int_equal(f->ends.ring->stats.woken, 2);
    for (uint32_t i = 0; i < 5; i++)
        expect(ids[i], BLKIF_OP_READ, BLKIF_RSP_ERROR);
}

/* As many answers as a ring has, in one look. */
static void a_full_ring_wakes_all(void **state)
{
    (void)state;
    enum { ALL = 32 };
    connect_ring(0, 1, 0);
    for (uint32_t i = 0; i < ALL; i++) {
        struct blkif_request req = read_request(i, i);
        sleeper_lie_down(word(i));
        put(&req);
    }
    consume(ALL);
    disk_ends_all(0);
    for (uint32_t i = 0; i < ALL; i++)
        assert_false(sleeper_is_asleep(word(i)));
    assert_int_equal(f->ends.ring->stats.woken, ALL);
    assert_int_equal(f->ends.ring->answered_count, 0);
}

int main(void)
{
#define WAKE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        WAKE_TEST(who_is_answered_is_woken_and_nobody_else),
        WAKE_TEST(nobody_is_woken_before_the_answer_is_shown),
        WAKE_TEST(a_refused_request_wakes_too),
        WAKE_TEST(any_id_is_answered),
        WAKE_TEST(a_full_ring_wakes_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
