/* SPDX-License-Identifier: MIT */
/* What becomes of operations when their server dies, hangs, comes back, or comes back as another:
 * against a server in the test's own threads. With real servers: e2e/nbd_reconnect.sh. */
#include "base/clock.h"
#include "base/container_of.h"
#include "service/block/engine/disk_nbd_private.h"
#include "unit/service/block/engine/disk_nbd_fixture.h"

#ifdef HAVE_LIBNBD

/* Asked of a server that dies with them, and asked while there is none. */
static void what_was_not_answered_is_sent_again(void **state)
{
    struct fixture *f = *state;
    f->server.manner = FAKE_NBD_MUTE;
    open_disk(f, LONG_MS);
    submit(f, DISK_WRITE, 0x11);
    fake_nbd_wait_command(&f->server);
    fake_nbd_kill(&f->server);
    run_until(f, DISK_NBD_AWAY);
    submit(f, DISK_WRITE, 0x22);
    submit(f, DISK_FLUSH, 0);
    assert_int_equal(disk_nbd_report(f->disk).held, 3);
    assert_int_equal(f->done, 0);
    f->server.manner = FAKE_NBD_SERVES;
    fake_nbd_start(&f->server);
    run_until_done(f);
    for (int i = 0; i < 3; i++)
        assert_int_equal(f->io[i].status, 0);
    assert_true(f->server.bytes[0] == 0x11 && f->server.bytes[BYTES - 1] == 0x11);
    assert_int_equal(f->server.bytes[BYTES], 0x22);
    assert_int_equal(f->reconnected, 1);
    assert_int_equal(disk_nbd_report(f->disk).reconnections, 1);
    assert_int_equal(disk_nbd_report(f->disk).held, 0);
}

static void an_idle_disk_is_connected_again(void **state)
{
    struct fixture *f = *state;
    open_disk(f, LONG_MS);
    fake_nbd_kill(&f->server);
    run_until(f, DISK_NBD_AWAY);
    memset(f->server.bytes, 0x33, BYTES);
    fake_nbd_start(&f->server);
    run_until(f, DISK_NBD_CONNECTED);
    const struct disk_io *io = submit(f, DISK_READ, 0);
    run_until_done(f);
    assert_true(io->status == 0 && f->memory[0][BYTES - 1] == 0x33);
}

static void without_patience_it_fails_at_once_and_for_good(void **state)
{
    struct fixture *f = *state;
    f->server.manner = FAKE_NBD_MUTE;
    open_disk(f, 0);
    const struct disk_io *io = submit(f, DISK_READ, 0);
    fake_nbd_wait_command(&f->server);
    fake_nbd_kill(&f->server);
    run_until_done(f);
    assert_int_equal(io->status, -EIO);
    assert_true(disk_nbd_is_dead(f->disk));
    f->server.manner = FAKE_NBD_SERVES;
    fake_nbd_start(&f->server);
    io = submit(f, DISK_READ, 0);
    run_until_done(f);
    assert_int_equal(io->status, -EIO);
}

/* After the limit all fail, those that come later at once; until there is a server again. */
static void a_server_that_does_not_return_fails_them(void **state)
{
    struct fixture *f = *state;
    f->server.manner = FAKE_NBD_MUTE;
    open_disk(f, SHORT_MS);
    const struct disk_io *first = submit(f, DISK_READ, 0);
    fake_nbd_wait_command(&f->server);
    fake_nbd_kill(&f->server);
    run_until(f, DISK_NBD_AWAY);
    const struct disk_io *second = submit(f, DISK_WRITE, 1);
    run_until_done(f);
    assert_true(first->status == -EIO && second->status == -EIO);
    assert_false(disk_nbd_is_dead(f->disk));
    const struct disk_io *third = submit(f, DISK_READ, 0);
    assert_int_equal(disk_nbd_report(f->disk).held, 0);
    run_until_done(f);
    assert_int_equal(third->status, -EIO);
    f->server.manner = FAKE_NBD_SERVES;
    fake_nbd_start(&f->server);
    run_until(f, DISK_NBD_CONNECTED);
    const struct disk_io *fourth = submit(f, DISK_READ, 0);
    run_until_done(f);
    assert_int_equal(fourth->status, 0);
}

static void goes_away(struct fixture *f)
{
    open_disk(f, LONG_MS);
    fake_nbd_kill(&f->server);
    run_until(f, DISK_NBD_AWAY);
    submit(f, DISK_READ, 0);
}

static void is_refused(struct fixture *f)
{
    fake_nbd_start(&f->server);
    run_until_done(f);
    assert_int_equal(f->io[0].status, -EIO);
    assert_true(disk_nbd_is_dead(f->disk) && f->reconnected == 0);
}

static void another_size_is_refused(void **state)
{
    struct fixture *f = *state;
    goes_away(f);
    f->server.size_bytes = FAKE_NBD_BYTES / 2;
    is_refused(f);
}

static void what_cannot_be_written_any_more_is_refused(void **state)
{
    struct fixture *f = *state;
    goes_away(f);
    f->server.flags |= FAKE_NBD_READ_ONLY;
    is_refused(f);
}

