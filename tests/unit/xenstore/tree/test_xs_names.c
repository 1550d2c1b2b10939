/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "faults/fault_walk.h"
#include "xenstore/tree/xs_names.h"

enum { COUNT = 3000, TEXT_SIZE = 64 * 1024 };

static struct xs_names *names;

static int setup(void **state)
{
    (void)state;
    names = NULL;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    xs_names_unref(names);
    return 0;
}

/* Name i, created at i + 1. */
static size_t name_of(int i, char name[16])
{
    return (size_t)snprintf(name, 16, "n-%d", i);
}

static void add(struct xs_names **list, int i)
{
    char name[16];
    size_t len = name_of(i, name);
    assert_int_equal(xs_names_add(list, (uint64_t)i + 1, name, len), 0);
}

static void drop(struct xs_names **list, int i)
{
    char name[16];
    size_t len = name_of(i, name);
    assert_int_equal(xs_names_own(list, (uint64_t)i + 1), 0);
    xs_names_remove(list, (uint64_t)i + 1, name, len);
}

/* The listing of the names for which there[] is set. */
static size_t expected(const char *there, char *text)
{
    size_t used = 0;
    for (int i = 0; i < COUNT; i++) {
        if (there[i])
            used += name_of(i, text + used) + 1;
    }
    return used;
}

static void expect(const struct xs_names *list, const char *there)
{
    static char text[TEXT_SIZE], wanted[TEXT_SIZE];
    size_t size = expected(there, wanted);
    assert_int_equal(xs_names_bytes(list), size);
    assert_int_equal(xs_names_list(list, 0, text, sizeof(text)), size);
    assert_memory_equal(text, wanted, size);
}

static void test_an_empty_list(void **state)
{
    (void)state;
    char text[4];
    assert_int_equal(xs_names_bytes(NULL), 0);
    assert_int_equal(xs_names_list(NULL, 0, text, sizeof(text)), 0);
    assert_null(xs_names_ref(NULL));
    add(&names, 0);
    drop(&names, 0);
    assert_null(names);
}

/* Random removals beside a copy that must stay as it was. */
static void test_against_a_model(void **state)
{
    (void)state;
    static char there[COUNT], then[COUNT];
    struct xs_names *snapshot = NULL;
    uint32_t random = 1;
    memset(there, 0, sizeof(there));
    for (int i = 0; i < COUNT; i++) {
        add(&names, i);
        there[i] = 1;
        random = random * 1664525u + 1013904223u;
        int victim = (int)((random >> 8) % (uint32_t)(i + 1));
        if (i % 3 != 0 && there[victim]) {
            drop(&names, victim);
            there[victim] = 0;
        }
        if (i % 500 == 250) {
            xs_names_unref(snapshot);
            snapshot = xs_names_ref(names);
            memcpy(then, there, sizeof(then));
        }
        if (i % 100 == 0)
            expect(names, there);
    }
    expect(names, there);
    expect(snapshot, then);
    for (int i = 0; i < COUNT; i++) {
        if (there[i])
            drop(&names, i);
    }
    assert_null(names);
    expect(snapshot, then);
    xs_names_unref(snapshot);
}

/* A directory is listed in parts, from any byte on, in whole names. */
static void test_listing_in_parts(void **state)
{
    (void)state;
    static char there[COUNT], whole[TEXT_SIZE];
    char part[64];
    memset(there, 1, sizeof(there));
    for (int i = 0; i < COUNT; i++)
        add(&names, i);
    size_t size = expected(there, whole);
    for (size_t offset = 0; offset < size;) {
        size_t n = xs_names_list(names, offset, part, sizeof(part));
        assert_true(n > 0 && part[n - 1] == '\0');
        assert_memory_equal(part, whole + offset, n);
        offset += offset % 7 == 3 && n > 2 ? 2 : n; /* now and then inside a name */
    }
    assert_int_equal(xs_names_list(names, size, part, sizeof(part)), 0);
    assert_int_equal(xs_names_list(names, UINT64_MAX, part, sizeof(part)), 0);
    assert_int_equal(xs_names_list(names, 0, part, 4), 4); /* "n-0" fits exactly */
    assert_int_equal(xs_names_list(names, 0, part, 3), 0);
}

static void test_a_name_longer_than_a_part(void **state)
{
    (void)state;
    static char name[2049], text[4096];
    memset(name, 'n', 2048);
    assert_int_equal(xs_names_add(&names, 1, "a", 1), 0);
    assert_int_equal(xs_names_add(&names, 2, name, 2048), 0);
    assert_int_equal(xs_names_add(&names, 3, "b", 1), 0);
    assert_int_equal(xs_names_list(names, 0, text, sizeof(text)), 2 + 2049 + 2);
    assert_string_equal(text + 2, name);
    assert_string_equal(text + 2 + 2049, "b");
}

static int stop_at_b(void *ctx, const char *name, size_t name_len)
{
    assert_int_equal(strlen(name), name_len);
    ++*(int *)ctx;
    return strcmp(name, "b") == 0 ? 7 : 0;
}

static void test_each(void **state)
{
    (void)state;
    int count = 0;
    assert_int_equal(xs_names_add(&names, 1, "a", 1), 0);
    assert_int_equal(xs_names_add(&names, 2, "b", 1), 0);
    assert_int_equal(xs_names_add(&names, 3, "c", 1), 0);
    assert_int_equal(xs_names_each(names, stop_at_b, &count), 7);
    assert_int_equal(count, 2);
}

static void test_each_of_all(void **state)
{
    (void)state;
    int count = 0;
    assert_int_equal(xs_names_add(&names, 1, "a", 1), 0);
    assert_int_equal(xs_names_add(&names, 2, "c", 1), 0);
    assert_int_equal(xs_names_each(names, stop_at_b, &count), 0);
    assert_int_equal(count, 2);
    assert_int_equal(xs_names_each(NULL, stop_at_b, &count), 0);
}

/* Additions to a list of its own, to a shared one, and copies before removals. */
static int change_lists(void *arg)
{
    struct xs_names *list = NULL, *snapshot = NULL;
    char name[300];
    int rc = 0;
    (void)arg;
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    for (uint64_t i = 1; rc == 0 && i < 20; i++)
        rc = xs_names_add(&list, i, name, sizeof(name) - 1);
    const uint64_t bytes = xs_names_bytes(list);
    if (rc == 0) {
        snapshot = xs_names_ref(list);
        rc = xs_names_own(&list, 3);
    }
    if (rc == 0) {
        xs_names_remove(&list, 3, name, sizeof(name) - 1);
        rc = xs_names_add(&list, 20, name, sizeof(name) - 1);
    }
    if (snapshot != NULL)
        assert_int_equal(xs_names_bytes(snapshot), bytes);
    xs_names_unref(snapshot);
    xs_names_unref(list);
    return rc;
}

static void test_without_memory_no_name_is_added(void **state)
{
    (void)state;
    assert_true(fault_walk(change_lists, NULL) > 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_an_empty_list, setup, teardown),
        cmocka_unit_test_setup_teardown(test_against_a_model, setup, teardown),
        cmocka_unit_test_setup_teardown(test_listing_in_parts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_name_longer_than_a_part, setup, teardown),
        cmocka_unit_test_setup_teardown(test_each, setup, teardown),
        cmocka_unit_test_setup_teardown(test_each_of_all, setup, teardown),
        cmocka_unit_test(test_without_memory_no_name_is_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
