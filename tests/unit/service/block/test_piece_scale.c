/* SPDX-License-Identifier: MIT */
/* piece: when a scaled client's request that is done in pieces is answered. */
#include "unit/service/block/scale_fixture.h"

static void a_scaled_write_takes_scale_times_as_long(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(block_client_set_scale(&f->client, (struct tdf){3, 1}), 0);
    ask_for(f, &f->client, 0, BLOCK_WRITE, 7);
    end_oldest(f, 1000, 0);
    assert_int_equal(f->ask[0].answered_ns, 0);
    sleep_once(f);
    assert_int_equal(f->ask[0].answered_ns, START_NS + 3000);
    assert_int_equal(f->ask[0].status, 0);
}

/* The disk has shrunk while it waited for its turn. */
static void what_the_device_never_saw_is_answered_at_once(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(block_client_set_scale(&f->client, (struct tdf){3, 1}), 0);
    ask(f, &f->other, 1, 1);
    ask(f, &f->other, 2, 2); /* the device has its fill */
    ask_for(f, &f->client, 0, BLOCK_WRITE, SECTORS - 1);
    f->vdisk->image.size_bytes /= 2;
    vdisk_image_changed(f->vdisk);
    end_oldest(f, 1000, 0);
    device_dispatch(f->device, tdf_clock_now_ns(&f->clock));
    assert_int_equal(f->ask[0].answered_ns, START_NS + 1000);
    assert_int_equal(f->ask[0].status, -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_scaled_write_takes_scale_times_as_long, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_device_never_saw_is_answered_at_once, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
