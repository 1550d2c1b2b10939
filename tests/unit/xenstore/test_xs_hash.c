/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/container_of.h"
#include "xenstore/xs_hash.h"

enum { THINGS = 5000 };

struct thing {
    int number;
    struct xs_hash_link link;
};

struct fixture {
    struct xs_hash table;
    struct thing thing[THINGS];
};

static struct fixture fixture;

static int setup(void **state)
{
    struct fixture *f = *state = &fixture;
    memset(f, 0, sizeof(*f));
    xs_hash_init(&f->table);
    for (int i = 0; i < THINGS; i++)
        f->thing[i].number = i;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(f->table.count, 0);
    xs_hash_clear(&f->table);
    return 0;
}

/* Two things of each hash. */
static uint32_t hash_of(int number)
{
    return (uint32_t)(number / 2) * 2654435761u;
}

static void test_found_whatever_else_is_there(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < THINGS; i++)
        xs_hash_add(&f->table, &f->thing[i].link, hash_of(i));
    for (int i = 0; i < THINGS; i += 2) {
        struct xs_hash_link *newest = xs_hash_first(&f->table, hash_of(i));
        assert_non_null(newest);
        assert_int_equal(container_of(newest, struct thing, link)->number, i + 1);
        struct xs_hash_link *older = xs_hash_next(newest);
        assert_ptr_equal(older, &f->thing[i].link);
        assert_null(xs_hash_next(older));
    }
    assert_null(xs_hash_first(&f->table, 1));
    for (int i = 0; i < THINGS; i++)
        xs_hash_remove(&f->table, &f->thing[i].link);
}

static void test_grows_with_what_is_in_it(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < THINGS; i++)
        xs_hash_add(&f->table, &f->thing[i].link, hash_of(i));
    assert_true(f->table.bucket_count >= THINGS);
    for (int i = THINGS - 1; i >= 0; i--)
        xs_hash_remove(&f->table, &f->thing[i].link);
    assert_null(xs_hash_first(&f->table, hash_of(0)));
}

static void test_a_small_table_takes_no_memory(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 4; i++)
        xs_hash_add(&f->table, &f->thing[i].link, hash_of(i));
    assert_ptr_equal(f->table.bucket, &f->table.only);
    xs_hash_add(&f->table, &f->thing[4].link, hash_of(4));
    assert_ptr_not_equal(f->table.bucket, &f->table.only);
    assert_null(f->table.only);
    for (int i = 0; i < 5; i++)
        xs_hash_remove(&f->table, &f->thing[i].link);
}

static void test_hash_of_a_text(void **state)
{
    (void)state;
    assert_int_equal(xs_hash_text(2166136261u, ""), 2166136261u);
    assert_int_equal(xs_hash_text(2166136261u, "a"), 0xe40c292cu); /* FNV's own test vector */
    assert_int_equal(xs_hash_text(2166136261u, "foobar"), 0xbf9cf968u);
    assert_int_equal(xs_hash_text(xs_hash_byte(7, '/'), "w"), xs_hash_text(7, "/w"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_found_whatever_else_is_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_grows_with_what_is_in_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_small_table_takes_no_memory, setup, teardown),
        cmocka_unit_test(test_hash_of_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
