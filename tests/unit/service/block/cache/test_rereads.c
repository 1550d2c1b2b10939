/* SPDX-License-Identifier: MIT */
/* rereads: writes are kept for a while once what was written is read soon, and only then. */
#include "faults/fault.h"
#include "service/block/cache/rereads.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { CACHE_SECTORS = 8 * 1024 };

static bool keep(struct rereads *r, uint64_t sector)
{
    return rereads_keep(r, CACHE_SECTORS, sector, 8);
}

static uint32_t count_kept(struct rereads *r)
{
    uint32_t kept = 0;
    while (keep(r, 1 << 20 | 8 * 500))
        kept++;
    return kept;
}

static void what_nobody_reads_is_not_kept(void **state)
{
    struct rereads r = {0};
    (void)state;
    rereads_missed(&r, 8); /* before any write */
    for (uint64_t sector = 0; sector < 800; sector += 8) {
        assert_false(keep(&r, sector));
        rereads_missed(&r, 80000 + sector);
    }
    rereads_free(&r);
}

static void a_reread_keeps_the_next_writes(void **state)
{
    struct rereads r = {0};
    (void)state;
    assert_false(keep(&r, 800));
    rereads_missed(&r, 800);
    assert_int_equal(count_kept(&r), REREADS_KEPT_FOR_EACH);
    rereads_missed(&r, 800); /* it was in the cache meanwhile, for all we know */
    assert_int_equal(count_kept(&r), 0);
    rereads_free(&r);
}

static void a_long_write_is_noted_whole(void **state)
{
    struct rereads r = {0};
    (void)state;
    assert_false(rereads_keep(&r, CACHE_SECTORS, 7, 18)); /* 7 to 24: blocks 0 to 3 */
    for (uint64_t sector = 0; sector < 40; sector += 8) {
        rereads_missed(&r, sector);
        assert_int_equal(count_kept(&r), sector < 32 ? REREADS_KEPT_FOR_EACH : 0);
    }
    rereads_free(&r);
}

static void many_rereads_count_for_a_while_only(void **state)
{
    struct rereads r = {0};
    (void)state;
    for (uint64_t sector = 0; sector < 8000; sector += 8)
        assert_false(keep(&r, sector));
    for (uint64_t sector = 0; sector < 8000; sector += 8)
        rereads_missed(&r, sector);
    assert_int_equal(count_kept(&r), REREADS_KEPT_MAX);
    rereads_free(&r);
}

/* What a cache would have given up by then is forgotten. */
static void a_small_caches_notes_are_few(void **state)
{
    struct rereads r = {0};
    uint32_t seen = 0;
    (void)state;
    for (uint64_t sector = 0; sector < 8000; sector += 8)
        assert_false(rereads_keep(&r, 8, sector, 8));
    for (uint64_t sector = 0; sector < 8000; sector += 8) {
        rereads_missed(&r, sector);
        seen += count_kept(&r) > 0;
    }
    assert_in_range(seen, 1, 100);
    rereads_free(&r);
}

static void without_memory_no_write_is_kept(void **state)
{
    struct rereads r = {0};
    (void)state;
    fault_arm_call("calloc", 0, ENOMEM);
    assert_false(keep(&r, 800));
    rereads_missed(&r, 800);
    assert_false(keep(&r, 800));
    fault_disarm();
    assert_false(keep(&r, 800)); /* noted now */
    rereads_missed(&r, 800);
    assert_true(keep(&r, 800));
    rereads_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_nobody_reads_is_not_kept),
        cmocka_unit_test(a_reread_keeps_the_next_writes),
        cmocka_unit_test(a_long_write_is_noted_whole),
        cmocka_unit_test(many_rereads_count_for_a_while_only),
        cmocka_unit_test(a_small_caches_notes_are_few),
        cmocka_unit_test(without_memory_no_write_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
