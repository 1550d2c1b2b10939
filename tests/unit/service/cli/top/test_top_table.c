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

/* Each number in its own column. */
static void each_column_has_its_own_number(void **state)
{
    struct pair *pair = *state;
    static const struct {
        enum top_column column;
        const char *text;
    } cells[] = {{TOP_VBD_OO, "11"},    {TOP_VBD_RD, "12"},    {TOP_VBD_WR, "13"},
                 {TOP_VBD_RSECT, "14"}, {TOP_VBD_WSECT, "15"}, {TOP_RING, "64"},
                 {TOP_FILL, "12.5"},    {TOP_HITS, "16"},      {TOP_W_RING, "3"},
                 {TOP_W_TURN, "18"},    {TOP_W_DISK, "19"},    {TOP_VCPUS, "1"},
                 {TOP_SSID, "0"},       {TOP_VBDS, "2"},       {TOP_DOMID, "2"},
                 {TOP_WEIGHT, "256"},   {TOP_MAXMEM, "400"},   {TOP_MEM, "400"},
                 {TOP_NETS, "0"},       {TOP_P50, "-"},        {TOP_CPU_SEC, "n/a"}};
    struct top_disk disks[3] = {{.devid = 1}, {.devid = 2}, {.devid = 3}};
    pair->later[1].load = (struct top_load){.out_of_room = 11,
                                            .reads = 12,
                                            .writes = 13,
                                            .read_sectors = 14,
                                            .written_sectors = 15,
                                            .reported_hits = 16,
                                            .ring_entries = 64,
                                            .on_ring = 3,
                                            .in_flight = 5,
                                            .wait_for_turn = 18,
                                            .at_disk = 19};
    pair->later[1].weight = 256;
    pair->later[1].pages = 100;
    pair->later[1].first_disk = 1;
    pair->later[1].disk_count = 2;
    pair->now.disks = disks;
    assert_int_equal(top_table_make(&pair->table, &pair->now, NULL), 0);
    for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++)
        assert_string_equal(text(pair, 2, cells[i].column), cells[i].text);
    assert_ptr_equal(pair->table.rows[2].disks, &disks[1]);
    assert_int_equal(pair->table.rows[2].disk_count, 2);
    assert_null(pair->table.rows[1].disks);
    assert_null(pair->table.rows[0].vifs);
    top_table_free(&pair->table);
    assert_null(pair->table.rows);
}

static void dom0s_row_is_of_its_process(void **state)
{
    struct pair *pair = *state;
    pair->before.process = (struct top_process){.visible = true, .cpu_ns = 4ULL * SECOND};
    pair->now.process = (struct top_process){
        .visible = true, .running = true, .cpu_ns = 5ULL * SECOND, .rss_kib = 1234};
    strcpy(pair->now.tdf, "3");
    assert_int_equal(top_table_make(&pair->table, &pair->now, &pair->before), 0);
    assert_string_equal(text(pair, 0, TOP_STATE), "-----r");
    assert_string_equal(text(pair, 0, TOP_CPU_SEC), "5");
    assert_string_equal(text(pair, 0, TOP_CPU_PERCENT), "50.0");
    assert_string_equal(text(pair, 0, TOP_MEM), "1234");
    assert_string_equal(text(pair, 0, TOP_TDF), "3");
    assert_string_equal(text(pair, 0, TOP_VBDS), "0");
    assert_string_equal(text(pair, 0, TOP_RATE), "0");
    static const enum top_column none[] = {TOP_VBD_OO,    TOP_VBD_RD, TOP_VBD_WR, TOP_VBD_RSECT,
                                           TOP_VBD_WSECT, TOP_RING,   TOP_HITS,   TOP_W_RING,
                                           TOP_W_TURN,    TOP_W_DISK};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_string_equal(text(pair, 0, none[i]), "0"); /* it has no disk */
    assert_string_equal(text(pair, 0, TOP_FILL), "0.0");
    assert_string_equal(text(pair, 0, TOP_P50), "-");
    assert_string_equal(text(pair, 0, TOP_WEIGHT), "-");
    assert_string_equal(text(pair, 0, TOP_DOMID), "0");
    assert_string_equal(text(pair, 0, TOP_MAXMEM_PERCENT), "n/a");
    assert_true(pair->table.rows[0].cells[TOP_MEM_PERCENT].value > 0);
    assert_true(pair->table.rows[0].cells[TOP_MEM_PERCENT].value < 100);
    top_table_free(&pair->table);
    assert_int_equal(top_table_make(&pair->table, &pair->now, NULL), 0);
    assert_string_equal(text(pair, 0, TOP_CPU_PERCENT), "0.0"); /* without a past */
    top_table_free(&pair->table);
}

