/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "faults/fault_walk.h"
#include "trace/trace_json.h"
#include "trace/trace_set.h"
#include "trace/trace_table.h"

enum { BEGIN_NS = 1000000, END_NS = 9000000, DOMID = 3, DEVID = 51712 };

static int setup(void **state)
{
    struct trace_set *set = calloc(1, sizeof(*set));
    assert_int_equal(trace_set_init(set, 0, 1, BEGIN_NS), 0);
    trace_set_expect(set, DOMID);
    *state = set;
    return 0;
}

static int teardown(void **state)
{
    trace_set_fini(*state);
    free(*state);
    return 0;
}

static const uint64_t miss[TRACE_STAGES] = {100, 200, 210, 300, 400, 500, 600,
                                            700, 800, 900, 950, 960, 970, 1000};

static void add(struct trace_set *set, enum trace_kind kind, uint64_t id, const uint64_t *stages)
{
    struct trace_record record = {.kind = (uint8_t)kind,
                                  .domid = DOMID,
                                  .devid = DEVID,
                                  .id = trace_rank(id) == 0 ? id | 1 << TRACE_RANK_SHIFT : id,
                                  .sector = 7 * id,
                                  .sector_count = 1};
    for (int i = 0; i < TRACE_STAGES; i++) {
        if (stages[i] != 0 && trace_stage_is_front((enum trace_stage)i) == (kind == TRACE_FRONT))
            record.at_ns[i] = BEGIN_NS + stages[i];
    }
    trace_set_add(set, kind == TRACE_FRONT ? DOMID : 0, &record);
}

static void test_halves_become_a_life(void **state)
{
    struct trace_set *set = *state;
    add(set, TRACE_FRONT, 5, miss);
    add(set, TRACE_BACK, 5, miss);
    add(set, TRACE_BACK, 6, miss);
    trace_set_end(set, END_NS);
    assert_int_equal(set->by_state[TRACE_WHOLE], 1);
    assert_int_equal(set->by_state[TRACE_HALF], 1);
    const struct trace_life *life = &set->lives[0];
    assert_int_equal(life->class, TRACE_CLASS_MISS);
    assert_int_equal(life->sector, 35);
    assert_int_equal(trace_life_last(life), TRACE_RETURNED);
    assert_int_equal(trace_life_before(life, TRACE_TAKEN), TRACE_DOORBELL);
}

/* Those that somebody else's larger sample has do not become lives, and are counted. */
static void test_what_was_passed_by_is_counted(void **state)
{
    struct trace_set *set = *state;
    struct trace_record record = {.kind = TRACE_FOUND, .domid = DOMID, .weight = 7};
    record.at_ns[TRACE_SUBMITTED] = record.at_ns[TRACE_RETURNED] = BEGIN_NS + 1;
    record.id = UINT64_C(1) << TRACE_RANK_SHIFT;
    trace_set_add(set, DOMID, &record);
    set->threshold = trace_threshold(1000);
    record.id = UINT64_C(2000) << TRACE_RANK_SHIFT;
    trace_set_add(set, DOMID, &record);
    record.kind = TRACE_FRONT;
    trace_set_add(set, DOMID, &record);
    trace_set_end(set, END_NS);
    assert_int_equal(set->found, 14);
    assert_int_equal(set->asked, 7);
    assert_int_equal(set->told, 1);
    assert_int_equal(set->count, 1);
    assert_int_equal(set->lives[0].class, TRACE_CLASS_FOUND);
    assert_int_equal(set->lives[0].weight, 7);
}

static enum trace_class class_without(struct trace_set *set, const int *absent, int count)
{
    uint64_t stages[TRACE_STAGES];
    memcpy(stages, miss, sizeof(stages));
    for (int i = 0; i < count; i++)
        stages[absent[i]] = 0;
    add(set, TRACE_FRONT, 1, stages);
    add(set, TRACE_BACK, 1, stages);
    trace_set_end(set, END_NS);
    assert_int_equal(set->by_state[TRACE_WHOLE], 1);
    return set->lives[0].class;
}

