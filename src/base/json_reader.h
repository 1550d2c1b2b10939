/* SPDX-License-Identifier: MIT */
/*
 * json_reader: reads one JSON text (RFC 8259) from front to end, without memory of its own.
 *
 *     static int take_member(void *ctx, const char *name, struct json_reader *r)
 *     {
 *         struct thing *thing = ctx;
 *         return strcmp(name, "pid") == 0 ? json_read_u64(r, &thing->pid) : json_skip(r);
 *     }
 *     ...
 *     json_reader_start(&reader, text, bytes);
 *     rc = json_read_object(&reader, take_member, &thing);
 *
 * Of what is skipped only strings and the number of brackets are looked at: skipping is for texts
 * of our own programs. Nothing behind the text's end is ever read. One thread.
 *
 * All return 0, or -EPROTO: the text has something else there; what comes behind that is not read
 * any more.
 */
#ifndef SPLITDOM_BASE_JSON_READER_H
#define SPLITDOM_BASE_JSON_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JSON_NAME_SIZE = 48 }; /* of a member, with its NUL; the rest of a longer one is dropped */

/* Private: what is left. */
struct json_reader {
    const char *at, *end;
};

/* The text outlives the reader, and needs no NUL. */
void json_reader_start(struct json_reader *reader, const char *text, size_t bytes);

/* Calls take for each member or item, which reads exactly that value. An error of take, any below
 * 0, ends the reading and is returned. */
int json_read_object(struct json_reader *reader,
                     int (*take)(void *ctx, const char *name, struct json_reader *reader),
                     void *ctx);
int json_read_array(struct json_reader *reader, int (*take)(void *ctx, struct json_reader *reader),
                    void *ctx);

/* A number without sign, point and exponent. */
int json_read_u64(struct json_reader *reader, uint64_t *out);
/* Any number, or null, which leaves *out alone. */
int json_read_real(struct json_reader *reader, double *out);
int json_read_bool(struct json_reader *reader, bool *out);
/* Cut to size bytes with the NUL. An escape \uXXXX becomes '?'. */
int json_read_string(struct json_reader *reader, char *out, size_t size);
/* A value of any kind. */
int json_skip(struct json_reader *reader);

#endif
