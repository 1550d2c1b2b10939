/* SPDX-License-Identifier: MIT */
/*
 * json: writes one JSON text (RFC 8259) into a stream, member by member.
 *
 *     json_start(&json, stdout, JSON_COMPACT);
 *     json_object(&json, NULL);
 *     json_u64(&json, "pid", 42);
 *     json_array(&json, "names");
 *     json_string(&json, NULL, "a\"b");
 *     json_end(&json);
 *     json_end(&json);                   {"pid":42,"names":["a\"b"]}
 *
 * The result is valid JSON whatever the strings and numbers are. Names are the program's own text
 * and are written unchanged. A value in an object has a name; a value in an array, and the
 * outermost value, has none (NULL). After a failed write ferror(out) is true. One thread.
 */
#ifndef SPLITDOM_BASE_JSON_H
#define SPLITDOM_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum json_layout {
    JSON_COMPACT, /* no white space */
    JSON_LINES,   /* each member of the outermost object on a line of its own */
};

enum { JSON_DEPTH_MAX = 16 };

/* All private. */
struct json {
    FILE *out;
    enum json_layout layout;
    uint32_t depth;                /* objects and arrays that are open */
    bool is_empty;                 /* the innermost of them has no member yet */
    bool is_array[JSON_DEPTH_MAX]; /* from the outermost on */
};

/* Begins a text; out stays the caller's. */
void json_start(struct json *json, FILE *out, enum json_layout layout);

void json_object(struct json *json, const char *name);
void json_array(struct json *json, const char *name);
/* Closes the innermost object or array. The end of the outermost one ends the text; in the layout
 * JSON_LINES a newline follows. */
void json_end(struct json *json);

/* Quotes, backslashes and control characters are escaped. Bytes that are not UTF-8 are replaced,
 * each by U+FFFD. */
void json_string(struct json *json, const char *name, const char *text);
void json_u64(struct json *json, const char *name, uint64_t value);
/* With `digits` digits after the point. An infinity or a NaN becomes null. */
void json_fixed(struct json *json, const char *name, double value, int digits);
void json_bool(struct json *json, const char *name, bool value);

#endif
