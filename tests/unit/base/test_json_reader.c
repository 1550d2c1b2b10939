/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json_reader.h"

struct seen {
    uint64_t number;
    double real;
    bool yes;
    char text[8];
    uint64_t sum, items, members;
};

static int take_item(void *ctx, struct json_reader *r)
{
    struct seen *seen = ctx;
    uint64_t number;
    int rc = json_read_u64(r, &number);
    if (rc == 0) {
        seen->sum += number;
        seen->items++;
    }
    return rc;
}

static int take_member(void *ctx, const char *name, struct json_reader *r)
{
    struct seen *seen = ctx;
    seen->members++;
    if (strcmp(name, "number") == 0)
        return json_read_u64(r, &seen->number);
    if (strcmp(name, "real") == 0)
        return json_read_real(r, &seen->real);
    if (strcmp(name, "yes") == 0)
        return json_read_bool(r, &seen->yes);
    if (strcmp(name, "text") == 0)
        return json_read_string(r, seen->text, sizeof(seen->text));
    if (strcmp(name, "items") == 0)
        return json_read_array(r, take_item, seen);
    return json_skip(r);
}

/* From memory that ends with the text: a byte behind that is a sanitizer's finding. */
static int read_bytes(const char *text, size_t bytes, struct seen *seen)
{
    char *copy = malloc(bytes + (bytes == 0));
    struct json_reader reader;
    assert_non_null(copy);
    memcpy(copy, text, bytes);
    *seen = (struct seen){0};
    json_reader_start(&reader, copy, bytes);
    int rc = json_read_object(&reader, take_member, seen);
    free(copy);
    return rc;
}

static int read_text(const char *text, struct seen *seen)
{
    return read_bytes(text, strlen(text), seen);
}

static void values_are_read(void **state)
{
    struct seen seen;
    (void)state;
    assert_int_equal(read_text("{\"number\":18446744073709551615,\"real\":-0.25,\"yes\":true,"
                               "\"text\":\"abc\",\"items\":[1,2,3]}",
                               &seen),
                     0);
    assert_true(seen.number == UINT64_MAX);
    assert_true(seen.real == -0.25);
    assert_true(seen.yes);
    assert_string_equal(seen.text, "abc");
    assert_int_equal(seen.sum, 6);
    assert_int_equal(seen.items, 3);
    assert_int_equal(read_text("{\"items\":[0,0],\"real\":0,\"yes\":false}", &seen), 0);
    assert_int_equal(seen.sum, 0);
    assert_int_equal(seen.items, 2);
    assert_true(seen.real == 0);
    assert_false(seen.yes);
}

static void white_space_is_nothing(void **state)
{
    struct seen seen;
    (void)state;
    assert_int_equal(
        read_text(" {\n\t\"number\" : 7 ,\r\n \"items\" : [ 1 , 2 ] , \"x\" : [ ] }", &seen), 0);
    assert_int_equal(seen.number, 7);
    assert_int_equal(seen.sum, 3);
    assert_int_equal(seen.members, 3);
}

static void what_nobody_asks_for_is_skipped(void **state)
{
    struct seen seen;
    (void)state;
    assert_int_equal(read_text("{\"a\":{\"b\":[{\"c\":\"}]\\\"\"},[],{}],\"number\":1},\"d\":null,"
                               "\"e\":-1.5e3,\"f\":\"\",\"g\":[],\"number\":9}",
                               &seen),
                     0);
    assert_int_equal(seen.number, 9);
    assert_int_equal(seen.members, 6);
}

static void empty_ones_have_no_member(void **state)
{
    struct seen seen;
    (void)state;
    assert_int_equal(read_text("{}", &seen), 0);
    assert_int_equal(seen.members, 0);
    assert_int_equal(read_text("{\"items\":[]}", &seen), 0);
    assert_int_equal(seen.items, 0);
}

static void strings_are_cut_and_unescaped(void **state)
{
    struct seen seen;
    (void)state;
    assert_int_equal(read_text("{\"text\":\"a\\\"b\\\\c\"}", &seen), 0);
    assert_string_equal(seen.text, "a\"b\\c");
    assert_int_equal(read_text("{\"text\":\"\\u00ff\\n.\"}", &seen), 0);
    assert_string_equal(seen.text, "? .");
    assert_int_equal(read_text("{\"text\":\"123456789\",\"number\":4}", &seen), 0);
    assert_string_equal(seen.text, "1234567");
    assert_int_equal(seen.number, 4);
}

static void null_is_no_real_number(void **state)
{
    struct seen seen;
    (void)state;
    assert_int_equal(read_text("{\"real\":null}", &seen), 0);
    assert_true(seen.real == 0.0);
}

static void other_texts_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "[]",
        "{",
        "{\"number\"",
        "{\"number\":}",
        "{\"number\":-1}",
        "{\"number\":1.5}",
        "{\"number\":18446744073709551616}",
        "{\"number\":\"1\"}",
        "{\"number\":1,}",
        "{\"number\":1]",
        "{\"number\" 1}",
        "{number:1}",
        "{\"real\":1x}",
        "{\"real\":}",
        "{\"yes\":1}",
        "{\"yes\":truer}",
        "{\"text\":abc}",
        "{\"items\":{}}",
        "{\"items\":[1 2]}",
        "{\"x\":]}",
        "{\"x\":,}",
        "{\"number\":1111111111111111111111111111111111111111111111111}",
    };
    struct seen seen;
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (read_text(texts[i], &seen) != -EPROTO)
            fail_msg("taken: %s", texts[i]);
    }
}

static void a_text_that_is_cut_is_refused(void **state)
{
    static const char text[] =
        "{\"text\":\"a\\u0041\\n\",\"x\":{\"y\":[\"\\\"\",true,1]},\"items\":"
        "[1,2],\"real\":1.5,\"yes\":false,\"number\":12}";
    struct seen seen;
    (void)state;
    assert_int_equal(read_text(text, &seen), 0);
    for (size_t bytes = 0; bytes < sizeof(text) - 1; bytes++)
        assert_int_equal(read_bytes(text, bytes, &seen), -EPROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_read),
        cmocka_unit_test(white_space_is_nothing),
        cmocka_unit_test(what_nobody_asks_for_is_skipped),
        cmocka_unit_test(empty_ones_have_no_member),
        cmocka_unit_test(strings_are_cut_and_unescaped),
        cmocka_unit_test(null_is_no_real_number),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(a_text_that_is_cut_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
