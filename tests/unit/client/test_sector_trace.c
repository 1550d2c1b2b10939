/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/sector_trace.h"
#include "faults/fault_walk.h"

static char path[] = "/tmp/test_sector_trace.XXXXXX";
static struct sector_trace trace;
static struct why why;

static int make_file(void **state)
{
    (void)state;
    strcpy(path + strlen(path) - 6, "XXXXXX");
    int fd = mkstemp(path);
    if (fd >= 0)
        close(fd);
    return fd < 0 ? -1 : 0;
}

static int remove_file(void **state)
{
    (void)state;
    sector_trace_free(&trace);
    return unlink(path);
}

static int load(const char *text)
{
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
    return sector_trace_load(&trace, path, &why);
}

static void numbers_come_in_order(void **state)
{
    (void)state;
    assert_int_equal(load("# a remark\n7\n\n0\n18446744073709551615\n7"), 0);
    assert_int_equal(trace.count, 4);
    assert_int_equal(trace.sectors[0], 7);
    assert_int_equal(trace.sectors[1], 0);
    assert_true(trace.sectors[2] == UINT64_MAX && trace.last == UINT64_MAX);
    assert_int_equal(trace.sectors[3], 7);
}

static void a_long_trace_grows(void **state)
{
    enum { LINES = 5000 };
    FILE *file = fopen(path, "w");
    (void)state;
    for (int i = 0; i < LINES; i++)
        fprintf(file, "%d\n", i * 3);
    fclose(file);
    assert_int_equal(sector_trace_load(&trace, path, &why), 0);
    assert_int_equal(trace.count, LINES);
    for (uint64_t i = 0; i < LINES; i++)
        assert_int_equal(trace.sectors[i], i * 3);
}

static void a_line_that_is_no_number_is_named(void **state)
{
    (void)state;
    assert_int_equal(load("1\n2x\n3\n"), -EINVAL);
    assert_non_null(strstr(why.text, "line 2 is no sector number: '2x'"));
    assert_null(trace.sectors);
    assert_int_equal(load("-1\n"), -EINVAL);
    assert_int_equal(load("18446744073709551616\n"), -EINVAL);
}

static void nothing_to_read_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(load("# nothing\n\n"), -EINVAL);
    assert_non_null(strstr(why.text, "no sector number"));
    assert_int_equal(sector_trace_load(&trace, "/nonexistent/file", &why), -ENOENT);
    assert_non_null(strstr(why.text, "/nonexistent/file"));
    assert_int_equal(sector_trace_load(&trace, "/tmp", &why), -EISDIR);
}

static int load_long(void *arg)
{
    struct sector_trace mine;
    (void)arg;
    why.text[0] = '\0';
    int rc = sector_trace_load(&mine, path, &why);
    assert_true(rc == 0 || why.text[0] != '\0');
    assert_int_equal(rc == 0 ? mine.count : 0, rc == 0 ? 2000 : 0);
    if (rc == 0)
        sector_trace_free(&mine);
    return rc;
}

static void without_memory_there_is_no_trace(void **state)
{
    FILE *file = fopen(path, "w");
    (void)state;
    for (int i = 0; i < 2000; i++)
        fprintf(file, "%d\n", i);
    fclose(file);
    assert_true(fault_walk(load_long, NULL) >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(numbers_come_in_order, make_file, remove_file),
        cmocka_unit_test_setup_teardown(a_long_trace_grows, make_file, remove_file),
        cmocka_unit_test_setup_teardown(a_line_that_is_no_number_is_named, make_file, remove_file),
        cmocka_unit_test_setup_teardown(nothing_to_read_is_an_error, make_file, remove_file),
        cmocka_unit_test_setup_teardown(without_memory_there_is_no_trace, make_file, remove_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
