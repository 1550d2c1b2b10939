/* SPDX-License-Identifier: MIT */
/*
 * decimal: strict reading of decimal numbers without sign, as they stand in command lines and in
 * the values of xenstore. No blanks, no 0x, no inf or nan, nothing behind the number but where a
 * function says so.
 *
 * All return 0, or -EINVAL: the text is no such number (or NULL); or -ERANGE: the text is one, but
 * out of range. Results are written on success only.
 */
#ifndef SPLITDOM_BASE_DECIMAL_H
#define SPLITDOM_BASE_DECIMAL_H

#include <stddef.h>
#include <stdint.h>

/* Digits only, within min..max. */
int decimal_parse(const char *text, uint64_t min, uint64_t max, uint64_t *out);

/* The same for `length` bytes, which need no NUL behind them. */
int decimal_parse_bytes(const char *bytes, size_t length, uint64_t min, uint64_t max,
                        uint64_t *out);

/* A number as scanf reads it, and as Linux's xenbus_scanf reads nodes: blanks may stand before it
 * and anything behind it. */
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

/* The same of any size, where something may follow: *end is set behind the number. */
int decimal_scan_real(const char *text, double *out, const char **end);

#endif
