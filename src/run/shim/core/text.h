/* SPDX-License-Identifier: MIT */
/*
 * text: strings without a libc.
 */
#ifndef SPLITDOM_RUN_SHIM_CORE_TEXT_H
#define SPLITDOM_RUN_SHIM_CORE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

size_t text_length(const char *text);
bool text_begins(const char *text, const char *with);
const char *text_base_name(const char *path);

/* Appends at `at`, which has room, and returns the new end, a zero byte. */
char *text_append(char *at, const char *text);
char *text_append_number(char *at, uint64_t number);

/* The number at *text, which moves behind it and behind one character more; "-1" is -1. */
int64_t text_number(const char **text);

/* One line to standard error: "domu run: SUBJECT: WHY". */
void text_complain(const char *subject, const char *why);

#endif
