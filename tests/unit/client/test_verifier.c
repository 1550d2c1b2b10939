/* SPDX-License-Identifier: MIT */
/* verifier: what a read may find after which writes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/verifier.h"
#include "faults/fault_walk.h"

enum { LAST = 9999, SEED = 42, BYTES = VERIFIER_SECTOR_BYTES };

static struct verifier *verifier;
static uint8_t first[2 * BYTES], second[2 * BYTES], third[2 * BYTES];
static struct verifier_mismatch mismatch;

static int setup(void **state)
{
    (void)state;
    mismatch = (struct verifier_mismatch){.sector = 0};
    return verifier_create(LAST, SEED, &verifier);
}

static int teardown(void **state)
{
    (void)state;
    verifier_free(verifier);
    return 0;
}

static void begin_write(uint64_t sector, uint32_t count, void *data)
{
    assert_int_equal(verifier_begin_write(verifier, sector, count, data), 0);
}

static void write_done(uint64_t sector, uint32_t count, void *data)
{
    begin_write(sector, count, data);
    verifier_end_write(verifier, sector, count, true);
}

/* A read that begins now and finds data. */
static int finds(uint64_t sector, const void *data)
{
    struct verifier_before floor;
    verifier_begin_read(verifier, sector, 1, &floor);
    return verifier_end_read(verifier, sector, 1, &floor, data, &mismatch);
}

static void assert_wrong(uint64_t sector, const void *data, const char *text)
{
    assert_int_equal(finds(sector, data), -EILSEQ);
    assert_int_equal(mismatch.sector, sector);
    if (strstr(mismatch.text, text) == NULL)
        fail_msg("'%s' does not say '%s'", mismatch.text, text);
}

static void the_last_write_is_what_must_be_there(void **state)
{
    (void)state;
    static const uint8_t zeros[BYTES];
    write_done(7, 2, first);
    assert_int_equal(finds(7, first), 0);
    assert_int_equal(finds(8, first + BYTES), 0);
    write_done(7, 1, second);
    assert_int_equal(finds(7, second), 0);
    assert_wrong(7, first, "an older write");
    assert_wrong(7, zeros, "no pattern");
    assert_int_equal(finds(8, first + BYTES), 0);
}

static void a_sector_of_another_place_is_recognised(void **state)
{
    (void)state;
    write_done(7, 2, first);
    assert_wrong(7, first + BYTES, "another sector");
    assert_wrong(100, first, "another sector"); /* of which nothing else is known */
}

static void any_byte_that_is_wrong_is_noticed(void **state)
{
    (void)state;
    write_done(7, 1, first);
    for (uint32_t i = 0; i < BYTES; i++) {
        first[i] ^= 0x10;
        assert_int_equal(finds(7, first), -EILSEQ);
        first[i] ^= 0x10;
    }
    write_done(7, 1, second);
    memcpy(first + BYTES / 2, second + BYTES / 2, BYTES / 2);
    assert_wrong(7, first, "torn");
}

static void while_a_write_is_under_way_nothing_is_judged(void **state)
{
    (void)state;
    write_done(7, 1, first);
    begin_write(7, 1, second);
    assert_int_equal(finds(7, first), 0);
    assert_int_equal(finds(7, second), 0);
    assert_int_equal(finds(7, third), 0); /* a part of both, for example */
    verifier_end_write(verifier, 7, 1, true);
    assert_int_equal(finds(7, second), 0);
    assert_int_equal(finds(7, first), -EILSEQ);
}

/* What counts is what was answered when the read began. */
static void a_read_that_began_before_may_find_what_was_there_then(void **state)
{
    (void)state;
    struct verifier_before floor;
    write_done(7, 1, first);
    verifier_begin_read(verifier, 7, 1, &floor);
    write_done(7, 1, second);
    assert_int_equal(verifier_end_read(verifier, 7, 1, &floor, first, &mismatch), 0);
    assert_int_equal(verifier_end_read(verifier, 7, 1, &floor, second, &mismatch), 0);
}

