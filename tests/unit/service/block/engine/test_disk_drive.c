/* SPDX-License-Identifier: MIT */
/*
 * Times computed by hand: a turn of the HP 97560 takes 60e9 / 4002 = 14,992,503.748 ns, one of its
 * 72 sectors 208,229.219 ns. Results are rounded up to a nanosecond.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "service/block/engine/disk_drive.h"

enum { TRACK = 72, CYLINDER = 72 * 19 };

static struct disk_drive make(void)
{
    return (struct disk_drive){.parameters = disk_drive_at(0)};
}

static void the_drive_is_the_published_one(void **state)
{
    const struct disk_drive_parameters *p = disk_drive_at(0);
    (void)state;
    assert_string_equal(p->name, "hp97560");
    assert_int_equal((uint64_t)p->cylinders * p->tracks_per_cylinder * p->sectors_per_track,
                     2684016);
    assert_null(disk_drive_at(1));
}

/* The controller's 2.2 ms, then the rest of a turn, then the sector. */
static void a_sector_that_has_passed_comes_round_again(void **state)
{
    struct disk_drive drive = make();
    (void)state;
    assert_int_equal(disk_drive_serve(&drive, 0, false, 0, 1), 15200733);
}

/* Sector 20 begins at 4,164,584.374 ns. */
static void a_sector_that_comes_is_taken_at_once(void **state)
{
    struct disk_drive drive = make();
    (void)state;
    assert_int_equal(disk_drive_serve(&drive, 0, false, 20, 1), 4372814);
}

/* 100 cylinders: 3.24 + 0.4 * 10 = 7.24 ms, there at 29.44 ms. The cylinder's skew is 100 * 162
 * sectors, 225 whole turns: its first sector begins with the third turn, at 29,985,007.496 ns. */
static void a_short_seek_follows_the_square_root(void **state)
{
    struct disk_drive drive = make();
    (void)state;
    assert_int_equal(disk_drive_serve(&drive, 20000000, false, 100 * CYLINDER, 1), 30193237);
    assert_int_equal(drive.track, 1900);
}

/* 1961 cylinders: 8 + 15.688 ms, there at 25.888 ms. Skew: 1961 * 162 = 317,682 = 18 beyond whole
 * turns. Sector 36 is at 54, of the second turn at 26,236,881.559 ns: just caught. */
static void a_long_seek_is_linear(void **state)
{
    struct disk_drive drive = make();
    (void)state;
    assert_int_equal(disk_drive_serve(&drive, 0, false, UINT64_C(1961) * CYLINDER + 36, 1),
                     26445111);
}

/* 383 cylinders are the last short seek: 3.24 + 7.828154 ms, there at 13,268,154; 384 the first
 * long one: 8 + 3.072 ms, there at 13.272 ms. */
static void the_two_laws_of_seeks_meet(void **state)
{
    struct disk_drive drive = make();
    (void)state;
    /* Skew 54; sector 10 is at 64, at 13,326,669.997 ns. */
    assert_int_equal(disk_drive_serve(&drive, 0, false, 383 * CYLINDER + 10, 1), 13534900);
    drive = make();
    /* Skew 0; sector 63 is at 13,118,440.779 ns: gone, and comes a turn later. */
    assert_int_equal(disk_drive_serve(&drive, 0, false, 384 * CYLINDER + 63, 1), 28319174);
}

/* 1.6 ms, and eight sectors of skew: at 3.8 ms they have passed. */
static void another_head_takes_a_switch(void **state)
{
    struct disk_drive drive = make();
    (void)state;
    assert_int_equal(disk_drive_serve(&drive, 0, false, TRACK, 1), 16866567);
}

/* A turn of the first track, to 29,985,007.496; the second one's first sector comes at
 * 31,650,841.246, after the switch. */
