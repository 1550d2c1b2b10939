/* SPDX-License-Identifier: MIT */
#include "base/json.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stddef.h>

void json_start(struct json *json, FILE *out, enum json_layout layout)
{
    *json = (struct json){.out = out, .layout = layout, .is_empty = true};
}

static bool in_array(const struct json *json)
{
    return json->depth > 0 && json->is_array[json->depth - 1];
}

/* What stands before a value: separator and name. */
static void begin_value(struct json *json, const char *name)
{
    bool lines = json->layout == JSON_LINES;

    assert((name != NULL) == (json->depth > 0 && !in_array(json)));
    assert(json->depth > 0 || json->is_empty); /* one outermost value */
    if (!json->is_empty)
        fputc(',', json->out);
    if (lines && json->depth == 1)
        fputs("\n  ", json->out);
    else if (lines && !json->is_empty)
        fputc(' ', json->out);
    if (name != NULL)
        fprintf(json->out, lines ? "\"%s\": " : "\"%s\":", name);
    json->is_empty = false;
}

static void open_value(struct json *json, const char *name, bool is_array)
{
    begin_value(json, name);
    assert(json->depth < JSON_DEPTH_MAX);
    fputc(is_array ? '[' : '{', json->out);
    json->is_array[json->depth++] = is_array;
    json->is_empty = true;
}

void json_object(struct json *json, const char *name)
{
    open_value(json, name, false);
}

void json_array(struct json *json, const char *name)
{
    open_value(json, name, true);
}

void json_end(struct json *json)
{
    assert(json->depth > 0);
    bool is_array = in_array(json);

    json->depth--;
    json->is_empty = false;
    if (json->layout == JSON_LINES && json->depth == 0)
        fputc('\n', json->out);
    fputc(is_array ? ']' : '}', json->out);
    if (json->layout == JSON_LINES && json->depth == 0)
        fputc('\n', json->out);
}

static bool continues(unsigned char byte)
{
    return (byte & 0xc0) == 0x80;
}

/*
 * Length of the UTF-8 sequence at text, which ends with a NUL; 0: there is none. Overlong forms,
 * surrogates and numbers above U+10FFFF are not UTF-8 (RFC 3629).
 */
static size_t sequence_length(const unsigned char *text)
{
    unsigned char first = text[0], second = first == 0 ? 0 : text[1];

    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4 || !continues(second))
        return 0;
    if (first < 0xe0)
        return 2;
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second >= 0xa0) ||
        (first == 0xf0 && second < 0x90) || (first == 0xf4 && second >= 0x90))
        return 0;
    if (!continues(text[2]))
        return 0;
    if (first < 0xf0)
        return 3;
    return continues(text[3]) ? 4 : 0;
}

void json_string(struct json *json, const char *name, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;

    begin_value(json, name);
    fputc('"', json->out);
    while (*at != '\0') {
        size_t length = sequence_length(at);

        if (length == 0)
            fputs("\\ufffd", json->out);
        else if (*at == '"' || *at == '\\')
            fprintf(json->out, "\\%c", *at);
        else if (*at < 0x20)
            fprintf(json->out, "\\u%04x", *at);
        else
            fwrite(at, 1, length, json->out);
        at += length > 0 ? length : 1;
    }
    fputc('"', json->out);
}

void json_u64(struct json *json, const char *name, uint64_t value)
{
    begin_value(json, name);
    fprintf(json->out, "%" PRIu64, value);
}

void json_fixed(struct json *json, const char *name, double value, int digits)
{
    begin_value(json, name);
    if (isfinite(value))
        fprintf(json->out, "%.*f", digits, value);
    else
        fputs("null", json->out);
}

void json_bool(struct json *json, const char *name, bool value)
{
    begin_value(json, name);
    fputs(value ? "true" : "false", json->out);
}
