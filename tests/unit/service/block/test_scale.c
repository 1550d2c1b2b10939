/* SPDX-License-Identifier: MIT */
/* A scaled client's reads: when they are answered, and how many of them are under way. */
#include "fakes/fake_probes.h"
#include "unit/service/block/scale_fixture.h"

static void a_scaled_read_takes_scale_times_as_long(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(block_client_set_scale(&f->client, (struct tdf){5, 2}), 0);
    ask(f, &f->client, 0, 7);
    end_oldest(f, 1001, 0);
    assert_int_equal(f->ask[0].answered_ns, 0);
    sleep_once(f);
    assert_int_equal(f->ask[0].answered_ns, START_NS + 2503); /* 1001 * 2.5, rounded up */
    assert_int_equal(f->ask[0].status, 0);
    assert_int_equal(f->ask[0].data[0], 0x77);
    assert_int_equal(timers_next_deadline(&f->timers), UINT64_MAX);
}

static void a_read_passes_the_probe_of_its_queue_when_it_is_let_in(void **state)
{
    struct fixture *f = *state;
    if (!fake_probes_begin())
        skip();
    assert_int_equal(block_client_set_scale(&f->client, (struct tdf){3, 1}), 0);
    for (uint32_t i = 0; i <= DEPTH; i++)
        ask(f, &f->client, i, 10 * i);
    uint32_t before = fake_probes_passed("queued");
    end_oldest(f, 1000, 0);
    sleep_once(f);
    uint32_t after = fake_probes_passed("queued");
    fake_probes_end();
    assert_int_equal(before, DEPTH);
    assert_int_equal(after, DEPTH + 1);
}

static void a_scale_of_one_delays_nothing(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(block_client_set_scale(&f->client, (struct tdf){1, 1}), 0);
    ask(f, &f->client, 0, 7);
    end_oldest(f, 1000, 0);
    assert_int_equal(f->ask[0].answered_ns, START_NS + 1000);
}

static void a_failed_read_is_as_late_as_a_good_one(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(block_client_set_scale(&f->client, (struct tdf){10, 1}), 0);
    ask(f, &f->client, 0, 7);
    end_oldest(f, 1000, -EIO);
    sleep_once(f);
    assert_int_equal(f->ask[0].answered_ns, START_NS + 10000);
    assert_int_equal(f->ask[0].status, -EIO);
}

static void held_reads_are_answered_in_the_order_of_their_times(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(block_client_set_scale(&f->client, (struct tdf){10, 1}), 0);
    ask(f, &f->client, 0, 1);
    tdf_source_advance_ns(&f->source, 900);
    ask(f, &f->client, 1, 2);
    end_oldest(f, 100, 0); /* read 0 took 1000 */
    end_oldest(f, 50, 0);  /* read 1 took 150: due first, at 900 + 1500 */
    sleep_once(f);
    assert_int_equal(f->ask[1].answered_ns, START_NS + 900 + 1500);
    assert_int_equal(f->ask[0].answered_ns, 0);
    sleep_once(f);
    assert_int_equal(f->ask[0].answered_ns, START_NS + 10000);
}

static void a_held_read_keeps_its_place_from_its_own_client_only(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(block_client_set_scale(&f->client, (struct tdf){10, 1}), 0);
    for (uint32_t i = 0; i < 3; i++)
        ask(f, &f->client, i, i);
    assert_int_equal(the_disk->count, DEPTH);
    end_oldest(f, 100, 0);
    end_oldest(f, 0, 0);
    device_dispatch(f->device, tdf_clock_now_ns(&f->clock));
    assert_int_equal(the_disk->count, 0); /* the third waits for a place */
    ask(f, &f->other, 3, 30);
    assert_int_equal(the_disk->count, 1); /* somebody else does not */
    end_oldest(f, 100, 0);
    assert_int_equal(f->ask[3].answered_ns, START_NS + 200);
    sleep_once(f);
    assert_int_equal(f->ask[0].answered_ns, START_NS + 1000);
    assert_int_equal(the_disk->count, 1);
}

static void a_closed_loop_is_as_much_slower_as_the_scale_says(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(block_client_set_scale(&f->client, (struct tdf){10, 1}), 0);
    /* Depth 4 at a disk that serves DEPTH at once, 100 ns each: 40 reads would take 2000 ns. */
    uint64_t sector = 0;
    uint32_t ended = 0;
    for (uint32_t i = 0; i < 4; i++)
        ask(f, &f->client, i, sector++);
    while (ended < 40) {
        if (the_disk->count > 0) {
            end_oldest(f, 100, 0);
            while (the_disk->count > 0)
                end_oldest(f, 0, 0);
        }
        sleep_once(f);
        uint32_t again[READS], count = 0;
        for (uint32_t i = 0; i < 4; i++) {
            if (f->ask[i].answered_ns != 0)
                again[count++] = i;
        }
        ended += count;
        for (uint32_t i = 0; ended < 40 && i < count; i++)
            ask(f, &f->client, again[i], sector++);
    }
    assert_int_equal(tdf_clock_now_ns(&f->clock), START_NS + 20000);
}

static void undoing_the_scale_lets_the_waiting_ones_in(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(block_client_set_scale(&f->client, (struct tdf){10, 1}), 0);
    for (uint32_t i = 0; i < 3; i++)
        ask(f, &f->client, i, i);
    end_oldest(f, 100, 0);
    assert_int_equal(block_client_set_scale(&f->client, (struct tdf){1, 1}), 0);
    device_dispatch(f->device, tdf_clock_now_ns(&f->clock));
    assert_int_equal(the_disk->count, 2);
}

static void reads_in_every_state_can_be_cancelled(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(block_client_set_scale(&f->client, (struct tdf){10, 1}), 0);
    for (uint32_t i = 0; i < 4; i++)
        ask(f, &f->client, i, i);
    end_oldest(f, 100, 0);
    for (uint32_t i = 0; i < 4; i++)
        block_cancel(&f->ask[i].request);
    assert_int_equal(timers_next_deadline(&f->timers), UINT64_MAX);
    device_dispatch(f->device, tdf_clock_now_ns(&f->clock));
    block_client_close(&f->client);
    while (the_disk->count > 0)
        end_oldest(f, 100, 0);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(f->ask[i].answered_ns, 0);
}

static void a_scale_lies_within_one_and_the_limit(void **state)
{
    (void)state;
    assert_int_equal(block_scale_check((struct tdf){1, 1}), 0);
    assert_int_equal(block_scale_check((struct tdf){TDF_LIMIT, 1}), 0);
    assert_int_equal(block_scale_check((struct tdf){1, 2}), -ERANGE);
    assert_int_equal(block_scale_check((struct tdf){0, 1}), -ERANGE);
    assert_int_equal(block_scale_check((struct tdf){TDF_LIMIT + 1, 1}), -ERANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_scaled_read_takes_scale_times_as_long, setup, teardown),
        cmocka_unit_test_setup_teardown(a_read_passes_the_probe_of_its_queue_when_it_is_let_in,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_scale_of_one_delays_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failed_read_is_as_late_as_a_good_one, setup, teardown),
        cmocka_unit_test_setup_teardown(held_reads_are_answered_in_the_order_of_their_times, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_held_read_keeps_its_place_from_its_own_client_only, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_closed_loop_is_as_much_slower_as_the_scale_says, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(undoing_the_scale_lets_the_waiting_ones_in, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(reads_in_every_state_can_be_cancelled, setup, teardown),
        cmocka_unit_test(a_scale_lies_within_one_and_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
