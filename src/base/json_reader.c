/* SPDX-License-Identifier: MIT */
#include "base/json_reader.h"

#include <errno.h>
#include <string.h>

#include "base/decimal.h"

enum { NUMBER_SIZE = 40 };

void json_reader_start(struct json_reader *reader, const char *text, size_t bytes)
{
    *reader = (struct json_reader){.at = text, .end = text + bytes};
}

/* The next byte that is no white space; NUL at the end. */
static char look(struct json_reader *r)
{
    while (r->at < r->end && memchr(" \t\n\r", *r->at, 4) != NULL)
        r->at++;
    return r->at < r->end ? *r->at : '\0';
}

static int expect(struct json_reader *r, char wanted)
{
    if (look(r) != wanted || r->at == r->end)
        return -EPROTO;
    r->at++;
    return 0;
}

int json_read_string(struct json_reader *r, char *out, size_t size)
{
    size_t used = 0;
    if (expect(r, '"') < 0)
        return -EPROTO;
    while (r->at < r->end && *r->at != '"') {
        char byte = *r->at++;
        if (byte == '\\') {
            if (r->at == r->end)
                return -EPROTO;
            byte = *r->at++;
            if (byte == 'u') {
                if (r->end - r->at < 4)
                    return -EPROTO;
                r->at += 4;
                byte = '?';
            } else if (strchr("\"\\/", byte) == NULL) {
                byte = ' '; /* \n and its relatives */
            }
        }
        if (used + 1 < size)
            out[used++] = byte;
    }
    if (size > 0)
        out[used] = '\0';
    return expect(r, '"');
}

/* After a value: 1 there is another one, 0 the closing bracket was read. */
static int go_on(struct json_reader *r, char close)
{
    if (expect(r, ',') == 0)
        return 1;
    return expect(r, close);
}

int json_read_object(struct json_reader *r,
                     int (*take)(void *ctx, const char *name, struct json_reader *reader),
                     void *ctx)
{
    char name[JSON_NAME_SIZE];
    int rc = expect(r, '{');
    if (rc < 0 || expect(r, '}') == 0)
        return rc;
    do {
        rc = json_read_string(r, name, sizeof(name));
        if (rc == 0)
            rc = expect(r, ':');
        if (rc == 0)
            rc = take(ctx, name, r);
        if (rc >= 0)
            rc = go_on(r, '}');
    } while (rc > 0);
    return rc;
}

int json_read_array(struct json_reader *r, int (*take)(void *ctx, struct json_reader *reader),
                    void *ctx)
{
    int rc = expect(r, '[');
    if (rc < 0 || expect(r, ']') == 0)
        return rc;
    do {
        rc = take(ctx, r);
        if (rc >= 0)
            rc = go_on(r, ']');
    } while (rc > 0);
    return rc;
}

/* The bytes of a number, or of a word such as true. */
static int take_word(struct json_reader *r, char word[NUMBER_SIZE])
{
    size_t length = 0;
    for (char byte = look(r); byte != '\0' && strchr(",]}:\"[{ \t\n\r", byte) == NULL;
         byte = r->at < r->end ? *r->at : '\0') {
        if (length + 1 == NUMBER_SIZE)
            return -EPROTO;
        word[length++] = byte;
        r->at++;
    }
    word[length] = '\0';
    return length > 0 ? 0 : -EPROTO;
}

int json_read_u64(struct json_reader *r, uint64_t *out)
{
    char word[NUMBER_SIZE];
    if (take_word(r, word) < 0 || decimal_parse(word, 0, UINT64_MAX, out) < 0)
        return -EPROTO;
    return 0;
}

int json_read_real(struct json_reader *r, double *out)
{
    char word[NUMBER_SIZE];
    const char *end;
    double value;
    if (take_word(r, word) < 0)
        return -EPROTO;
    if (strcmp(word, "null") == 0)
        return 0;
    bool negative = word[0] == '-';
    if (decimal_scan_real(word + negative, &value, &end) < 0 || *end != '\0')
        return -EPROTO;
    *out = negative ? -value : value;
    return 0;
}

int json_read_bool(struct json_reader *r, bool *out)
{
    char word[NUMBER_SIZE];
    if (take_word(r, word) < 0 || (strcmp(word, "true") != 0 && strcmp(word, "false") != 0))
        return -EPROTO;
    *out = word[0] == 't';
    return 0;
}

int json_skip(struct json_reader *r)
{
    char word[NUMBER_SIZE];
    uint64_t depth = 0;
    do {
        char byte = look(r);
        if (byte == '\0')
            return -EPROTO;
        if (byte == '{' || byte == '[')
            depth++;
        else if ((byte == '}' || byte == ']') && depth-- == 0)
            return -EPROTO;
        if (byte == '"') {
            if (json_read_string(r, NULL, 0) < 0)
                return -EPROTO;
        } else if (strchr("{}[]", byte) != NULL || (depth > 0 && (byte == ',' || byte == ':'))) {
            r->at++;
        } else if (take_word(r, word) < 0) {
            return -EPROTO;
        }
    } while (depth > 0);
    return 0;
}
