/* SPDX-License-Identifier: MIT */
/*
 * xs_number: numbers as nodes carry them, decimal text.
 */
#ifndef SPLITDOM_XENSTORE_XS_NUMBER_H
#define SPLITDOM_XENSTORE_XS_NUMBER_H

#include <stddef.h>
#include <stdint.h>

/* Parses len bytes: 1 to 20 digits and nothing else. Returns 0, -EINVAL, or -ERANGE if the number
 * exceeds max; *out is set on success only. */
int xs_number_parse(const char *text, size_t len, uint64_t max, uint64_t *out);

#endif
