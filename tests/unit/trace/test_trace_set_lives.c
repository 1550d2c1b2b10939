/* SPDX-License-Identifier: MIT */
/* trace_set: what of two records becomes a life, how it is judged, and clocks of several domains.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "trace/trace_set.h"

enum { BEGIN_NS = 1000000, END_NS = 9000000, DOMID = 3, OTHER = 4, DEVID = 51712 };

static struct trace_set set;

static int setup(void **state)
{
    (void)state;
    if (trace_set_init(&set, 0, 1, BEGIN_NS) < 0)
        return -1;
    trace_set_expect(&set, DOMID);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    trace_set_fini(&set);
    return 0;
}

/* Ten nanoseconds between stages. */
static struct trace_record record_of(enum trace_kind kind, uint64_t id)
{
    struct trace_record record = {.kind = (uint8_t)kind,
                                  .domid = DOMID,
                                  .devid = DEVID,
                                  .id = id | UINT64_C(1) << TRACE_RANK_SHIFT,
                                  .sector_count = 1};
    for (int i = 0; i < TRACE_STAGES; i++) {
        if (trace_stage_is_front((enum trace_stage)i) == (kind == TRACE_FRONT))
            record.at_ns[i] = BEGIN_NS + 10 * ((uint64_t)i + 1);
    }
    return record;
}

static void add(const struct trace_record *record)
{
    trace_set_add(&set, record->kind == TRACE_FRONT ? record->domid : 0, record);
}

/* Of one life: both halves, with one time changed. */
static const struct trace_life *life_with(enum trace_stage stage, uint64_t at_ns)
{
    struct trace_record front = record_of(TRACE_FRONT, 1), back = record_of(TRACE_BACK, 1);
    (trace_stage_is_front(stage) ? &front : &back)->at_ns[stage] = at_ns;
    add(&front);
    add(&back);
    trace_set_end(&set, END_NS);
    assert_int_equal(set.count, 1);
    return &set.lives[0];
}

/* What Dom0 has seen of a request counts more than what the domain says; the domain's end is the
 * domain's own. */
static void each_half_tells_of_its_own(void **state)
{
    (void)state;
    struct trace_record front = record_of(TRACE_FRONT, 1), back = record_of(TRACE_BACK, 1);
    front.sector = 1, front.sector_count = 2, front.operation = 9;
    front.status = -5, front.thread = 77, front.weight = 4;
    back.sector = 8, back.sector_count = 16, back.operation = 1;
    back.status = -6, back.thread = 78, back.weight = 5;
    for (int i = 0; i < TRACE_STAGES; i++) { /* what is not theirs to say */
        if (trace_stage_is_front((enum trace_stage)i))
            back.at_ns[i] = 1;
        else
            front.at_ns[i] = 1;
    }
    add(&front);
    add(&back);
    const struct trace_life *life = &set.lives[0];
    assert_int_equal(set.count, 1);
    assert_true(life->sector == 8 && life->sector_count == 16 && life->operation == 1);
    assert_true(life->status == -5 && life->thread == 77 && life->weight == 4);
    for (int i = 0; i < TRACE_STAGES; i++)
        assert_int_equal(life->at_ns[i], BEGIN_NS + 10 * (i + 1));
    assert_int_equal(set.asked, 4);
    assert_int_equal(set.told, 1);
}

static void a_request_stands_for_one_at_least(void **state)
{
    (void)state;
    struct trace_record front = record_of(TRACE_FRONT, 1);
    add(&front);
    assert_int_equal(set.lives[0].weight, 1);
    assert_int_equal(set.asked, 1);
}

static void lives_differ_by_id_and_disk_and_domain(void **state)
{
    (void)state;
    struct trace_record record = record_of(TRACE_BACK, 1);
    add(&record);
    record.id++;
    add(&record);
    record.devid++;
    add(&record);
    record.domid = OTHER;
    add(&record);
    assert_int_equal(set.count, 4);
    assert_int_equal(set.nonsense, 0);
}

static void classes_follow_operation_status_and_stages(void **state)
{
    static const struct {
        uint8_t operation;
        int32_t status;
        enum trace_class class;
    } rows[] = {{0, 0, TRACE_CLASS_MISS},
                {1, 0, TRACE_CLASS_WRITE},
                {2, 0, TRACE_CLASS_OTHER},
                {0, -5, TRACE_CLASS_OTHER},
                {1, -5, TRACE_CLASS_OTHER}};
    (void)state;
    for (uint64_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct trace_record front = record_of(TRACE_FRONT, i), back = record_of(TRACE_BACK, i);
        front.status = rows[i].status;
        back.operation = rows[i].operation;
        front.at_ns[TRACE_SUBMITTED] += i; /* their order at the end */
        add(&front);
        add(&back);
    }
    trace_set_end(&set, END_NS);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(set.lives[i].class, rows[i].class);
}