static void of_writes_under_way_together_any_may_be_the_last(void **state)
{
    (void)state;
    write_done(7, 1, first);
    begin_write(7, 1, second);
    begin_write(7, 1, third);
    verifier_end_write(verifier, 7, 1, true);
    assert_int_equal(finds(7, first), 0); /* the other one is not answered: which is it? */
    verifier_end_write(verifier, 7, 1, true);
    assert_int_equal(finds(7, second), 0);
    assert_int_equal(finds(7, third), 0);
    assert_wrong(7, first, "an older write");
    write_done(7, 1, first);
    assert_int_equal(finds(7, third), -EILSEQ);
}

static void a_write_that_failed_may_be_there_or_not(void **state)
{
    (void)state;
    write_done(7, 1, first);
    begin_write(7, 1, second);
    verifier_end_write(verifier, 7, 1, false);
    assert_int_equal(finds(7, first), 0);
    assert_int_equal(finds(7, second), 0);
    write_done(7, 1, third);
    assert_int_equal(finds(7, second), -EILSEQ);
}

static void what_another_run_has_left_is_not_ours(void **state)
{
    (void)state;
    struct verifier *other;
    assert_int_equal(verifier_create(LAST, SEED + 1, &other), 0);
    assert_int_equal(verifier_begin_write(other, 7, 1, first), 0);
    verifier_free(other);
    assert_int_equal(finds(7, first), 0); /* before we write there */
    write_done(7, 1, second);
    assert_wrong(7, first, "another run");
}

static void the_sectors_written_can_be_listed(void **state)
{
    (void)state;
    uint64_t at = 0;
    assert_int_equal(verifier_written(verifier, 0, 64, &at), 0);
    write_done(10, 2, first);
    write_done(12, 1, first);
    write_done(LAST, 1, first);
    assert_int_equal(verifier_written(verifier, 0, 64, &at), 3);
    assert_int_equal(at, 10);
    assert_int_equal(verifier_written(verifier, 0, 2, &at), 2);
    assert_int_equal(verifier_written(verifier, 11, 64, &at), 2);
    assert_int_equal(at, 11);
    assert_int_equal(verifier_written(verifier, 13, 64, &at), 1);
    assert_int_equal(at, LAST);
    assert_int_equal(verifier_written(verifier, LAST + 1, 64, &at), 0);
}

/* All of its sectors, and the first wrong one is named. */
static void a_read_of_several_sectors_is_judged_by_each(void **state)
{
    enum { COUNT = 2 };
    struct verifier_before before[COUNT];
    uint8_t data[COUNT * BYTES];
    (void)state;
    write_done(20, 2, first);
    verifier_begin_read(verifier, 20, COUNT, before);
    assert_int_equal(verifier_end_read(verifier, 20, COUNT, before, first, &mismatch), 0);
    memcpy(data, first, sizeof(data));
    memset(data + BYTES, 0, BYTES);
    verifier_begin_read(verifier, 20, COUNT, before);
    assert_int_equal(verifier_end_read(verifier, 20, COUNT, before, data, &mismatch), -EILSEQ);
    assert_int_equal(mismatch.sector, 21);
    memcpy(data, first, BYTES);
    memcpy(data + BYTES, first, BYTES); /* the first one twice */
    verifier_begin_read(verifier, 20, COUNT, before);
    assert_int_equal(verifier_end_read(verifier, 20, COUNT, before, data, &mismatch), -EILSEQ);
    assert_int_equal(mismatch.sector, 21);
}

