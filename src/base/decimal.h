/* SPDX-License-Identifier: MIT */
/*
 * decimal: strict reading of unsigned decimal numbers, as they stand in command lines and in the
 * values of xenstore. Digits only: no sign, no blanks, no 0x, nothing behind the number.
 */
#ifndef SPLITDOM_BASE_DECIMAL_H
#define SPLITDOM_BASE_DECIMAL_H

#include <stdint.h>

/*
 * Reads text as a number within min..max into *out, which is untouched on failure.
 * Errors: -EINVAL text is no decimal number (or NULL); -ERANGE it is one, but out of range.
 */
int decimal_parse(const char *text, uint64_t min, uint64_t max, uint64_t *out);

/*
 * Reads "12" or "1.25" as a multiple of 10^-places: with places 3, "1.25" gives 1250. At most
 * `places` (0..9) digits may follow the point, and at least one must stand on each side of it.
 * Errors as decimal_parse; -ERANGE also for too many digits behind the point.
 */
int decimal_parse_scaled(const char *text, unsigned places, uint64_t max, uint64_t *out);

/*
 * Reads a positive ratio: "10", "2.5" or "1/100". Both parts have at most nine digits, so that they
 * can be multiplied. Errors as decimal_parse; zero is out of range.
 */
int decimal_parse_ratio(const char *text, uint64_t *num, uint64_t *den);

#endif