static void times_may_be_equal_and_the_end_of_the_trace(void **state)
{
    (void)state;
    assert_int_equal(life_with(TRACE_QUEUED, BEGIN_NS + 50)->state, TRACE_WHOLE); /* as judged */
    teardown(NULL);
    setup(NULL);
    assert_int_equal(life_with(TRACE_RETURNED, END_NS)->state, TRACE_WHOLE);
    teardown(NULL);
    setup(NULL);
    assert_int_equal(life_with(TRACE_RETURNED, END_NS + 1)->state, TRACE_WRONG);
    teardown(NULL);
    setup(NULL);
    assert_int_equal(life_with(TRACE_QUEUED, BEGIN_NS + 49)->state, TRACE_WRONG);
}

static void a_life_begins_with_the_trace_or_later(void **state)
{
    (void)state;
    assert_int_equal(life_with(TRACE_SUBMITTED, BEGIN_NS)->state, TRACE_WHOLE);
    teardown(NULL);
    setup(NULL);
    assert_int_equal(life_with(TRACE_SUBMITTED, BEGIN_NS - 1)->state, TRACE_CUT);
}

static void a_life_has_both_ends(void **state)
{
    (void)state;
    assert_int_equal(life_with(TRACE_SUBMITTED, 0)->state, TRACE_WRONG);
    teardown(NULL);
    setup(NULL);
    assert_int_equal(life_with(TRACE_RETURNED, 0)->state, TRACE_WRONG);
    assert_int_equal(trace_life_last(&set.lives[0]), TRACE_TAKEN_OFF);
    assert_int_equal(trace_life_before(&set.lives[0], TRACE_SUBMITTED), TRACE_STAGES);
}

static void a_life_without_any_time_is_wrong(void **state)
{
    (void)state;
    struct trace_record front = record_of(TRACE_FRONT, 1);
    memset(front.at_ns, 0, sizeof(front.at_ns));
    add(&front);
    trace_set_end(&set, END_NS);
    assert_int_equal(set.by_state[TRACE_WRONG], 1);
    assert_int_equal(trace_life_first(&set.lives[0]), TRACE_STAGES);
    assert_int_equal(trace_life_last(&set.lives[0]), TRACE_STAGES);
}

/* A doorbell at the very time, a thread that woke at the very time: these are stages. */
static void stages_at_the_same_time_are_kept(void **state)
{
    (void)state;
    const struct trace_life *life = life_with(TRACE_DOORBELL, BEGIN_NS + 10 * (TRACE_TAKEN + 1));
    assert_int_equal(life->at_ns[TRACE_DOORBELL], life->at_ns[TRACE_TAKEN]);
    assert_int_equal(life->state, TRACE_WHOLE);
    teardown(NULL);
    setup(NULL);
    life = life_with(TRACE_WOKEN, BEGIN_NS + 10 * (TRACE_PUBLISHED + 1));
    assert_int_equal(life->at_ns[TRACE_WOKEN], life->at_ns[TRACE_PUBLISHED]);
    teardown(NULL);
    setup(NULL);
    struct trace_record front = record_of(TRACE_FRONT, 1); /* Dom0 has not told of it */
    add(&front);
    trace_set_end(&set, END_NS);
    assert_int_equal(set.lives[0].at_ns[TRACE_DOORBELL], BEGIN_NS + 10 * (TRACE_DOORBELL + 1));
    assert_int_equal(set.by_state[TRACE_HALF], 1);
}

static void lives_lie_in_the_order_of_their_begins(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 100; i++) {
        struct trace_record front = record_of(TRACE_FRONT, i);
        front.at_ns[TRACE_SUBMITTED] = BEGIN_NS + i * 37 % 100;
        memset(&front.at_ns[1], 0, sizeof(front.at_ns) - sizeof(front.at_ns[0]));
        add(&front);
    }
    trace_set_end(&set, END_NS);
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(set.lives[i].at_ns[TRACE_SUBMITTED], BEGIN_NS + i);
}

/* A domain that writes down nothing has half a life in Dom0's records, and that is all of it. */
static void whose_half_is_all_is_known_by_domain(void **state)
{
    (void)state;
    struct trace_record back = record_of(TRACE_BACK, 1);
    add(&back);
    back.domid = OTHER;
    add(&back);
    trace_set_end(&set, END_NS);
    assert_int_equal(set.by_state[TRACE_HALF], 1);
    assert_int_equal(set.by_state[TRACE_WHOLE], 1);
}

static void a_record_of_nothing_is_nonsense(void **state)
{
    (void)state;
    struct trace_record record = record_of(TRACE_BACK, 1);
    record.kind = TRACE_NOTHING;
    trace_set_add(&set, 0, &record);
    record.kind = TRACE_ALONE + 1;
    trace_set_add(&set, 0, &record);
    record.kind = TRACE_FRONT; /* out of Dom0's memory */
    trace_set_add(&set, 0, &record);
    record.kind = TRACE_FOUND;
    trace_set_add(&set, 0, &record);
    assert_int_equal(set.nonsense, 4);
    assert_int_equal(set.count, 0);
    assert_int_equal(set.told + set.found, 0);
}

