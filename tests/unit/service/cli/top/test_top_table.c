/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "service/cli/top/top_head.h"
#include "service/cli/top/top_table.h"

enum { SECOND = 1000000000 };

/* Two domains a second ago, and now. */
struct pair {
    struct top_domain earlier[2], later[2];
    struct top_sample before, now;
    struct top_table table;
};

static int setup(void **state)
{
    static struct pair pair;
    pair = (struct pair){
        .earlier = {{.domid = 1, .pid = 10, .name = "one", .load = {.requests = 100}},
                    {.domid = 2, .pid = 20, .name = "two", .load = {.requests = 100}}},
        .later = {{.domid = 1,
                   .pid = 10,
                   .name = "one",
                   .pages = 38,
                   .weight = 512,
                   .weight_binds = true,
                   .tdf = "10",
                   .rate_now = 7,
                   .process = {.visible = true, .running = true, .cpu_ns = 3ULL * SECOND},
                   .load = {.requests = 350,
                            .ring_entries = 32,
                            .on_ring = 2,
                            .in_flight = 6,
                            .wait_for_turn = 4,
                            .at_disk = 1,
                            .reads = 5}},
                  {.domid = 2, .pid = 20, .name = "two", .load = {.requests = 100, .reads = 9}}},
    };
    pair.earlier[0].process = (struct top_process){.visible = true, .cpu_ns = 2ULL * SECOND};
    pair.before = (struct top_sample){
        .pid = 5, .taken_ns = SECOND, .domains = pair.earlier, .domain_count = 2};
    pair.now = (struct top_sample){
        .pid = 5, .taken_ns = 3ULL * SECOND, .domains = pair.later, .domain_count = 2};
    *state = &pair;
    return 0;
}

static const char *text(const struct pair *pair, size_t row, enum top_column column)
{
    return pair->table.rows[row].cells[column].text;
}

static void latencies_are_there_where_requests_were_timed(void **state)
{
    struct pair *pair = *state;
    pair->later[0].timed = 3;
    pair->later[0].p50_ns = 12340;
    pair->later[0].p99_ns = 98760;
    assert_int_equal(top_table_make(&pair->table, &pair->now, &pair->before), 0);
    assert_string_equal(text(pair, 0, TOP_P50), "-");
    assert_string_equal(text(pair, 1, TOP_P50), "12.3");
    assert_string_equal(text(pair, 1, TOP_P99), "98.8");
    assert_string_equal(text(pair, 2, TOP_P99), "-");
    top_table_free(&pair->table);
}

static void rates_are_of_the_time_between(void **state)
{
    struct pair *pair = *state;
    assert_int_equal(top_table_make(&pair->table, &pair->now, &pair->before), 0);
    assert_int_equal(pair->table.count, 3);
    assert_string_equal(text(pair, 0, TOP_NAME), "Domain-0");
    assert_string_equal(text(pair, 1, TOP_RATE), "125");
    assert_string_equal(text(pair, 1, TOP_CPU_PERCENT), "50.0");
    assert_string_equal(text(pair, 1, TOP_CPU_SEC), "3");
    assert_string_equal(text(pair, 2, TOP_RATE), "0");
    top_table_free(&pair->table);
}

static void the_first_time_has_dom0s_rate(void **state)
{
    struct pair *pair = *state;
    assert_int_equal(top_table_make(&pair->table, &pair->now, NULL), 0);
    assert_string_equal(text(pair, 1, TOP_RATE), "7");
    assert_string_equal(text(pair, 1, TOP_CPU_PERCENT), "0.0");
    top_table_free(&pair->table);
}

static void a_new_domain_has_no_past(void **state)
{
    struct pair *pair = *state;
    pair->earlier[0].pid = 11; /* another one had the number */
    assert_int_equal(top_table_make(&pair->table, &pair->now, &pair->before), 0);
    assert_string_equal(text(pair, 1, TOP_RATE), "7");
    assert_string_equal(text(pair, 1, TOP_CPU_PERCENT), "0.0");
    top_table_free(&pair->table);
}

static void loads_are_shown(void **state)
{
    struct pair *pair = *state;
    assert_int_equal(top_table_make(&pair->table, &pair->now, NULL), 0);
    assert_string_equal(text(pair, 1, TOP_MEM), "152");
    assert_string_equal(text(pair, 1, TOP_FILL), "25.0");
    assert_string_equal(text(pair, 1, TOP_W_RING), "2");
    assert_string_equal(text(pair, 1, TOP_W_TURN), "4");
    assert_string_equal(text(pair, 1, TOP_W_DISK), "1");
    assert_string_equal(text(pair, 1, TOP_WEIGHT), "512!");
    assert_string_equal(text(pair, 1, TOP_TDF), "10");
    assert_string_equal(text(pair, 2, TOP_FILL), "0.0");
    assert_string_equal(text(pair, 0, TOP_MAXMEM), "no limit");
    top_table_free(&pair->table);
}