static void two_tracks_in_one_request_lose_the_skew_only(void **state)
{
    struct disk_drive drive = make();
    (void)state;
    assert_int_equal(disk_drive_serve(&drive, 0, false, 0, 2 * TRACK), 46643345);
}

static void what_moves_no_data_leaves_the_arm(void **state)
{
    struct disk_drive drive = make();
    (void)state;
    drive.track = 7;
    assert_int_equal(disk_drive_serve(&drive, 1000, false, 123456, 0), 2201000);
    assert_int_equal(drive.track, 7);
}

/* A minute is 4002 whole turns. */
static void the_platters_turn_on_for_ever(void **state)
{
    const uint64_t minute_ns = UINT64_C(60000000000);
    struct disk_drive drive = make();
    (void)state;
    assert_int_equal(disk_drive_serve(&drive, 1000000 * minute_ns, false, 0, 1),
                     1000000 * minute_ns + 15200733);
}

/* ---- reads: the bus takes 51,200 ns for a sector, and the buffer is in between ---- */

static uint64_t read_at(struct disk_drive *drive, uint64_t begin_ns, uint64_t sector,
                        uint32_t count)
{
    return disk_drive_serve(drive, begin_ns, true, sector, count);
}

/* Sector 20 of the medium, and the bus. */
static void the_last_sector_of_a_read_crosses_the_bus(void **state)
{
    struct disk_drive drive = make();
    (void)state;
    assert_int_equal(read_at(&drive, 0, 20, 1), 4372814 + 51200);
}

/* Sector 21 is over at 4,581,042.8, while the controller still thinks, till 6,624,014. */
static void the_next_sector_comes_from_the_buffer(void **state)
{
    struct disk_drive drive = make();
    (void)state;
    assert_int_equal(read_at(&drive, 0, 20, 1), 4424014);
    assert_int_equal(read_at(&drive, 4424014, 21, 1), 4424014 + 2200000 + 51200);
}

/* The first track ends with the turn, 14,992,503.748; the head is on the next one at 16,592,504,
 * and its first sector comes at 16,658,337.498: 29 of it are over at 22,696,984.84. */
static void what_the_buffer_lacks_is_waited_for(void **state)
{
    struct disk_drive drive = make();
    (void)state;
    assert_int_equal(read_at(&drive, 0, 20, 1), 4424014);
    assert_int_equal(read_at(&drive, 4424014, 21, 80), 22696985 + 51200);
}

/* 256 sectors beyond what was asked for, at 62,676,995; after a second all of them cross the bus.
 */
static void the_buffer_fills_up(void **state)
{
    struct disk_drive drive = make();
    (void)state;
    assert_int_equal(read_at(&drive, 0, 20, 1), 4424014);
    assert_int_equal(read_at(&drive, 1000000000, 21, 256), 1002200000 + 256 * 51200);
    assert_int_equal(drive.held, 21);
}

/* The heads stood still: sector 277 passes them again while the others cross the bus; asked for
 * alone it is waited for, and begins at 1,007,204,730.97. */
static void a_full_buffer_goes_on_when_it_is_asked(void **state)
{
    struct disk_drive drive = make();
    (void)state;
    assert_int_equal(read_at(&drive, 0, 20, 1), 4424014);
    assert_int_equal(read_at(&drive, 1000000000, 21, 257), 1002200000 + 257 * 51200);
    assert_int_equal(read_at(&drive, 2000000000, 278, 256), 2002200000 + 256 * 51200);
    drive = make();
    assert_int_equal(read_at(&drive, 0, 20, 1), 4424014);
    assert_int_equal(read_at(&drive, 1000000000, 277, 1), 1007412961 + 51200);
}

