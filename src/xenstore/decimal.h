/* SPDX-License-Identifier: MIT */
/*
 * decimal: strict reading of unsigned decimal numbers, as they stand in command lines and in the
 * values of xenstore. Digits only: no sign, no blanks, no 0x, nothing behind the number.
 */
#ifndef SPLITDOM_XENSTORE_DECIMAL_H
#define SPLITDOM_XENSTORE_DECIMAL_H

#include <stdint.h>

/*
 * Reads text as a number within min..max into *out, which is untouched on failure.
 * Errors: -EINVAL text is no decimal number (or NULL); -ERANGE it is one, but out of range.
 */
int decimal_parse(const char *text, uint64_t min, uint64_t max, uint64_t *out);

#endif