static void networks_are_added_up(void **state)
{
    struct pair *pair = *state;
    struct top_vif vifs[] = {{.tx_bytes = 1000, .rx_bytes = 3000},
                             {.tx_bytes = 24, .rx_bytes = 1096},
                             {.tx_bytes = 5 * 1024}};
    pair->now.vifs = vifs;
    pair->now.vif_count = 3;
    pair->later[0].vif_count = 2;
    pair->later[1].first_vif = 2;
    pair->later[1].vif_count = 1;
    assert_int_equal(top_table_make(&pair->table, &pair->now, NULL), 0);
    assert_string_equal(text(pair, 0, TOP_NETS), "0");
    assert_string_equal(text(pair, 1, TOP_NETS), "2");
    assert_string_equal(text(pair, 1, TOP_NETTX), "1");
    assert_string_equal(text(pair, 1, TOP_NETRX), "4");
    assert_string_equal(text(pair, 2, TOP_NETTX), "5");
    assert_ptr_equal(pair->table.rows[2].vifs, &vifs[2]);
    assert_int_equal(pair->table.rows[1].vif_count, 2);
    top_table_free(&pair->table);
}

static void states_are_xentops(void **state)
{
    struct pair *pair = *state;
    pair->later[1].process = (struct top_process){.visible = true};
    pair->later[1].paused = pair->later[1].load.halted = true;
    assert_int_equal(top_table_make(&pair->table, &pair->now, NULL), 0);
    assert_string_equal(text(pair, 0, TOP_STATE), "------");
    assert_string_equal(text(pair, 0, TOP_CPU_PERCENT), "n/a"); /* it is not visible */
    assert_string_equal(text(pair, 1, TOP_STATE), "-----r");
    assert_string_equal(text(pair, 2, TOP_STATE), "--bcp-");
    top_table_free(&pair->table);
}

static void numbers_are_sorted_downwards_and_names_upwards(void **state)
{
    struct pair *pair = *state;
    assert_int_equal(top_table_make(&pair->table, &pair->now, NULL), 0);
    top_table_sort(&pair->table, TOP_VBD_RD);
    assert_string_equal(text(pair, 0, TOP_NAME), "two");
    assert_string_equal(text(pair, 2, TOP_NAME), "Domain-0");
    top_table_sort(&pair->table, TOP_NAME);
    assert_string_equal(text(pair, 0, TOP_NAME), "Domain-0");
    assert_string_equal(text(pair, 2, TOP_NAME), "two");
    top_table_sort(&pair->table, TOP_VBD_OO); /* all alike: by number */
    assert_string_equal(text(pair, 1, TOP_NAME), "one");
    top_table_free(&pair->table);
}

static void the_head_fits_and_tells_hits_of_now(void **state)
{
    struct pair *pair = *state;
    char lines[TOP_HEAD_LINES][TOP_LINE_SIZE];
    pair->before.hits = 100;
    pair->before.misses = 0;
    pair->now.hits = 110;
    pair->now.reported_hits = 20;
    pair->now.misses = 70;
    top_head_write(&pair->now, &pair->before, "12:00:00", 80, lines);
    assert_string_equal(lines[2], "cache hits: 30.0 % now, 65.0 % in all   "
                                  "waiting: ring 2, turn 4, disk 0");
    top_head_write(&pair->now, &pair->before, "12:00:00", 17, lines);
    assert_string_equal(lines[2], "cache hits: 30.0 ");
    assert_int_equal(strlen(lines[0]), 17);
}

static void domains_that_have_ended_are_named(void **state)
{
    struct pair *pair = *state;
    char line[TOP_LINE_SIZE];
    top_head_ended(&pair->now, &pair->before, 80, line);
    assert_string_equal(line, "");
    top_head_ended(&pair->now, NULL, 80, line);
    assert_string_equal(line, "");
    pair->now.domain_count = 1;
    top_head_ended(&pair->now, &pair->before, 80, line);
    assert_string_equal(line, "ended: two (2)");
    pair->later[0].pid = 11;
    top_head_ended(&pair->now, &pair->before, 80, line);
    assert_string_equal(line, "ended: one (1), two (2)");
    top_head_ended(&pair->now, &pair->before, 9, line);
    assert_string_equal(line, "ended: on");
}

/* By which a row is found again when it has moved. */
static void rows_know_their_domains(void **state)
{
    struct pair *pair = *state;
    assert_int_equal(top_table_make(&pair->table, &pair->now, NULL), 0);
    assert_int_equal(pair->table.count, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(pair->table.rows[i].domid, i);
    top_table_free(&pair->table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(rates_are_of_the_time_between, setup),
        cmocka_unit_test_setup(the_first_time_has_dom0s_rate, setup),
        cmocka_unit_test_setup(a_new_domain_has_no_past, setup),
        cmocka_unit_test_setup(loads_are_shown, setup),
        cmocka_unit_test_setup(networks_are_added_up, setup),
        cmocka_unit_test_setup(states_are_xentops, setup),
        cmocka_unit_test_setup(numbers_are_sorted_downwards_and_names_upwards, setup),
        cmocka_unit_test_setup(the_head_fits_and_tells_hits_of_now, setup),
        cmocka_unit_test_setup(domains_that_have_ended_are_named, setup),
        cmocka_unit_test_setup(latencies_are_there_where_requests_were_timed, setup),
        cmocka_unit_test_setup(rows_know_their_domains, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
