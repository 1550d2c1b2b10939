/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "service/cli/top/top_layout.h"

/* As xentop 4.17 prints them. */
static const char xentop_head[] =
    "      NAME  STATE   CPU(sec) CPU(%)     MEM(k) MEM(%)  MAXMEM(k) MAXMEM(%) VCPUS NETS "
    "NETTX(k) "
    "NETRX(k) VBDS   VBD_OO   VBD_RD   VBD_WR  VBD_RSECT  VBD_WSECT SSID";
static const char xentop_row[] =
    "        g1 --b---         93   16.6     131072    5.8     132096       5.9     1    1        "
    "1 "
    "       0    1        0        3        0         24          0    0";
static const char xentop_disk[] = "VBD BlkBack 51712 [ca: 0]  OO:        0   RD:        3   WR:  "
                                  "      0   RSECT:         24   WSECT:          0";

static const char xentop_vif[] = "Net0 RX:        0bytes        0pkts        0err        0drop  "
                                 "TX:     1046bytes       13pkts        0err        1drop";

static void put(struct top_row *row, enum top_column column, const char *text, double value)
{
    struct top_cell *cell = &row->cells[column];
    snprintf(cell->text, sizeof(cell->text), "%s", text);
    cell->value = value;
    cell->is_number = column != TOP_NAME && column != TOP_STATE;
}

static struct top_row xentops_row(void)
{
    static const char *const texts[] = {"g1",  "--b---", "93", "16.6", "131072", "5.8", "132096",
                                        "5.9", "1",      "1",  "1",    "0",      "1",   "0",
                                        "3",   "0",      "24", "0",    "0"};
    struct top_row row = {0};
    for (int i = 0; i <= TOP_SSID; i++)
        put(&row, (enum top_column)i, texts[i], 0);
    return row;
}

static void scripts_get_xentops_columns_first(void **state)
{
    const struct top_layout layout = top_layout_scripts();
    const struct top_row row = xentops_row();
    char line[TOP_LINE_SIZE];
    (void)state;
    top_layout_head(&layout, line);
    assert_memory_equal(line, xentop_head, sizeof(xentop_head) - 1);
    assert_string_equal(line + sizeof(xentop_head) - 1,
                        " DOMID    TDF WEIGHT RING FILL(%)    REQ/S     HITS W_RING W_TURN W_DISK  "
                        " P50(us)   P99(us)");
    top_layout_row(&layout, &row, line);
    assert_memory_equal(line, xentop_row, sizeof(xentop_row) - 1);
}

static void scripts_get_every_digit(void **state)
{
    const struct top_layout layout = top_layout_scripts();
    struct top_row row = xentops_row();
    char line[TOP_LINE_SIZE];
    (void)state;
    put(&row, TOP_VBD_RSECT, "123456789012", 123456789012.0);
    top_layout_row(&layout, &row, line);
    assert_non_null(strstr(line, " 123456789012 "));
}

static void a_disks_line_begins_as_xentops(void **state)
{
    const struct top_layout layout = top_layout_scripts();
    const struct top_disk disk = {
        .devid = 51712, .vdev = "xvda", .image = "/disk", .load = {.reads = 3, .read_sectors = 24}};
    char line[TOP_LINE_SIZE];
    (void)state;
    top_layout_disk(&layout, &disk, line);
    assert_memory_equal(line, xentop_disk, sizeof(xentop_disk) - 1);
}

static void an_interfaces_line_begins_as_xentops(void **state)
{
    const struct top_layout layout = top_layout_scripts();
    const struct top_vif vif = {.tx_bytes = 1046,
                                .tx_frames = 13,
                                .tx_dropped = 1,
                                .name = "vif1.0",
                                .mac = "00:16:3e:00:00:01"};
    char line[TOP_LINE_SIZE];
    (void)state;
    top_layout_vif(&layout, &vif, line);
    assert_memory_equal(line, xentop_vif, sizeof(xentop_vif) - 1);
    assert_string_equal(line + sizeof(xentop_vif) - 1, "  vif1.0 00:16:3e:00:00:01");
}

