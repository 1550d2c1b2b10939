/* SPDX-License-Identifier: MIT */
/* disk_nbd: each operation is the command of that name, where the server knows it. */
#include "unit/service/block/engine/disk_nbd_fixture.h"

#ifdef HAVE_LIBNBD

static int run(struct fixture *f, enum disk_operation operation, uint8_t byte)
{
    const struct disk_io *io = submit(f, operation, byte);
    run_until_done(f);
    return io->status;
}

static void each_operation_is_a_command(void **state)
{
    struct fixture *f = *state;
    memset(f->server.bytes, 0x55, sizeof(f->server.bytes));
    open_disk(f, LONG_MS);
    assert_int_equal(run(f, DISK_READ, 0), 0);
    assert_true(f->memory[0][0] == 0x55 && f->memory[0][BYTES - 1] == 0x55);
    assert_int_equal(run(f, DISK_WRITE, 0x66), 0);
    assert_int_equal(f->server.bytes[BYTES - 1], 0x55);
    assert_int_equal(f->server.bytes[BYTES], 0x66);
    assert_int_equal(f->server.bytes[2 * BYTES - 1], 0x66);
    assert_int_equal(f->server.bytes[2 * BYTES], 0x55);
    assert_int_equal(run(f, DISK_FLUSH, 0), 0);
    assert_int_equal(run(f, DISK_DISCARD, 0), 0);
    assert_int_equal(f->server.bytes[3 * BYTES - 1], 0x55);
    assert_int_equal(f->server.bytes[3 * BYTES], 0);
    assert_int_equal(f->server.bytes[4 * BYTES - 1], 0);
    assert_int_equal(f->server.bytes[4 * BYTES], 0x55);
}

static void what_the_server_does_not_know_is_refused(void **state)
{
    struct fixture *f = *state;
    f->server.flags = 0;
    open_disk(f, LONG_MS);
    assert_int_equal(run(f, DISK_FLUSH, 0), -EOPNOTSUPP);
    assert_int_equal(run(f, DISK_DISCARD, 0), -EOPNOTSUPP);
    assert_int_equal(run(f, DISK_READ, 0), 0);
    assert_false(disk_nbd_is_dead(f->disk));
}

/* One without the other. */
static void flush_and_discard_are_told_apart(void **state)
{
    struct fixture *f = *state;
    f->server.flags = FAKE_NBD_SEND_TRIM;
    open_disk(f, LONG_MS);
    assert_int_equal(run(f, DISK_FLUSH, 0), -EOPNOTSUPP);
    assert_int_equal(run(f, DISK_DISCARD, 0), 0);
}

#endif

int main(void)
{
#ifdef HAVE_LIBNBD
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_operation_is_a_command, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_server_does_not_know_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(flush_and_discard_are_told_apart, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
#else
    return 77; /* skipped: built without libnbd */
#endif
}