/* E.g. another process with the same number. */
static void time_that_went_backwards_is_none(void **state)
{
    struct pair *pair = *state;
    pair->earlier[0].process.cpu_ns = 4ULL * SECOND;
    assert_int_equal(top_table_make(&pair->table, &pair->now, &pair->before), 0);
    assert_string_equal(text(pair, 1, TOP_CPU_PERCENT), "0.0");
    top_table_free(&pair->table);
    pair->earlier[0].process = (struct top_process){.visible = false, .cpu_ns = 0};
    assert_int_equal(top_table_make(&pair->table, &pair->now, &pair->before), 0);
    assert_string_equal(text(pair, 1, TOP_CPU_PERCENT), "0.0");
    top_table_free(&pair->table);
    pair->before.taken_ns = pair->now.taken_ns; /* no time between */
    assert_int_equal(top_table_make(&pair->table, &pair->now, &pair->before), 0);
    assert_string_equal(text(pair, 1, TOP_RATE), "7");
    assert_string_equal(text(pair, 1, TOP_CPU_PERCENT), "0.0");
    top_table_free(&pair->table);
}

static void a_process_that_dies_is_not_blocked(void **state)
{
    struct pair *pair = *state;
    pair->later[1].process = (struct top_process){.visible = true, .dying = true};
    assert_int_equal(top_table_make(&pair->table, &pair->now, NULL), 0);
    assert_string_equal(text(pair, 2, TOP_STATE), "d-----");
    top_table_free(&pair->table);
}

static void what_is_no_number_is_sorted_behind_all_numbers(void **state)
{
    struct pair *pair = *state;
    pair->later[1].process = (struct top_process){.visible = true};
    assert_int_equal(top_table_make(&pair->table, &pair->now, NULL), 0);
    assert_false(pair->table.rows[0].cells[TOP_CPU_SEC].is_number); /* n/a */
    assert_true(pair->table.rows[2].cells[TOP_CPU_SEC].is_number);
    assert_true(pair->table.rows[2].cells[TOP_CPU_PERCENT].is_number);
    top_table_sort(&pair->table, TOP_CPU_SEC);
    assert_string_equal(text(pair, 0, TOP_NAME), "one");
    assert_string_equal(text(pair, 1, TOP_NAME), "two"); /* 0 seconds */
    assert_string_equal(text(pair, 2, TOP_NAME), "Domain-0");
    top_table_sort(&pair->table, TOP_STATE);
    assert_string_equal(text(pair, 0, TOP_STATE), "------");
    assert_string_equal(text(pair, 1, TOP_STATE), "-----r");
    assert_string_equal(text(pair, 2, TOP_STATE), "--b---");
    top_table_sort(&pair->table, TOP_SSID); /* all alike: by number, however they lay */
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
        cmocka_unit_test_setup(each_column_has_its_own_number, setup),
        cmocka_unit_test_setup(dom0s_row_is_of_its_process, setup),
        cmocka_unit_test_setup(time_that_went_backwards_is_none, setup),
        cmocka_unit_test_setup(a_process_that_dies_is_not_blocked, setup),
        cmocka_unit_test_setup(what_is_no_number_is_sorted_behind_all_numbers, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