static void test_a_life_without_disk_is_a_hit(void **state)
{
    const int absent[] = {TRACE_QUEUED, TRACE_PICKED, TRACE_SENT, TRACE_COMPLETED};
    assert_int_equal(class_without(*state, absent, 4), TRACE_CLASS_HIT);
}

static void test_whose_read_somebody_else_sent_has_joined(void **state)
{
    const int absent[] = {TRACE_QUEUED, TRACE_PICKED, TRACE_SENT};
    assert_int_equal(class_without(*state, absent, 3), TRACE_CLASS_JOINED);
}

/* A doorbell that rang after Dom0 had taken the request, a thread that woke before. */
static void test_what_was_no_stage_is_dropped(void **state)
{
    struct trace_set *set = *state;
    uint64_t stages[TRACE_STAGES];
    memcpy(stages, miss, sizeof(stages));
    stages[TRACE_DOORBELL] = 350;
    stages[TRACE_WOKEN] = 940;
    add(set, TRACE_FRONT, 1, stages);
    add(set, TRACE_BACK, 1, stages);
    trace_set_end(set, END_NS);
    assert_int_equal(set->by_state[TRACE_WHOLE], 1);
    assert_int_equal(set->lives[0].at_ns[TRACE_DOORBELL], 0);
    assert_int_equal(set->lives[0].at_ns[TRACE_WOKEN], 0);
}

static void test_times_out_of_order_are_left_out(void **state)
{
    struct trace_set *set = *state;
    uint64_t stages[TRACE_STAGES];
    memcpy(stages, miss, sizeof(stages));
    stages[TRACE_TAKEN_OFF] = 500;
    add(set, TRACE_FRONT, 1, stages);
    add(set, TRACE_BACK, 1, stages);
    memcpy(stages, miss, sizeof(stages));
    stages[TRACE_RETURNED] = END_NS + 1; /* not yet */
    add(set, TRACE_FRONT, 2, stages);
    add(set, TRACE_BACK, 2, stages);
    trace_set_end(set, END_NS);
    assert_int_equal(set->by_state[TRACE_WRONG], 2);
}

static void test_a_domain_tells_of_itself_alone(void **state)
{
    struct trace_set *set = *state;
    struct trace_record record = {
        .kind = TRACE_FRONT, .domid = 9, .id = 1 << TRACE_RANK_SHIFT, .at_ns = {BEGIN_NS + 1}};
    trace_set_add(set, DOMID, &record);
    assert_int_equal(set->lives[0].domid, DOMID);
    record.kind = TRACE_BACK;
    trace_set_add(set, DOMID, &record);
    record.kind = TRACE_CLOCK;
    trace_set_add(set, DOMID, &record);
    record.kind = TRACE_ALONE;
    trace_set_add(set, DOMID, &record);
    record.kind = 200;
    trace_set_add(set, DOMID, &record);
    assert_int_equal(set->nonsense, 4);
    assert_int_equal(set->count, 1);
    assert_int_equal(set->clock_count, 0);
}

static void test_an_id_has_one_life(void **state)
{
    struct trace_set *set = *state;
    add(set, TRACE_BACK, 1, miss);
    add(set, TRACE_BACK, 1, miss);
    assert_int_equal(set->count, 1);
    assert_int_equal(set->nonsense, 1);
}

/* What Dom0 says that has no other half, never a domain: each record is a life, and stands for as
 * many requests as its weight says. */
static void test_half_is_all_of_lives_that_are_alone(void **state)
{
    struct trace_set *set = *state;
    struct trace_record record = {.kind = TRACE_ALONE, .domid = DOMID, .weight = 8};
    record.id = UINT64_C(1) << TRACE_RANK_SHIFT;
    record.at_ns[TRACE_TAKEN] = record.at_ns[TRACE_PUBLISHED] = BEGIN_NS + 1;
    trace_set_add(set, 0, &record);
    record.status = -1;
    trace_set_add(set, 0, &record);
    trace_set_add(set, DOMID, &record);
    assert_int_equal(set->nonsense, 1);
    assert_int_equal(set->asked, 16);
    trace_set_end(set, END_NS);
    assert_int_equal(set->count, 2);
    assert_int_equal(set->by_state[TRACE_WHOLE], 2);
    assert_int_equal(set->lives[0].weight, 8);
    assert_int_equal(set->lives[0].class + set->lives[1].class,
                     TRACE_CLASS_HIT + TRACE_CLASS_OTHER);
}