static void what_cannot_be_flushed_any_more_is_refused(void **state)
{
    struct fixture *f = *state;
    goes_away(f);
    f->server.flags = FAKE_NBD_SEND_TRIM;
    is_refused(f);
}

/* It holds its connection open, takes commands and says nothing. */
static void a_server_that_hangs_is_connected_to_anew(void **state)
{
    struct fixture *f = *state;
    f->server.manner = FAKE_NBD_MUTE;
    open_disk(f, SILENCE_MS);
    const uint64_t begin_ns = clock_monotonic_ns();
    const struct disk_io *io = submit(f, DISK_WRITE, 0x44);
    fake_nbd_wait_command(&f->server);
    fake_nbd_set_manner(&f->server, FAKE_NBD_SERVES);
    run_until_done(f);
    const uint64_t took_ns = clock_monotonic_ns() - begin_ns;
    assert_true(took_ns >= SILENCE_MS / 2 * UINT64_C(1000000));
    if (io->status == -EIO && took_ns >= SILENCE_MS * UINT64_C(1000000))
        skip(); /* on so busy a machine connecting takes as long */
    assert_int_equal(io->status, 0);
    assert_int_equal(f->server.bytes[0], 0x44);
    assert_int_equal(f->reconnected, 1);
}

/* Returns how long a read took, which fails. */
static uint64_t read_in_vain_ns(struct fixture *f)
{
    const uint64_t begin_ns = clock_monotonic_ns();
    const struct disk_io *io = submit(f, DISK_READ, 0);
    run_until_done(f);
    assert_int_equal(io->status, -EIO);
    f->submitted = f->done = 0;
    return clock_monotonic_ns() - begin_ns;
}

/* Each connection is open and says nothing: they are one outage, which the first request waits for.
 * (As an outage of its own, each would hold up whatever is asked then for twice the patience.) */
static void a_server_that_stays_silent_is_waited_for_once(void **state)
{
    struct fixture *f = *state;
    const uint64_t patience_ns = SILENCE_MS * UINT64_C(1000000);
    f->server.manner = FAKE_NBD_MUTE;
    open_disk(f, SILENCE_MS);
    assert_true(read_in_vain_ns(f) >= patience_ns);
    assert_true(f->reconnected > 0); /* it had another try */
    bool quick = false;
    for (int tries = 0; tries < 10 && !quick; tries++) /* the machine may be busy */
        quick = read_in_vain_ns(f) < 2 * patience_ns;
    assert_true(quick);
    fake_nbd_set_manner(&f->server, FAKE_NBD_SERVES); /* of the next connection */
    for (bool answered = false; !answered; f->submitted = f->done = 0) {
        const struct disk_io *io = submit(f, DISK_READ, 0);
        run_until_done(f);
        answered = io->status == 0;
    }
}

/* It is looked at a few times; each word of its own begins its patience anew. */
static void silence_begins_with_the_last_word(void **state)
{
    struct fixture *f = *state;
    const uint64_t patience_ns = LONG_MS * UINT64_C(1000000), silence_ns = patience_ns / 2;
    f->server.manner = FAKE_NBD_MUTE;
    open_disk(f, LONG_MS);
    struct disk_nbd *dn = container_of(f->disk, struct disk_nbd, base);
    submit(f, DISK_READ, 0);
    fake_nbd_wait_command(&f->server);
    uint64_t asked_ns = dn->silent_since_ns;
    assert_int_equal(dn->timer_ns, asked_ns + silence_ns / 4);
    dn->heard++;
    disk_nbd_silence_look(dn, asked_ns + 1000);
    assert_int_equal(dn->silent_since_ns, asked_ns + 1000);
    disk_nbd_silence_look(dn, asked_ns + silence_ns);
    assert_int_equal(disk_nbd_report(f->disk).state, DISK_NBD_CONNECTED);
    assert_int_equal(dn->timer_ns, asked_ns + silence_ns + 1000);
    fake_nbd_set_manner(&f->server, FAKE_NBD_SERVES);
    disk_nbd_silence_look(dn, asked_ns + silence_ns + 1000);
    assert_int_not_equal(disk_nbd_report(f->disk).state, DISK_NBD_CONNECTED);
    run_until_done(f);
    assert_int_equal(f->io[0].status, 0);
}

static void the_next_try_and_the_end_of_patience_are_waited_for(void **state)
{
    struct fixture *f = *state;
    open_disk(f, LONG_MS);
    const struct disk_nbd *dn = container_of(f->disk, struct disk_nbd, base);
    fake_nbd_kill(&f->server);
    run_until(f, DISK_NBD_AWAY);
    assert_int_equal(dn->timer_ns, dn->patience.try_ns);
    while (dn->opener == NULL)
        assert_true(poller_run(f->poller, true) >= 0);
    assert_int_equal(dn->timer_ns, dn->patience.since_ns + dn->patience.limit_ns);
}

static void an_idle_disk_keeps_nobody_awake(void **state)
{
    struct fixture *f = *state;
    open_disk(f, LONG_MS);
    submit(f, DISK_READ, 0);
    run_until_done(f);
    int turns = 0;
    while (poller_run(f->poller, false) > 0)
        assert_true(++turns < 100);
}

