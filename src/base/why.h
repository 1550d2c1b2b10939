/* SPDX-License-Identifier: MIT */
/*
 * why: one line for people about a failure: what failed, on what, and what to do about that. The
 * program that ends because of the failure prints the line behind its own name; libraries only
 * write it. Each function that takes a struct why fills it in whenever it fails, and leaves it
 * alone otherwise.
 */
#ifndef SPLITDOM_BASE_WHY_H
#define SPLITDOM_BASE_WHY_H

enum { WHY_SIZE = 1024 }; /* with the NUL; longer lines are cut */

struct why {
    char text[WHY_SIZE];
};

/* Writes the line and returns rc, so that a failure is one statement:
 *     return why_fail(why, -EINVAL, "the queue holds %u reads, not %u", most, asked); */
int why_fail(struct why *why, int rc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with a colon and the system's text for the error -rc behind the line. */
int why_fail_errno(struct why *why, int rc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
