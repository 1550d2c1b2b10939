/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

struct fixture {
    struct json json;
    FILE *out;
    char *text;
    size_t length;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->out = open_memstream(&f->text, &f->length);
    json_start(&f->json, f->out, JSON_COMPACT);
    *state = f;
    return f->out == NULL;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    fclose(f->out);
    free(f->text);
    free(f);
    return 0;
}

static void expect(struct fixture *f, const char *text)
{
    fflush(f->out);
    assert_string_equal(f->text, text);
}

static void objects_and_arrays_nest(void **state)
{
    struct fixture *f = *state;
    struct json *json = &f->json;

    json_object(json, NULL);
    json_u64(json, "a", UINT64_MAX);
    json_array(json, "b");
    json_end(json);
    json_object(json, "c");
    json_array(json, "d");
    json_u64(json, NULL, 0);
    json_bool(json, NULL, true);
    json_object(json, NULL);
    json_end(json);
    json_end(json);
    json_bool(json, "e", false);
    json_end(json);
    json_string(json, "f", "g");
    json_end(json);
    expect(f, "{\"a\":18446744073709551615,\"b\":[],\"c\":{\"d\":[0,true,{}],\"e\":false},"
              "\"f\":\"g\"}");
}

static void lines_are_for_the_members_of_the_outermost_object(void **state)
{
    struct fixture *f = *state;
    struct json *json = &f->json;

    json_start(json, f->out, JSON_LINES);
    json_object(json, NULL);
    json_u64(json, "a", 1);
    json_object(json, "b");
    json_u64(json, "c", 2);
    json_u64(json, "d", 3);
    json_end(json);
    json_end(json);
    expect(f, "{\n  \"a\": 1,\n  \"b\": {\"c\": 2, \"d\": 3}\n}\n");
}

static void numbers_have_the_digits_that_were_asked_for(void **state)
{
    struct fixture *f = *state;
    struct json *json = &f->json;

    json_array(json, NULL);
    json_fixed(json, NULL, 1.0 / 3, 3);
    json_fixed(json, NULL, -2.5, 0);
    json_fixed(json, NULL, 1e20, 1);
    json_end(json);
    expect(f, "[0.333,-2,100000000000000000000.0]");
}

static void what_is_no_number_is_null(void **state)
{
    struct fixture *f = *state;
    struct json *json = &f->json;

    json_array(json, NULL);
    json_fixed(json, NULL, NAN, 1);
    json_fixed(json, NULL, INFINITY, 1);
    json_fixed(json, NULL, -INFINITY, 1);
    json_end(json);
    expect(f, "[null,null,null]");
}

static void strings_keep_to_their_quotes(void **state)
{
    struct fixture *f = *state;

    json_string(&f->json, NULL, "a \"b\\c/\n\t\x01\x1f\x7f");
    expect(f, "\"a \\\"b\\\\c/\\u000a\\u0009\\u0001\\u001f\x7f\"");
}

static void utf_8_stays_and_everything_else_is_replaced(void **state)
{
    static const struct {
        const char *bytes, *text;
    } rows[] = {
        {"\xc3\xa4", "\xc3\xa4"},                             /* two bytes */
        {"\xe2\x82\xac", "\xe2\x82\xac"},                     /* three */
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},             /* four */
        {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},             /* the last there is */
        {"\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"}, /* the one behind it */
        {"\xe4", "\\ufffd"},                                  /* Latin 1 */
        {"\xc3", "\\ufffd"},                                  /* cut off */
        {"\xe2\x82", "\\ufffd\\ufffd"},                       /* cut off */
        {"\xf0\x9f\x98", "\\ufffd\\ufffd\\ufffd"},            /* cut off */
        {"\xc3(", "\\ufffd("},                                /* broken */
        {"\xe2\x82(", "\\ufffd\\ufffd("},                     /* broken */
        {"\x80", "\\ufffd"},                                  /* begins in the middle */
        {"\xc0\xaf", "\\ufffd\\ufffd"},                       /* longer than needed */
        {"\xe0\x80\xaf", "\\ufffd\\ufffd\\ufffd"},            /* likewise */
        {"\xf0\x80\x80\xaf", "\\ufffd\\ufffd\\ufffd\\ufffd"}, /* likewise */
        {"\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"},            /* a surrogate */
        {"\xff\xfe", "\\ufffd\\ufffd"},                       /* never in UTF-8 */
    };
    struct fixture *f = *state;
    char expected[1024] = "[";

    json_array(&f->json, NULL);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_string(&f->json, NULL, rows[i].bytes);
        snprintf(expected + strlen(expected), sizeof(expected) - strlen(expected), "%s\"%s\"",
                 i > 0 ? "," : "", rows[i].text);
    }
    json_end(&f->json);
    strcat(expected, "]");
    expect(f, expected);
}

#define WITH_JSON(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_JSON(objects_and_arrays_nest),
        WITH_JSON(lines_are_for_the_members_of_the_outermost_object),
        WITH_JSON(numbers_have_the_digits_that_were_asked_for),
        WITH_JSON(what_is_no_number_is_null),
        WITH_JSON(strings_keep_to_their_quotes),
        WITH_JSON(utf_8_stays_and_everything_else_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
