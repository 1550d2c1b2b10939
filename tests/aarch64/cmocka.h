/* SPDX-License-Identifier: MIT */
/*
 * cmocka: as much of cmocka as the unit tests use, for machines whose distribution has no cmocka to
 * cross-compile with. Same names, same meaning, same exit status.
 *
 * One header, for programs of one file. tests/aarch64/test_cmocka.c shows that every assertion can
 * fail.
 */
#ifndef SPLITDOM_TESTS_AARCH64_CMOCKA_H
#define SPLITDOM_TESTS_AARCH64_CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void cmocka_test_fn(void **state);
typedef int cmocka_fixture_fn(void **state);

struct CMUnitTest {
    const char *name;
    cmocka_test_fn *test_func;
    cmocka_fixture_fn *setup_func;
    cmocka_fixture_fn *teardown_func;
    void *initial_state;
};

#define cmocka_unit_test(test)                                                                     \
    {                                                                                              \
#test, test, NULL, NULL, NULL                                                              \
    }
#define cmocka_unit_test_setup_teardown(test, setup, teardown)                                     \
    {                                                                                              \
#test, test, setup, teardown, NULL                                                         \
    }
#define cmocka_unit_test_teardown(test, teardown)                                                  \
    {                                                                                              \
#test, test, NULL, teardown, NULL                                                          \
    }
#define cmocka_unit_test_prestate(test, state)                                                     \
    {                                                                                              \
#test, test, NULL, NULL, state                                                             \
    }
#define cmocka_run_group_tests(tests, setup, teardown)                                             \
    cmocka_run(tests, sizeof(tests) / sizeof((tests)[0]), setup, teardown)

enum cmocka_end { CMOCKA_RUNS, CMOCKA_FAILED, CMOCKA_SKIPPED };

/* Where a test that fails or skips goes on: in cmocka_run. */
static jmp_buf cmocka_leave;

#define print_message printf
#define print_error   printf

static inline _Noreturn void cmocka_fail(const char *file, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n%s:%d: error: failure\n", file, line);
    longjmp(cmocka_leave, CMOCKA_FAILED);
}

static inline void cmocka_check(int holds, const char *what, const char *file, int line)
{
    if (!holds)
        cmocka_fail(file, line, "%s", what);
}

static inline void cmocka_check_equal(uintmax_t a, uintmax_t b, int equal, const char *file,
                                      int line)
{
    if ((a == b) != equal)
        cmocka_fail(file, line, "%#jx %s %#jx", a, equal ? "!=" : "==", b);
}

static inline void cmocka_check_range(uintmax_t value, uintmax_t least, uintmax_t most, int inside,
                                      const char *file, int line)
{
    if ((value >= least && value <= most) != inside)
        cmocka_fail(file, line, "%ju is %s %ju-%ju", value, inside ? "not in" : "in", least, most);
}

static inline void cmocka_check_string(const char *a, const char *b, int equal, const char *file,
                                       int line)
{
    if ((strcmp(a, b) == 0) != equal)
        cmocka_fail(file, line, "\"%s\" %s \"%s\"", a, equal ? "!=" : "==", b);
}

static inline void cmocka_check_memory(const void *a, const void *b, size_t bytes, int equal,
                                       const char *file, int line)
{
    if ((memcmp(a, b, bytes) == 0) != equal)
        cmocka_fail(file, line, "%zu bytes are %s", bytes, equal ? "not equal" : "equal");
}

#define CMOCKA_HERE __FILE__, __LINE__

#define assert_true(x)         cmocka_check((x) ? 1 : 0, #x, CMOCKA_HERE)
#define assert_false(x)        cmocka_check((x) ? 0 : 1, "not " #x, CMOCKA_HERE)
#define assert_null(p)         cmocka_check((p) == NULL, #p " is not NULL", CMOCKA_HERE)
#define assert_non_null(p)     cmocka_check((p) != NULL, #p " is NULL", CMOCKA_HERE)
#define assert_int_equal(a, b) cmocka_check_equal((uintmax_t)(a), (uintmax_t)(b), 1, CMOCKA_HERE)
#define assert_int_not_equal(a, b)                                                                 \
    cmocka_check_equal((uintmax_t)(a), (uintmax_t)(b), 0, CMOCKA_HERE)