static void what_has_no_room_is_counted(void **state)
{
    (void)state;
    struct trace_record front = record_of(TRACE_FRONT, 1), found = record_of(TRACE_FOUND, 2);
    size_t room = set.room;
    set.room = set.count = TRACE_SET_LIVES_MAX;
    add(&front);
    trace_set_add(&set, DOMID, &found);
    assert_int_equal(set.beyond, 2);
    assert_int_equal(set.count, TRACE_SET_LIVES_MAX);
    set.room = room;
    set.count = 0;
}

static void a_found_read_is_a_life_of_its_own(void **state)
{
    (void)state;
    struct trace_record found = record_of(TRACE_FOUND, 5);
    found.thread = 6, found.sector = 7;
    found.at_ns[TRACE_SUBMITTED] = BEGIN_NS + 1;
    found.at_ns[TRACE_RETURNED] = BEGIN_NS + 2;
    trace_set_add(&set, DOMID, &found);
    trace_set_add(&set, DOMID, &found); /* ids of these need not differ */
    trace_set_end(&set, END_NS);
    assert_int_equal(set.by_state[TRACE_WHOLE], 2);
    const struct trace_life *life = &set.lives[1];
    assert_true(life->thread == 6 && life->sector == 7 && life->class == TRACE_CLASS_FOUND);
    for (int i = TRACE_SUBMITTED + 1; i < TRACE_RETURNED; i++)
        assert_int_equal(life->at_ns[i], 0); /* it was nowhere else */
    assert_int_equal(life->at_ns[TRACE_RETURNED], BEGIN_NS + 2);
}

static void add_clock(uint32_t domid, uint64_t real_ns, uint64_t domain_ns, uint64_t num,
                      uint64_t den)
{
    const struct trace_record record = {
        .kind = TRACE_CLOCK, .domid = (uint16_t)domid, .at_ns = {real_ns, domain_ns, num, den}};
    trace_set_add(&set, 0, &record);
}

static void each_domain_has_its_own_clock(void **state)
{
    (void)state;
    for (uint64_t i = 200; i > 0; i--) { /* more than there is room for at first, backwards */
        add_clock(OTHER, 1000 * i, 5000 * i, 1, 5);
        add_clock(DOMID, 1000 * i, 100 * i, 10, 1);
    }
    trace_set_end(&set, END_NS);
    assert_int_equal(set.clock_count, 400);
    assert_int_equal(trace_set_domain_ns(&set, DOMID, 1000), 100);
    assert_int_equal(trace_set_domain_ns(&set, DOMID, 150500), 15050);
    assert_int_equal(trace_set_domain_ns(&set, DOMID, 300000), 30000); /* after the last one */
    assert_int_equal(trace_set_domain_ns(&set, OTHER, 900), 4500);     /* before the first one */
    assert_int_equal(trace_set_domain_ns(&set, OTHER, 150500), 752500);
    assert_int_equal(trace_set_domain_ns(&set, OTHER + 1, 7), 7);
    assert_int_equal(trace_set_domain_ns(&set, DOMID - 1, 7), 7);
}

/* As the domain measures it: by its own clock, until the request was complete. */
static void a_latency_ends_when_the_request_was_complete(void **state)
{
    (void)state;
    struct trace_record front = record_of(TRACE_FRONT, 1), back = record_of(TRACE_BACK, 1);
    uint64_t domain_ns = (front.at_ns[TRACE_RETURNED] - front.at_ns[TRACE_SUBMITTED]) / 2;
    front.noticed_ns = 15;
    back.noticed_ns = 3; /* not Dom0's to say */
    add(&front);
    add(&back);
    front = record_of(TRACE_FRONT, 2), back = record_of(TRACE_BACK, 2);
    front.noticed_ns = UINT32_MAX; /* longer than it took: a lie */
    add(&front);
    add(&back);
    add_clock(DOMID, BEGIN_NS, 0, 2, 1);
    trace_set_end(&set, END_NS);
    assert_int_equal(set.count, 2);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(trace_set_latency_ns(&set, &set.lives[i]),
                         set.lives[i].noticed_ns == 15 ? domain_ns - 15 : 0);
}

#define WITH_SET(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SET(each_half_tells_of_its_own),
        WITH_SET(a_request_stands_for_one_at_least),
        WITH_SET(lives_differ_by_id_and_disk_and_domain),
        WITH_SET(classes_follow_operation_status_and_stages),
        WITH_SET(times_may_be_equal_and_the_end_of_the_trace),
        WITH_SET(a_life_begins_with_the_trace_or_later),
        WITH_SET(a_life_has_both_ends),
        WITH_SET(a_life_without_any_time_is_wrong),
        WITH_SET(stages_at_the_same_time_are_kept),
        WITH_SET(lives_lie_in_the_order_of_their_begins),
        WITH_SET(whose_half_is_all_is_known_by_domain),
        WITH_SET(a_record_of_nothing_is_nonsense),
        WITH_SET(what_has_no_room_is_counted),
        WITH_SET(a_found_read_is_a_life_of_its_own),
        WITH_SET(each_domain_has_its_own_clock),
        WITH_SET(a_latency_ends_when_the_request_was_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
