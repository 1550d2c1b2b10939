/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "domu/netfront/tx_slots.h"

static struct tx_slots slots;

static int setup(void **state)
{
    (void)state;
    tx_slots_init(&slots, 32);
    return 0;
}

static int answer(uint16_t id, int16_t status)
{
    return tx_slots_answer(&slots, &(struct netif_tx_response){.id = id, .status = status});
}

static void all_pages_are_handed_out_once(void **state)
{
    bool seen[32] = {false};
    (void)state;
    for (int i = 0; i < 32; i++) {
        uint16_t id = tx_slots_take(&slots, true);
        assert_true(id < 32);
        assert_false(seen[id]);
        seen[id] = true;
    }
    assert_int_equal(slots.free_count, 0);
    assert_int_equal(tx_slots_unanswered(&slots), 32);
}

static void the_first_page_tells_what_became_of_the_frame(void **state)
{
    (void)state;
    uint16_t first = tx_slots_take(&slots, true), second = tx_slots_take(&slots, false);
    assert_int_equal(slots.frames, 1);
    assert_int_equal(answer(second, NETIF_RSP_ERROR), TX_ANSWER_PART);
    assert_int_equal(slots.frames, 1);
    assert_int_equal(answer(first, NETIF_RSP_DROPPED), TX_ANSWER_DROPPED);
    assert_int_equal(slots.frames, 0);
    first = tx_slots_take(&slots, true);
    assert_int_equal(answer(first, NETIF_RSP_OKAY), TX_ANSWER_SENT);
    first = tx_slots_take(&slots, true);
    assert_int_equal(answer(first, NETIF_RSP_ERROR), TX_ANSWER_ERROR);
    assert_int_equal(slots.free_count, 32);
}

static void an_answer_that_fits_nothing_is_refused(void **state)
{
    (void)state;
    uint16_t id = tx_slots_take(&slots, true);
    assert_int_equal(answer((uint16_t)(id ^ 1), NETIF_RSP_OKAY), -EPROTO); /* not asked */
    assert_int_equal(answer(32, NETIF_RSP_OKAY), -EPROTO);
    assert_int_equal(answer(UINT16_MAX, NETIF_RSP_OKAY), -EPROTO);
    assert_int_equal(answer(id, 2), -EPROTO);
    assert_int_equal(answer(id, -3), -EPROTO);
    assert_int_equal(answer(id, NETIF_RSP_OKAY), TX_ANSWER_SENT);
    assert_int_equal(answer(id, NETIF_RSP_OKAY), -EPROTO); /* answered already */
}

static void as_many_extra_infos_are_answered_as_there_are(void **state)
{
    (void)state;
    assert_int_equal(answer(0, NETIF_RSP_NULL), -EPROTO);
    tx_slots_add_extra(&slots);
    assert_int_equal(tx_slots_unanswered(&slots), 1);
    assert_int_equal(answer(0xdead, NETIF_RSP_NULL), TX_ANSWER_PART);
    assert_int_equal(answer(0xdead, NETIF_RSP_NULL), -EPROTO);
    assert_int_equal(tx_slots_unanswered(&slots), 0);
}

static void behind_the_last_page_there_is_none(void **state)
{
    (void)state;
    tx_slots_init(&slots, NETIF_RING_ENTRIES);
    for (int i = 0; i < NETIF_RING_ENTRIES; i++)
        (void)tx_slots_take(&slots, true);
    assert_int_equal(answer(NETIF_RING_ENTRIES, NETIF_RSP_OKAY), -EPROTO);
    assert_int_equal(answer(NETIF_RING_ENTRIES - 1, NETIF_RSP_OKAY), TX_ANSWER_SENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(all_pages_are_handed_out_once, setup),
        cmocka_unit_test_setup(the_first_page_tells_what_became_of_the_frame, setup),
        cmocka_unit_test_setup(an_answer_that_fits_nothing_is_refused, setup),
        cmocka_unit_test_setup(as_many_extra_infos_are_answered_as_there_are, setup),
        cmocka_unit_test_setup(behind_the_last_page_there_is_none, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