/* Sending finds that out, not an event. */
static void a_connection_that_ends_before_anything_is_sent_is_made_again(void **state)
{
    struct fixture *f = *state;
    open_disk(f, LONG_MS);
    fake_nbd_kill(&f->server);
    run_until(f, DISK_NBD_AWAY);
    const struct disk_io *io = submit(f, DISK_WRITE, 0x66);
    f->server.manner = FAKE_NBD_GREETS;
    fake_nbd_start(&f->server);
    run_until_done(f);
    assert_true(io->status == 0 && f->server.bytes[0] == 0x66);
    assert_int_equal(f->reconnected, 2);
}

/* Each connection takes one command and ends: the connecting alone must not go on for ever. */
static void a_server_that_dies_of_a_command_is_not_tried_for_ever(void **state)
{
    struct fixture *f = *state;
    f->server.manner = FAKE_NBD_HANGS_UP;
    open_disk(f, SHORT_MS);
    const struct disk_io *io = submit(f, DISK_READ, 0);
    run_until_done(f);
    assert_int_equal(io->status, -EIO);
    while (f->reconnected == 0) /* the tries go on */
        assert_true(poller_run(f->poller, true) >= 0);
}

/* Others are answered in between, so that each outage is a new one. */
static void a_command_that_is_never_answered_ends_all_the_same(void **state)
{
    struct fixture *f = *state;
    f->server.manner = FAKE_NBD_NO_WRITES;
    open_disk(f, SHORT_MS);
    const struct disk_io *write = submit(f, DISK_WRITE, 1);
    uint32_t asked = 1;
    while (write->status != -EIO) {
        if (f->done + 1 == asked) { /* the read has been answered: its place is free */
            f->submitted = 1;
            submit(f, DISK_READ, 0);
            asked++;
        }
        assert_true(poller_run(f->poller, true) >= 0);
    }
    while (f->done < asked)
        assert_true(poller_run(f->poller, true) >= 0);
}

static void what_a_server_will_not_do_any_more_is_for_the_next_one(void **state)
{
    struct fixture *f = *state;
    f->server.manner = FAKE_NBD_SHUTS_DOWN;
    open_disk(f, LONG_MS);
    fake_nbd_set_manner(&f->server, FAKE_NBD_SERVES);
    const struct disk_io *io = submit(f, DISK_WRITE, 0x55);
    run_until_done(f);
    assert_true(io->status == 0 && f->server.bytes[0] == 0x55);
    assert_int_equal(f->reconnected, 1);
}

static void who_stops_need_not_wait(void **state)
{
    struct fixture *f = *state;
    open_disk(f, LONG_MS);
    fake_nbd_kill(&f->server);
    run_until(f, DISK_NBD_AWAY);
    const struct disk_io *io = submit(f, DISK_READ, 0);
    disk_nbd_give_up(f->disk);
    run_until_done(f);
    assert_int_equal(io->status, -EIO);
    assert_true(disk_nbd_is_dead(f->disk));
}

static void nor_for_a_server_that_goes_later(void **state)
{
    struct fixture *f = *state;
    f->server.manner = FAKE_NBD_MUTE;
    open_disk(f, LONG_MS);
    const struct disk_io *io = submit(f, DISK_READ, 0);
    disk_nbd_give_up(f->disk); /* it is not away */
    assert_false(disk_nbd_is_dead(f->disk));
    fake_nbd_wait_command(&f->server);
    fake_nbd_kill(&f->server);
    run_until_done(f);
    assert_int_equal(io->status, -EIO);
    assert_true(disk_nbd_is_dead(f->disk));
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(what_was_not_answered_is_sent_again),
        WITH(an_idle_disk_is_connected_again),
        WITH(without_patience_it_fails_at_once_and_for_good),
        WITH(a_server_that_does_not_return_fails_them),
        WITH(another_size_is_refused),
        WITH(what_cannot_be_written_any_more_is_refused),
        WITH(what_cannot_be_flushed_any_more_is_refused),
        WITH(a_server_that_hangs_is_connected_to_anew),
        WITH(a_server_that_stays_silent_is_waited_for_once),
        WITH(silence_begins_with_the_last_word),
        WITH(the_next_try_and_the_end_of_patience_are_waited_for),
        WITH(an_idle_disk_keeps_nobody_awake),
        WITH(a_connection_that_ends_before_anything_is_sent_is_made_again),
        WITH(a_server_that_dies_of_a_command_is_not_tried_for_ever),
        WITH(a_command_that_is_never_answered_ends_all_the_same),
        WITH(what_a_server_will_not_do_any_more_is_for_the_next_one),
        WITH(who_stops_need_not_wait),
        WITH(nor_for_a_server_that_goes_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void without_libnbd_there_is_none(void **state)
{
    struct disk *disk;
    struct why why;
    (void)state;
    assert_int_equal(disk_nbd_ops.create(&(struct disk_config){0}, &disk, &why), -ENOTSUP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(without_libnbd_there_is_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
