/* SPDX-License-Identifier: MIT */
/*
 * why: one line for people about a failure: what failed, on what, and what to do about it. A
 * library only writes the line. The program that ends because of the failure prints the line after
 * its own name. A function that takes a struct why fills it in whenever the function fails, and
 * does not change it otherwise.
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

/* The same, followed by a colon and the system's text for the error -rc. */
int why_fail_errno(struct why *why, int rc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