/* As a domain that has no memory for a trace. */
static void test_of_a_domain_that_writes_nothing_half_is_all(void **state)
{
    struct trace_set *set = *state;
    set->writes[DOMID] = false;
    add(set, TRACE_BACK, 1, miss);
    trace_set_end(set, END_NS);
    assert_int_equal(set->by_state[TRACE_WHOLE], 1);
    assert_int_equal(trace_life_first(&set->lives[0]), TRACE_TAKEN);
}

static void test_what_began_before_is_cut(void **state)
{
    struct trace_set *set = *state;
    set->begin_ns = BEGIN_NS + 150;
    add(set, TRACE_FRONT, 1, miss);
    add(set, TRACE_BACK, 1, miss);
    trace_set_end(set, END_NS);
    assert_int_equal(set->by_state[TRACE_CUT], 1);
}

static void add_clock(struct trace_set *set, uint64_t real_ns, uint64_t domain_ns, uint64_t num)
{
    const struct trace_record record = {
        .kind = TRACE_CLOCK, .domid = DOMID, .at_ns = {real_ns, domain_ns, num, 1}};
    trace_set_add(set, 0, &record);
}

static void test_the_domains_time(void **state)
{
    struct trace_set *set = *state;
    add_clock(set, 2000, 500, 0);
    add_clock(set, 1000, 400, 10);
    add_clock(set, 3000, 500, 2);
    trace_set_end(set, END_NS);
    assert_int_equal(trace_set_domain_ns(set, DOMID, 900),
                     390); /* before the first: as from there */
    assert_int_equal(trace_set_domain_ns(set, DOMID, 1500), 450);
    assert_int_equal(trace_set_domain_ns(set, DOMID, 2900), 500); /* it stands still */
    assert_int_equal(trace_set_domain_ns(set, DOMID, 3200), 600);
    assert_int_equal(trace_set_domain_ns(set, DOMID + 1, 3200), 3200);
}

static void test_takes_the_sample_and_the_domain(void **state)
{
    struct trace_set set;
    (void)state;
    assert_int_equal(trace_set_init(&set, DOMID, 10, BEGIN_NS), 0);
    for (uint64_t id = 0; id < 10000; id++)
        add(&set, TRACE_BACK, id | (1 + 6 * id) << TRACE_RANK_SHIFT, miss);
    assert_true(set.count > 800 && set.count < 1200);
    size_t before = set.count;
    set.domid = DOMID + 1;
    for (uint64_t id = 10000; id < 20000; id++)
        add(&set, TRACE_BACK, id | 1 << TRACE_RANK_SHIFT, miss);
    assert_int_equal(set.count, before);
    trace_set_fini(&set);
}

static char *written(const struct trace_set *set, int (*write)(FILE *, const struct trace_set *))
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    assert_int_equal(write(out, set), 0);
    fclose(out);
    return text;
}

static void test_the_table_has_each_stage(void **state)
{
    struct trace_set *set = *state;
    for (uint64_t id = 1; id <= 3; id++) {
        add(set, TRACE_FRONT, id, miss);
        add(set, TRACE_BACK, id, miss);
    }
    add_clock(set, BEGIN_NS, 0, 10);
    trace_set_end(set, END_NS);
    char *text = written(set, trace_table_write);
    assert_non_null(strstr(text, "\nmisses: 3\n"));
    assert_non_null(strstr(text, "  taken          Dom0         3       0.090       0.090       "
                                 "0.090  10.00 %\n"));
    assert_non_null(strstr(text, "  whole          real         3       0.900"));
    assert_non_null(strstr(text, "  whole          DomU         3       0.090"));
    assert_null(strstr(text, "noticed late"));
    set->lives[0].noticed_ns = 30; /* of the domain's time */
    free(text);
    text = written(set, trace_table_write);
    assert_non_null(strstr(text, "  noticed late   DomU         3       0.000       0.000       "
                                 "0.010\n"));
    assert_non_null(strstr(text, "  whole          DomU         3       0.090       0.090       "
                                 "0.080\n"));
    free(text);
}

