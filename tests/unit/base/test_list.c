/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/container_of.h"
#include "base/list.h"

enum { NR_ITEMS = 12 };

struct item {
    int before;
    struct list_node link;
    char name;
};

static void links(struct item *items, const char *names, struct list *list)
{
    for (int i = 0; names[i] != '\0'; i++) {
        items[i].name = names[i];
        list_push_back(list, &items[i].link);
    }
}

/* The names, first to last, and the same backwards. */
static void expect(const struct list *list, const char *names)
{
    char found[NR_ITEMS + 1] = "";
    size_t count = 0;

    for (struct list_node *node = list_first(list); node != NULL; node = list_next(list, node)) {
        assert_true(count < NR_ITEMS);
        found[count++] = container_of(node, struct item, link)->name;
    }
    assert_string_equal(found, names);
    assert_int_equal(list_is_empty(list), count == 0);
    for (const struct list_node *node = list_last(list); node != NULL; node = node->prev) {
        if (node == &list->end)
            break;
        assert_true(count > 0);
        assert_int_equal(container_of(node, const struct item, link)->name, names[--count]);
    }
    assert_int_equal(count, 0);
}

static void test_a_zeroed_list_is_empty(void **state)
{
    struct list list = {0};

    (void)state;
    expect(&list, "");
    assert_null(list_first(&list));
    assert_null(list_last(&list));
    assert_null(list_pop_front(&list));
}

static void test_both_ends_take_nodes(void **state)
{
    struct list list = {0};
    struct item items[4] = {{.name = 'a'}, {.name = 'b'}, {.name = 'c'}, {.name = 'd'}};

    (void)state;
    list_push_front(&list, &items[1].link);
    expect(&list, "b");
    list_push_front(&list, &items[0].link);
    list_push_back(&list, &items[2].link);
    list_push_back(&list, &items[3].link);
    expect(&list, "abcd");
    assert_ptr_equal(list_first(&list), &items[0].link);
    assert_ptr_equal(list_last(&list), &items[3].link);
}

static void test_any_node_can_go_and_come_again(void **state)
{
    struct list list = {0};
    struct item items[4] = {0};

    (void)state;
    links(items, "abcd", &list);
    list_remove(&items[1].link);
    expect(&list, "acd");
    list_remove(&items[0].link);
    list_remove(&items[3].link);
    expect(&list, "c");
    list_remove(&items[2].link);
    expect(&list, "");
    list_push_back(&list, &items[1].link);
    list_push_back(&list, &items[0].link);
    expect(&list, "ba");
}

static void test_a_node_knows_whether_it_is_in_a_list(void **state)
{
    struct list list = {0};
    struct item item = {.name = 'a'};

    (void)state;
    assert_false(list_is_linked(&item.link));
    list_push_back(&list, &item.link);
    assert_true(list_is_linked(&item.link));
    list_drop(&item.link);
    assert_false(list_is_linked(&item.link));
    list_drop(&item.link); /* in none: nothing happens */
    expect(&list, "");
}

static void test_pop_takes_from_the_front(void **state)
{
    struct list list = {0};
    struct item items[3] = {0};

    (void)state;
    links(items, "abc", &list);
    for (int i = 0; i < 3; i++) {
        assert_ptr_equal(list_pop_front(&list), &items[i].link);
        assert_false(list_is_linked(&items[i].link));
    }
    assert_null(list_pop_front(&list));
}

static void test_all_nodes_move_in_their_order(void **state)
{
    struct list from = {0}, to = {0};
    struct item items[3] = {0}, more[3] = {0}, last = {.name = 'x'};

    (void)state;
    list_move_all(&to, &from); /* none */
    expect(&to, "");
    links(items, "abc", &from);
    list_move_all(&to, &from);
    expect(&from, "");
    expect(&to, "abc");
    links(more, "def", &from);
    list_move_all(&to, &from);
    expect(&to, "abcdef");
    list_push_back(&from, &last.link);
    expect(&from, "x");
}

/* Every member of a list may leave during a walk that took the successor first. */
static void test_a_walk_may_empty_the_list(void **state)
{
    struct list list = {0};
    struct item items[5] = {0};
    int seen = 0;

    (void)state;
    links(items, "abcde", &list);
    for (struct list_node *node = list_first(&list), *next; node != NULL; node = next) {
        next = list_next(&list, node);
        list_remove(node);
        seen++;
    }
    assert_int_equal(seen, 5);
    expect(&list, "");
}

/* Any sequence of operations, against an array of names. */
static void test_random_operations_against_an_array(void **state)
{
    struct list list = {0};
    struct item items[NR_ITEMS] = {0};
    char model[NR_ITEMS + 1] = "";
    unsigned seed = 7;

    (void)state;
    for (int i = 0; i < NR_ITEMS; i++)
        items[i].name = (char)('a' + i);
    for (int step = 0; step < 50000; step++) {
        struct item *item = &items[rand_r(&seed) % NR_ITEMS];
        char *at = strchr(model, item->name);
        size_t length = strlen(model);

        if (at != NULL) {
            list_remove(&item->link);
            memmove(at, at + 1, strlen(at));
        } else if (rand_r(&seed) % 2 == 0) {
            list_push_front(&list, &item->link);
            memmove(model + 1, model, length + 1);
            model[0] = item->name;
        } else {
            list_push_back(&list, &item->link);
            model[length] = item->name;
            model[length + 1] = '\0';
        }
        expect(&list, model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_zeroed_list_is_empty),
        cmocka_unit_test(test_both_ends_take_nodes),
        cmocka_unit_test(test_any_node_can_go_and_come_again),
        cmocka_unit_test(test_a_node_knows_whether_it_is_in_a_list),
        cmocka_unit_test(test_pop_takes_from_the_front),
        cmocka_unit_test(test_all_nodes_move_in_their_order),
        cmocka_unit_test(test_a_walk_may_empty_the_list),
        cmocka_unit_test(test_random_operations_against_an_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