static void a_terminals_lines_fit(void **state)
{
    const struct top_row row = xentops_row();
    const struct top_disk disk = {.devid = 51712, .vdev = "xvda", .image = "/a/rather/long/path"};
    const struct top_vif vif = {.name = "vif4096.31", .mac = "00:16:3e:00:00:01"};
    char head[TOP_LINE_SIZE], line[TOP_LINE_SIZE];
    (void)state;
    for (int width = 0; width < TOP_LINE_SIZE + 10; width++) {
        for (int skip = 0; skip < TOP_COLUMNS; skip++) {
            const struct top_layout layout = top_layout_terminal(width, skip);
            assert_true(layout.count >= 1);
            assert_int_equal(layout.columns[0], TOP_NAME);
            if (width == 0)
                continue; /* nothing is drawn there */
            top_layout_head(&layout, head);
            assert_true((int)strlen(head) <= width);
            top_layout_row(&layout, &row, line);
            assert_int_equal(strlen(line), strlen(head));
            top_layout_disk(&layout, &disk, line);
            assert_true((int)strlen(line) <= width);
            top_layout_vif(&layout, &vif, line);
            assert_true((int)strlen(line) <= width);
        }
    }
}

static void the_important_ones_come_first(void **state)
{
    struct top_layout layout = top_layout_terminal(80, 0);
    char line[TOP_LINE_SIZE];
    (void)state;
    top_layout_head(&layout, line);
    assert_string_equal(
        line, "      NAME  STATE CPU(%)   VBD_RD   VBD_WR    TDF FILL(%)    REQ/S W_TURN W_DISK");
    assert_int_equal(strlen(line), 80);
    layout = top_layout_terminal(24, 0);
    top_layout_head(&layout, line);
    assert_string_equal(line, "      NAME  STATE CPU(%)");
    layout = top_layout_terminal(23, 0);
    top_layout_head(&layout, line);
    assert_string_equal(line, "      NAME  STATE");
    layout = top_layout_terminal(400, 0);
    assert_int_equal(layout.count, TOP_COLUMNS);
}

static void columns_can_be_left_out(void **state)
{
    const struct top_layout layout = top_layout_terminal(40, TOP_VCPUS - 1);
    char line[TOP_LINE_SIZE];
    (void)state;
    top_layout_head(&layout, line);
    assert_string_equal(line, "      NAME VCPUS NETS NETTX(k) NETRX(k)");
}

static void long_numbers_are_shortened(void **state)
{
    static const struct {
        const char *text, *shorter;
        double value;
    } cases[] = {
        {"12345678", "12345678", 12345678},
        {"123456789", "123457k", 123456789},
        {"1234567890", "1234568k", 1234567890},
        {"999999999999999999", "1000000T", 999999999999999999.0},
    };
    struct top_row row = xentops_row();
    const struct top_layout layout = top_layout_terminal(80, 0);
    char line[TOP_LINE_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        put(&row, TOP_VBD_RD, cases[i].text, cases[i].value);
        top_layout_row(&layout, &row, line);
        assert_int_equal(strlen(line), 80);
        assert_int_equal(line[24], ' '); /* between CPU(%) and VBD_RD */
        if (strstr(line, cases[i].shorter) == NULL)
            fail_msg("no %s in: %s", cases[i].shorter, line);
    }
}

static void a_long_name_is_cut(void **state)
{
    const struct top_layout layout = top_layout_scripts();
    struct top_row row = xentops_row();
    char line[TOP_LINE_SIZE];
    (void)state;
    put(&row, TOP_NAME, "abcdefghijklm", 0);
    top_layout_row(&layout, &row, line);
    assert_memory_equal(line, "abcdefghij --b---", 17);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scripts_get_xentops_columns_first),
        cmocka_unit_test(scripts_get_every_digit),
        cmocka_unit_test(a_disks_line_begins_as_xentops),
        cmocka_unit_test(an_interfaces_line_begins_as_xentops),
        cmocka_unit_test(a_terminals_lines_fit),
        cmocka_unit_test(the_important_ones_come_first),
        cmocka_unit_test(columns_can_be_left_out),
        cmocka_unit_test(long_numbers_are_shortened),
        cmocka_unit_test(a_long_name_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