/* Whatever domains write: what is written of it is a trace. The strict judge of the format is
 * tests/e2e/trace_check.py. */
static void test_nonsense_makes_no_broken_trace(void **state)
{
    struct trace_set *set = *state;
    struct prng prng;
    prng_init(&prng, 11, 0);
    for (int i = 0; i < 5000; i++) {
        struct trace_record record;
        uint8_t *bytes = (uint8_t *)&record;
        for (size_t k = 0; k < sizeof(record); k++)
            bytes[k] = (uint8_t)prng_next(&prng);
        record.kind = (uint8_t)prng_below(&prng, 6);
        record.id = prng_below(&prng, 64) | UINT64_C(1) << TRACE_RANK_SHIFT;
        record.devid = DEVID;
        for (int k = 0; k < TRACE_STAGES && i % 2 == 0; k++)
            record.at_ns[k] = BEGIN_NS + (uint64_t)k * prng_below(&prng, 3);
        trace_set_add(set, DOMID, &record);
        add(set, TRACE_BACK, record.id, miss);
    }
    trace_set_end(set, END_NS);
    char *text = written(set, trace_json_write);
    size_t length = strlen(text);
    assert_true(length > 2 && text[0] == '{' && text[length - 2] == '}');
    assert_null(strstr(text, "nan"));
    free(text);
    free(written(set, trace_table_write));
}

/* More than there is room for at first, several times over: each half still finds the other. */
static void test_lives_of_any_number_find_their_halves(void **state)
{
    enum { LIVES = 20000 };
    struct trace_set *set = *state;
    for (uint64_t id = 1; id <= LIVES; id++)
        add(set, TRACE_FRONT, id, miss);
    for (uint64_t id = LIVES; id > 0; id--)
        add(set, TRACE_BACK, id, miss);
    trace_set_end(set, END_NS);
    assert_int_equal(set->count, LIVES);
    assert_int_equal(set->by_state[TRACE_WHOLE], LIVES);
    assert_int_equal(set->beyond, 0);
    assert_true(set->room >= LIVES && set->index_size > LIVES);
    for (uint64_t id = 1; id <= LIVES; id++)
        assert_int_equal(set->lives[id - 1].sector, 7 * id);
}

/* More lives than there is room for at first: those that memory is too short for are counted. */
static int fill_and_free(void *arg)
{
    enum { MANY = 9000 };
    struct trace_set set;
    (void)arg;
    int rc = trace_set_init(&set, 0, 1, BEGIN_NS);
    if (rc < 0)
        return rc;
    for (uint64_t id = 0; id < MANY; id++)
        add(&set, TRACE_FRONT, id, miss);
    assert_int_equal(set.count + set.beyond, MANY);
    trace_set_fini(&set);
    return 0;
}

static void test_without_memory_lives_are_counted(void **state)
{
    (void)state;
    assert_true(fault_walk_may_do_without(fill_and_free, NULL) >= 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_halves_become_a_life, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_was_passed_by_is_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_life_without_disk_is_a_hit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_whose_read_somebody_else_sent_has_joined, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_was_no_stage_is_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_times_out_of_order_are_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_domain_tells_of_itself_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_id_has_one_life, setup, teardown),
        cmocka_unit_test_setup_teardown(test_half_is_all_of_lives_that_are_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_of_a_domain_that_writes_nothing_half_is_all, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_began_before_is_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_domains_time, setup, teardown),
        cmocka_unit_test(test_takes_the_sample_and_the_domain),
        cmocka_unit_test_setup_teardown(test_the_table_has_each_stage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nonsense_makes_no_broken_trace, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lives_of_any_number_find_their_halves, setup,
                                        teardown),
        cmocka_unit_test(test_without_memory_lives_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
