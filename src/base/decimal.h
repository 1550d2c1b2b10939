/* SPDX-License-Identifier: MIT */
/*
 * decimal: strict reading of decimal numbers without sign, in command lines and in the values of
 * xenstore. Refused: blanks, 0x, inf, nan, and anything after the number unless a function says
 * so.
 *
 * All return 0; -EINVAL: the text is NULL or no such number; -ERANGE: the number is out of range.
 * Results are written on success only.
 */
#ifndef SPLITDOM_BASE_DECIMAL_H
#define SPLITDOM_BASE_DECIMAL_H

#include <stddef.h>
#include <stdint.h>

/* Digits only, within min..max. */
int decimal_parse(const char *text, uint64_t min, uint64_t max, uint64_t *out);

/* The same for `length` bytes, which need no NUL at their end. */
int decimal_parse_bytes(const char *bytes, size_t length, uint64_t min, uint64_t max,
                        uint64_t *out);

/* A number as scanf reads it, and as Linux's xenbus_scanf reads nodes: blanks before the number
 * and any bytes after it are allowed. */
int decimal_scan_bytes(const char *bytes, size_t length, uint64_t min, uint64_t max, uint64_t *out);

/*
 * "12" or "1.25" as a multiple of 10^-places: with places 3, "1.25" gives 1250. At most `places`
 * (0..19) digits may follow the point, else -ERANGE; at least one stands on each side of it.
 */
int decimal_parse_scaled(const char *text, unsigned places, uint64_t max, uint64_t *out);

/* "10", "2.5" or "1/100" as a fraction in lowest terms, 0 as 0/1. Both terms are at most max. */
int decimal_parse_ratio(const char *text, uint64_t max, uint64_t *num, uint64_t *den);

/* "12", "0.5" or "1e-3", within min..max. At least one digit stands on each side of the point. */
int decimal_parse_real(const char *text, double min, double max, double *out);

/* The same for a number of any size, which other text may follow: *end points behind the number. */
int decimal_scan_real(const char *text, double *out, const char **end);

#endif