#define assert_ptr_equal(a, b) cmocka_check_equal((uintptr_t)(a), (uintptr_t)(b), 1, CMOCKA_HERE)
#define assert_ptr_not_equal(a, b)                                                                 \
    cmocka_check_equal((uintptr_t)(a), (uintptr_t)(b), 0, CMOCKA_HERE)
#define assert_string_equal(a, b)        cmocka_check_string(a, b, 1, CMOCKA_HERE)
#define assert_string_not_equal(a, b)    cmocka_check_string(a, b, 0, CMOCKA_HERE)
#define assert_memory_equal(a, b, n)     cmocka_check_memory(a, b, n, 1, CMOCKA_HERE)
#define assert_memory_not_equal(a, b, n) cmocka_check_memory(a, b, n, 0, CMOCKA_HERE)
#define assert_in_range(v, least, most)                                                            \
    cmocka_check_range((uintmax_t)(v), (uintmax_t)(least), (uintmax_t)(most), 1, CMOCKA_HERE)
#define assert_not_in_range(v, least, most)                                                        \
    cmocka_check_range((uintmax_t)(v), (uintmax_t)(least), (uintmax_t)(most), 0, CMOCKA_HERE)
#define fail()        cmocka_fail(CMOCKA_HERE, "fail")
#define fail_msg(...) cmocka_fail(CMOCKA_HERE, __VA_ARGS__)
#define skip()        longjmp(cmocka_leave, CMOCKA_SKIPPED)

/* A test leaves by its end or by longjmp; only what is volatile survives that. */
static inline enum cmocka_end cmocka_run_one(const struct CMUnitTest *test)
{
    void *volatile state = test->initial_state;
    volatile int set_up = 0;
    enum cmocka_end end = (enum cmocka_end)setjmp(cmocka_leave);
    if (end == CMOCKA_RUNS) {
        void *now = state;
        if (test->setup_func != NULL && test->setup_func(&now) != 0)
            return CMOCKA_FAILED;
        state = now;
        set_up = 1;
        test->test_func(&now);
        state = now;
    }
    if (!set_up || test->teardown_func == NULL)
        return end;
    if (setjmp(cmocka_leave) != 0)
        return CMOCKA_FAILED;
    void *now = state;
    return test->teardown_func(&now) != 0 ? CMOCKA_FAILED : end;
}

/* The number of tests that failed. A group's setup and teardown belong to each test where the
 * group's state is a test's. */
static inline int cmocka_run(const struct CMUnitTest *tests, size_t count, cmocka_fixture_fn *setup,
                             cmocka_fixture_fn *teardown)
{
    static const char *const words[] = {"       OK", "  FAILED ", " SKIPPED "};
    int failed = 0, skipped = 0;
    void *group_state = NULL;
    if (setup != NULL && setup(&group_state) != 0)
        return 1;
    for (size_t i = 0; i < count; i++) {
        struct CMUnitTest test = tests[i];
        if (test.initial_state == NULL)
            test.initial_state = group_state;
        printf("[ RUN      ] %s\n", test.name);
        fflush(stdout);
        enum cmocka_end end = cmocka_run_one(&test);
        printf("[%s] %s\n", words[end], test.name);
        failed += end == CMOCKA_FAILED;
        skipped += end == CMOCKA_SKIPPED;
    }
    if (teardown != NULL && teardown(&group_state) != 0)
        failed++;
    printf("[  PASSED  ] %zu test(s).\n", count - (size_t)failed - (size_t)skipped);
    if (skipped > 0)
        printf("[  SKIPPED ] %d test(s).\n", skipped);
    if (failed > 0)
        printf("[  FAILED  ] %d test(s).\n", failed);
    fflush(stdout);
    return failed;
}

#endif
