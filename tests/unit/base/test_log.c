/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "faults/fault.h"

enum { TEXT_MAX = 64 * 1024 };

struct fixture {
    char directory[64];
    char path[96];
    char old[104];
    uint64_t now_ns;
    struct log *log;
    char text[TEXT_MAX];
};

static uint64_t read_clock(void *clock)
{
    return *(uint64_t *)clock;
}

static int open_log(struct fixture *f)
{
    const struct log_options options = {.path = f->path, .now_ns = read_clock, .clock = &f->now_ns};

    return log_open(&options, &f->log);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    snprintf(f->directory, sizeof(f->directory), "/tmp/test_log.XXXXXX");
    if (mkdtemp(f->directory) == NULL)
        return -1;
    snprintf(f->path, sizeof(f->path), "%s/log", f->directory);
    snprintf(f->old, sizeof(f->old), "%s.old", f->path);
    *state = f;
    return open_log(f);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    log_close(f->log);
    unlink(f->path);
    unlink(f->old);
    rmdir(f->directory);
    free(f);
    return 0;
}

static const char *content(struct fixture *f, const char *path)
{
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    f->text[fread(f->text, 1, sizeof(f->text) - 1, file)] = '\0';
    fclose(file);
    return f->text;
}

static int line_count(struct fixture *f)
{
    int count = 0;

    for (const char *p = content(f, f->path); (p = strchr(p, '\n')) != NULL; p++)
        count++;
    return count;
}

static void a_line_has_the_time_in_front(void **state)
{
    struct fixture *f = *state;
    int year, month, day, hour, minute, second, milli, end = 0;

    log_line(f->log, "domain %d is %s", 7, "gone");
    sscanf(content(f, f->path), "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ domain 7 is gone%n", &year, &month,
           &day, &hour, &minute, &second, &milli, &end);
    assert_int_equal(end, 25 + 16);
    assert_string_equal(f->text + end, "\n");
    assert_true(year >= 2024);
}

static void a_program_in_the_foreground_sees_the_lines_too(void **state)
{
    struct fixture *f = *state;
    char seen[64] = "";
    int ends[2], kept = dup(STDERR_FILENO);

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    for (int to_stderr = 0; to_stderr < 2; to_stderr++) {
        const struct log_options options = {.path = f->path,
                                            .to_stderr = to_stderr == 1,
                                            .now_ns = read_clock,
                                            .clock = &f->now_ns};
        log_close(f->log);
        assert_int_equal(log_open(&options, &f->log), 0);
        assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
        log_line(f->log, "line %d", to_stderr);
        assert_int_equal(dup2(kept, STDERR_FILENO), STDERR_FILENO);
    }
    ssize_t count = read(ends[0], seen, sizeof(seen) - 1);
    assert_true(count > 0);
    assert_string_equal(seen, "line 1\n"); /* without the time, and not the first */
    close(ends[0]);
    close(ends[1]);
    close(kept);
}

static void control_characters_cannot_forge_lines(void **state)
{
    struct fixture *f = *state;

    log_line(f->log, "a%sb", "\n2026 forged\x1b[2J\x7f");
    assert_int_equal(line_count(f), 1);
    assert_non_null(strstr(f->text, "a?2026 forged?[2J?b\n"));
}

static void a_long_line_is_cut_but_stays_a_line(void **state)
{
    struct fixture *f = *state;
    char longer[2 * LOG_LINE_MAX];

    memset(longer, 'x', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    log_line(f->log, "%s", longer);
    log_line(f->log, "next");
    assert_int_equal(line_count(f), 2);
    assert_in_range(strchr(f->text, '\n') - f->text, LOG_LINE_MAX - 2, LOG_LINE_MAX - 1);
}

static void a_source_has_an_allowance(void **state)
{
    struct fixture *f = *state;
    struct log_limit noisy = {0}, quiet = {0};

    for (int i = 0; i < 100; i++)
        log_limited(f->log, &noisy, "noise %d", i);
    assert_int_equal(line_count(f), LOG_LIMIT_LINES);
    log_limited(f->log, &quiet, "another source");
    assert_non_null(strstr(content(f, f->path), "another source"));
}

static void the_next_period_tells_what_was_left_out(void **state)
{
    struct fixture *f = *state;
    struct log_limit limit = {0};
    const uint64_t period_ns = UINT64_C(1000000) * LOG_LIMIT_PERIOD_MS;

    f->now_ns = 12345;
    for (int i = 0; i < LOG_LIMIT_LINES + 7; i++)
        log_limited(f->log, &limit, "noise");
    f->now_ns += period_ns - 1;
    log_limited(f->log, &limit, "still too early");
    assert_null(strstr(content(f, f->path), "still too early"));
    f->now_ns += 1;
    log_limited(f->log, &limit, "again");
    assert_non_null(strstr(content(f, f->path), "(8 lines"));
    assert_non_null(strstr(f->text, "again"));
    assert_int_equal(line_count(f), LOG_LIMIT_LINES + 2);
}

static void the_previous_run_is_kept(void **state)
{
    struct fixture *f = *state;
    struct stat st;

    log_line(f->log, "first run");
    log_close(f->log);
    assert_int_equal(open_log(f), 0);
    log_line(f->log, "second run");
    assert_non_null(strstr(content(f, f->old), "first run"));
    assert_null(strstr(content(f, f->path), "first run"));
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_failed_open_says_why(void **state)
{
    const struct log_options options = {.path = "/nonexistent/log"};
    struct log *log;

    (void)state;
    assert_int_equal(log_open(&options, &log), -ENOENT);
    assert_null(log);
    log_close(NULL);
}

/* A device or a pipe is nobody's to rename. */
static void what_is_no_file_stays_where_it_is(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    log_close(f->log);
    f->log = NULL;
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(mkfifo(f->path, 0600), 0);
    int reader = open(f->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(reader >= 0);
    assert_int_equal(open_log(f), 0);
    assert_int_equal(lstat(f->path, &st), 0);
    assert_true(S_ISFIFO(st.st_mode));
    assert_int_equal(access(f->old, F_OK), -1);
    close(reader);
}

static void without_memory_there_is_no_log(void **state)
{
    struct fixture *f = *state;
    struct log *const before = f->log;

    fault_arm_call("calloc", 1, ENOMEM);
    assert_int_equal(open_log(f), -ENOMEM);
    assert_string_equal(fault_disarm(), "calloc");
    assert_null(f->log);
    f->log = before;
    assert_int_equal(access(f->old, F_OK), -1); /* nothing was touched */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_line_has_the_time_in_front, setup, teardown),
        cmocka_unit_test_setup_teardown(a_program_in_the_foreground_sees_the_lines_too, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(control_characters_cannot_forge_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_line_is_cut_but_stays_a_line, setup, teardown),
        cmocka_unit_test_setup_teardown(a_source_has_an_allowance, setup, teardown),
        cmocka_unit_test_setup_teardown(the_next_period_tells_what_was_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown(the_previous_run_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_file_stays_where_it_is, setup, teardown),
        cmocka_unit_test(a_failed_open_says_why),
        cmocka_unit_test_setup_teardown(without_memory_there_is_no_log, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