/* It is there for who asks again, until it is pushed out: sector 20 has been by 276. */
static void what_was_read_stays_for_a_buffer_s_length(void **state)
{
    struct disk_drive drive = make();
    (void)state;
    assert_int_equal(read_at(&drive, 0, 20, 1), 4424014);
    assert_int_equal(read_at(&drive, 4424014, 20, 1), 4424014 + 2200000 + 51200);
    drive = make();
    assert_int_equal(read_at(&drive, 0, 20, 1), 4424014);
    assert_int_equal(read_at(&drive, 1000000000, 276, 1), 1002251200);
    /* At 1,004,451,200, the head is on sector 277's track, the fourth: 1.6 ms. */
    assert_int_equal(read_at(&drive, 1002251200, 20, 1), 1008921765);
}

/* Sector 5 was not read: a turn after 1,041,146.094, at 16,033,649.8. */
static void a_read_elsewhere_ends_the_stream(void **state)
{
    struct disk_drive drive = make();
    (void)state;
    assert_int_equal(read_at(&drive, 0, 20, 1), 4424014);
    assert_int_equal(read_at(&drive, 4424014, 5, 1), 16293080);
    assert_int_equal(drive.held, 5);
}

/* Sector 40 is at 8,329,168.7; 21 a turn after 4,372,813.6. */
static void a_write_takes_the_buffer(void **state)
{
    struct disk_drive drive = make();
    (void)state;
    assert_int_equal(read_at(&drive, 0, 20, 1), 4424014);
    assert_int_equal(disk_drive_serve(&drive, 4424014, false, 40, 1), 8537398);
    assert_int_equal(read_at(&drive, 8537398, 21, 1), 19624747);
}

/* 16 sectors pass the heads in 3.3 ms, and the controller thinks 2.2: the medium never waits. */
static void small_reads_in_order_are_as_fast_as_one_large_one(void **state)
{
    struct disk_drive small = make(), large = make();
    uint64_t now_ns = 0;
    (void)state;
    for (uint64_t sector = 0; sector < 8192; sector += 16)
        now_ns = read_at(&small, now_ns, sector, 16);
    assert_int_equal(now_ns, read_at(&large, 0, 0, 8192));
}

/* Nothing is read ahead of them, and each waits for a turn: the last ends with sector 63 of the
 * fifth, at 4 * 14,992,503.748 + 64 * 208,229.219. */
static void small_writes_in_order_are_not(void **state)
{
    struct disk_drive drive = make();
    uint64_t now_ns = 0;
    (void)state;
    for (uint64_t sector = 0; sector < 64; sector += 16)
        now_ns = disk_drive_serve(&drive, now_ns, false, sector, 16);
    assert_int_equal(now_ns, 73296685);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_drive_is_the_published_one),
        cmocka_unit_test(a_sector_that_has_passed_comes_round_again),
        cmocka_unit_test(a_sector_that_comes_is_taken_at_once),
        cmocka_unit_test(a_short_seek_follows_the_square_root),
        cmocka_unit_test(a_long_seek_is_linear),
        cmocka_unit_test(the_two_laws_of_seeks_meet),
        cmocka_unit_test(another_head_takes_a_switch),
        cmocka_unit_test(two_tracks_in_one_request_lose_the_skew_only),
        cmocka_unit_test(what_moves_no_data_leaves_the_arm),
        cmocka_unit_test(the_platters_turn_on_for_ever),
        cmocka_unit_test(the_last_sector_of_a_read_crosses_the_bus),
        cmocka_unit_test(the_next_sector_comes_from_the_buffer),
        cmocka_unit_test(what_the_buffer_lacks_is_waited_for),
        cmocka_unit_test(the_buffer_fills_up),
        cmocka_unit_test(a_full_buffer_goes_on_when_it_is_asked),
        cmocka_unit_test(what_was_read_stays_for_a_buffer_s_length),
        cmocka_unit_test(a_read_elsewhere_ends_the_stream),
        cmocka_unit_test(a_write_takes_the_buffer),
        cmocka_unit_test(small_reads_in_order_are_as_fast_as_one_large_one),
        cmocka_unit_test(small_writes_in_order_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
