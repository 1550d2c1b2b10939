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
    assert_int_equal(disk_drive_serve(&drive, 0, 0, 1), 15200733);
}

/* Sector 20 begins at 4,164,584.374 ns. */
static void a_sector_that_comes_is_taken_at_once(void **state)
{
    struct disk_drive drive = make();
    (void)state;
    assert_int_equal(disk_drive_serve(&drive, 0, 20, 1), 4372814);
}

/* 100 cylinders: 3.24 + 0.4 * 10 = 7.24 ms, there at 29.44 ms. The cylinder's skew is 100 * 162
 * sectors, 225 whole turns: its first sector begins with the third turn, at 29,985,007.496 ns. */
static void a_short_seek_follows_the_square_root(void **state)
{
    struct disk_drive drive = make();
    (void)state;
    assert_int_equal(disk_drive_serve(&drive, 20000000, 100 * CYLINDER, 1), 30193237);
    assert_int_equal(drive.track, 1900);
}

/* 1961 cylinders: 8 + 15.688 ms, there at 25.888 ms. Skew: 1961 * 162 = 317,682 = 18 beyond whole
 * turns. Sector 36 is at 54, of the second turn at 26,236,881.559 ns: just caught. */
static void a_long_seek_is_linear(void **state)
{
    struct disk_drive drive = make();
    (void)state;
    assert_int_equal(disk_drive_serve(&drive, 0, UINT64_C(1961) * CYLINDER + 36, 1), 26445111);
}

/* 383 cylinders are the last short seek: 3.24 + 7.828154 ms, there at 13,268,154; 384 the first
 * long one: 8 + 3.072 ms, there at 13.272 ms. */
static void the_two_laws_of_seeks_meet(void **state)
{
    struct disk_drive drive = make();
    (void)state;
    /* Skew 54; sector 10 is at 64, at 13,326,669.997 ns. */
    assert_int_equal(disk_drive_serve(&drive, 0, 383 * CYLINDER + 10, 1), 13534900);
    drive = make();
    /* Skew 0; sector 63 is at 13,118,440.779 ns: gone, and comes a turn later. */
    assert_int_equal(disk_drive_serve(&drive, 0, 384 * CYLINDER + 63, 1), 28319174);
}

/* 1.6 ms, and eight sectors of skew: at 3.8 ms they have passed. */
static void another_head_takes_a_switch(void **state)
{
    struct disk_drive drive = make();
    (void)state;
    assert_int_equal(disk_drive_serve(&drive, 0, TRACK, 1), 16866567);
}

/* A turn of the first track, to 29,985,007.496; the second one's first sector comes at
 * 31,650,841.246, after the switch. */
static void two_tracks_in_one_request_lose_the_skew_only(void **state)
{
    struct disk_drive drive = make();
    (void)state;
    assert_int_equal(disk_drive_serve(&drive, 0, 0, 2 * TRACK), 46643345);
}

static void what_moves_no_data_leaves_the_arm(void **state)
{
    struct disk_drive drive = make();
    (void)state;
    drive.track = 7;
    assert_int_equal(disk_drive_serve(&drive, 1000, 123456, 0), 2201000);
    assert_int_equal(drive.track, 7);
}

/* A minute is 4002 whole turns. */
static void the_platters_turn_on_for_ever(void **state)
{
    const uint64_t minute_ns = UINT64_C(60000000000);
    struct disk_drive drive = make();
    (void)state;
    assert_int_equal(disk_drive_serve(&drive, 1000000 * minute_ns, 0, 1),
                     1000000 * minute_ns + 15200733);
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
