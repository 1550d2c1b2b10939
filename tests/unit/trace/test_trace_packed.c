/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "base/prng.h"
#include "trace/trace_packed.h"

#define SECOND_NS UINT64_C(1000000000)

static struct trace_record there_and_back(const struct trace_record *record)
{
    struct trace_packed packed;
    struct trace_record back;
    memset(&packed, 0xee, sizeof(packed));
    trace_pack(record, &packed);
    trace_unpack(&packed, &back);
    return back;
}

/* All stages of its half, step_ns from each to the next. */
static struct trace_record life(uint8_t kind, uint64_t step_ns)
{
    struct trace_record record = {.kind = kind,
                                  .operation = 1,
                                  .domid = 65535,
                                  .devid = UINT32_MAX,
                                  .id = UINT64_MAX - 1,
                                  .sector = UINT64_MAX - 2,
                                  .sector_count = UINT32_MAX - 3,
                                  .status = -5,
                                  .weight = 7,
                                  .noticed_ns = UINT32_MAX};
    bool domains = kind == TRACE_FRONT || kind == TRACE_FOUND;
    uint64_t at_ns = 1000 * SECOND_NS;
    for (int i = 0; i < TRACE_STAGES; i++) {
        bool is_dom0s = i >= TRACE_TAKEN && i <= TRACE_PUBLISHED;
        if (is_dom0s != domains)
            record.at_ns[i] = at_ns += step_ns;
    }
    record.thread = domains ? UINT64_C(0x7123456789ab) : 0;
    return record;
}

static void test_a_record_comes_back_whole(void **state)
{
    const uint8_t kinds[] = {TRACE_FRONT, TRACE_BACK, TRACE_FOUND, TRACE_ALONE};
    const uint64_t steps_ns[] = {0, 1, 1000, SECOND_NS / 2};
    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        for (size_t k = 0; k < sizeof(steps_ns) / sizeof(steps_ns[0]); k++) {
            struct trace_record record = life(kinds[i], steps_ns[k]);
            struct trace_record back = there_and_back(&record);
            assert_memory_equal(&back, &record, sizeof(record));
        }
    }
}

static void test_a_stage_that_was_none_stays_none(void **state)
{
    (void)state;
    struct trace_record record = life(TRACE_FRONT, 10);
    record.at_ns[TRACE_DOORBELL] = record.at_ns[TRACE_WOKEN] = 0;
    struct trace_record back = there_and_back(&record);
    assert_memory_equal(&back, &record, sizeof(record));
    /* The thread was awake before the request was there: for another one. */
    record.at_ns[TRACE_WOKEN] = record.at_ns[TRACE_SUBMITTED] - 1;
    back = there_and_back(&record);
    assert_int_equal(back.at_ns[TRACE_WOKEN], 0);
}

/* Each time is at most a unit early, none late, and their order stays. */
static void test_a_long_life_is_told_in_larger_units(void **state)
{
    const uint64_t steps_ns[] = {SECOND_NS, 60 * SECOND_NS, 86400 * SECOND_NS};
    (void)state;
    for (size_t k = 0; k < sizeof(steps_ns) / sizeof(steps_ns[0]); k++) {
        struct trace_record record = life(TRACE_BACK, steps_ns[k] + 1);
        struct trace_record back = there_and_back(&record);
        assert_int_equal(back.kind, TRACE_BACK);
        for (int i = TRACE_TAKEN; i <= TRACE_PUBLISHED; i++) {
            uint64_t early_ns = record.at_ns[i] - back.at_ns[i];
            assert_in_range(early_ns, 0, 7 * steps_ns[k] / (UINT32_MAX / 4));
        }
    }
}

static void test_a_clock_comes_back_whole(void **state)
{
    (void)state;
    const struct trace_record record = {
        .kind = TRACE_CLOCK,
        .domid = 3,
        .at_ns = {UINT64_MAX, 5, UINT64_C(1) << 40, UINT64_MAX - 9}};
    struct trace_record back = there_and_back(&record);
    assert_memory_equal(&back, &record, sizeof(record));
}

/* A domain writes what it likes. */
static void test_anything_is_some_record(void **state)
{
    struct prng prng;
    (void)state;
    prng_init(&prng, 3, 0);
    for (int i = 0; i < 10000; i++) {
        struct trace_packed packed;
        struct trace_record record;
        for (size_t k = 0; k < sizeof(packed); k++)
            ((uint8_t *)&packed)[k] = (uint8_t)prng_next(&prng);
        trace_unpack(&packed, &record);
        assert_in_range(record.kind, 0, TRACE_KINDS_MAX - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_record_comes_back_whole),
        cmocka_unit_test(test_a_stage_that_was_none_stays_none),
        cmocka_unit_test(test_a_long_life_is_told_in_larger_units),
        cmocka_unit_test(test_a_clock_comes_back_whole),
        cmocka_unit_test(test_anything_is_some_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
