/* SPDX-License-Identifier: MIT */
/*
 * share: a part of a whole, as people write it: 1/10, 0.1, 10%, 1. Above 0 and at most 1; at least
 * 1/1000.
 */
#ifndef SPLITDOM_BASE_SHARE_H
#define SPLITDOM_BASE_SHARE_H

#include <stdint.h>

enum { SHARE_LEAST_DEN = 1000 };

enum { SHARE_TEXT_SIZE = 48 };

/* In lowest terms. -EINVAL: not of that form; -ERANGE: out of range. Written on success only. */
int share_parse(const char *text, uint64_t *num, uint64_t *den);

/* "1/10", or "1". */
void share_format(uint64_t num, uint64_t den, char text[SHARE_TEXT_SIZE]);

#endif
