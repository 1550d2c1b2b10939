/* SPDX-License-Identifier: MIT */
/* disk_nbd: each operation is the command of that name, where the server knows it. */
#include <sys/uio.h>

#include "faults/fault_walk.h"
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

/* One operation whose memory is in two places: a command for each of them. */
static int run_in_parts(struct fixture *f, enum disk_operation operation, struct iovec parts[2])
{
    uint32_t i = f->submitted++;
    f->io[i] = (struct disk_io){.image = &f->image,
                                .operation = operation,
                                .offset_bytes = BYTES,
                                .length_bytes = BYTES,
                                .iov = parts,
                                .iov_count = 2,
                                .done = on_done};
    disk_nbd_ops.submit(f->disk, &f->io[i]);
    run_until_done(f);
    return f->io[i].status;
}

static void memory_in_parts_is_filled_and_sent_in_order(void **state)
{
    struct fixture *f = *state;
    struct iovec parts[2] = {{f->memory[2], BYTES - 512}, {f->memory[3], 512}};
    open_disk(f, LONG_MS);
    memset(f->memory[2], 0x22, BYTES);
    memset(f->memory[3], 0x33, BYTES);
    assert_int_equal(run_in_parts(f, DISK_WRITE, parts), 0);
    assert_int_equal(f->server.bytes[BYTES], 0x22);
    assert_int_equal(f->server.bytes[2 * BYTES - 513], 0x22);
    assert_int_equal(f->server.bytes[2 * BYTES - 512], 0x33);
    assert_int_equal(f->server.bytes[2 * BYTES - 1], 0x33);
    assert_int_not_equal(f->server.bytes[2 * BYTES], 0x33);
    memset(f->memory[2], 0, BYTES);
    memset(f->memory[3], 0, BYTES);
    assert_int_equal(run_in_parts(f, DISK_READ, parts), 0);
    assert_int_equal(f->memory[2][BYTES - 513], 0x22);
    assert_int_equal(f->memory[2][BYTES - 512], 0);
    assert_int_equal(f->memory[3][511], 0x33);
    assert_int_equal(f->memory[3][512], 0);
}

static void what_lies_behind_the_end_is_not_asked_for(void **state)
{
    struct fixture *f = *state;
    open_disk(f, LONG_MS);
    f->image.size_bytes = BYTES / 2;
    assert_int_equal(run(f, DISK_READ, 0), -EIO);
    assert_int_equal(run(f, DISK_FLUSH, 0), 0);
    assert_false(disk_nbd_is_dead(f->disk));
}

static int create(void *poller)
{
    const struct disk_config config = {.poller = poller, .depth = DEPTH};
    struct disk *disk;
    struct why why = {0};
    int rc = disk_nbd_ops.create(&config, &disk, &why);
    assert_true((rc < 0) == (disk == NULL) && (rc < 0) == (why.text[0] != '\0'));
    disk_nbd_ops.destroy(disk);
    return rc;
}

static void an_engine_that_lacks_something_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    assert_true(fault_walk(create, f->poller) >= 4);
    open_disk(f, LONG_MS); /* for teardown */
}

#endif

int main(void)
{
#ifdef HAVE_LIBNBD
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_operation_is_a_command, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_server_does_not_know_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(flush_and_discard_are_told_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_in_parts_is_filled_and_sent_in_order, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_lies_behind_the_end_is_not_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(an_engine_that_lacks_something_leaves_nothing, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
#else
    return 77; /* skipped: built without libnbd */
#endif
}