/* What is known lies in pieces of 4096 sectors: no write and no run ends with one. */
static void a_write_may_lie_in_any_place(void **state)
{
    static uint8_t data[64 * BYTES];
    struct verifier_before before[64];
    uint64_t at = 0;
    (void)state;
    write_done(4094, 4, data);
    assert_int_equal(verifier_written(verifier, 0, 64, &at), 4);
    assert_int_equal(at, 4094);
    verifier_begin_read(verifier, 4094, 4, before);
    for (int i = 0; i < 4; i++)
        assert_true(before[i].floor == 1 && before[i].newest == 1 && !before[i].busy);
    assert_int_equal(verifier_end_read(verifier, 4094, 4, before, data, &mismatch), 0);
    write_done(LAST - 63, 64, data);
    assert_int_equal(verifier_written(verifier, 4098, 64, &at), 64);
    assert_int_equal(at, LAST - 63);
    verifier_begin_read(verifier, LAST - 63, 64, before);
    assert_int_equal(verifier_end_read(verifier, LAST - 63, 64, before, data, &mismatch), 0);
    data[63 * BYTES + 511] ^= 1; /* the last byte of all */
    assert_int_equal(verifier_end_read(verifier, LAST - 63, 64, before, data, &mismatch), -EILSEQ);
    assert_int_equal(mismatch.sector, LAST);
    write_done(0, 1, data);
    assert_int_equal(verifier_written(verifier, 0, 64, &at), 1);
    assert_int_equal(at, 0);
}

static void what_is_wrong_is_told_with_the_writes(void **state)
{
    (void)state;
    write_done(5, 1, first);
    write_done(5, 1, second);
    assert_int_equal(finds(5, first), -EILSEQ);
    assert_string_equal(mismatch.text, "an older write (sector 5, write 1); expected write 2..2");
    memset(third, 0, sizeof(third));
    assert_int_equal(finds(5, third), -EILSEQ);
    assert_string_equal(mismatch.text, "no pattern (sector 0, write 0); expected write 2..2");
}

/* Two under way, of which the first to end does not settle what is there. */
static void a_sector_is_busy_until_its_last_write_has_ended(void **state)
{
    struct verifier_before before;
    (void)state;
    begin_write(9, 1, first);
    begin_write(9, 1, second);
    verifier_end_write(verifier, 9, 1, true);
    verifier_begin_read(verifier, 9, 1, &before);
    assert_true(before.busy && before.floor == 0 && before.newest == 2);
    verifier_end_write(verifier, 9, 1, true);
    verifier_begin_read(verifier, 9, 1, &before);
    assert_true(!before.busy && before.floor == 1 && before.newest == 2);
}

static int verify_a_write(void *arg)
{
    struct verifier *mine;
    (void)arg;
    int rc = verifier_create(LAST, SEED, &mine);
    assert_true((rc < 0) == (mine == NULL));
    if (rc == 0 && (rc = verifier_begin_write(mine, 4095, 2, first)) == 0)
        verifier_end_write(mine, 4095, 2, true);
    verifier_free(mine);
    return rc;
}

static void without_memory_nothing_is_verified(void **state)
{
    (void)state;
    assert_true(fault_walk(verify_a_write, NULL) >= 3);
}

int main(void)
{
#define VERIFIER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        VERIFIER_TEST(the_last_write_is_what_must_be_there),
        VERIFIER_TEST(a_sector_of_another_place_is_recognised),
        VERIFIER_TEST(any_byte_that_is_wrong_is_noticed),
        VERIFIER_TEST(while_a_write_is_under_way_nothing_is_judged),
        VERIFIER_TEST(a_read_that_began_before_may_find_what_was_there_then),
        VERIFIER_TEST(of_writes_under_way_together_any_may_be_the_last),
        VERIFIER_TEST(a_write_that_failed_may_be_there_or_not),
        VERIFIER_TEST(what_another_run_has_left_is_not_ours),
        VERIFIER_TEST(the_sectors_written_can_be_listed),
        VERIFIER_TEST(a_read_of_several_sectors_is_judged_by_each),
        VERIFIER_TEST(a_write_may_lie_in_any_place),
        VERIFIER_TEST(what_is_wrong_is_told_with_the_writes),
        VERIFIER_TEST(a_sector_is_busy_until_its_last_write_has_ended),
        cmocka_unit_test(without_memory_nothing_is_verified),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
