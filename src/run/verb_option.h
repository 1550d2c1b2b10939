/* SPDX-License-Identifier: MIT */
/*
 * verb_option: one argument of a verb, "--option value" or "--option=value".
 */
#ifndef SPLITDOM_RUN_VERB_OPTION_H
#define SPLITDOM_RUN_VERB_OPTION_H

#include <stdint.h>

#include "base/why.h"

/*
 * Is argv[*at] this option? Then *value is its value, which is not copied, and *at moves behind it.
 * Returns 1; 0: it is another one; -EINVAL with the line in why: its value is missing.
 */
int verb_option_take(const char *option, int argc, char **argv, int *at, const char **value,
                     struct why *why);

/* Values. Errors: -EINVAL, with the line in why. */
int verb_option_number(const char *option, const char *value, uint64_t min, uint64_t max,
                       uint64_t *out, struct why *why);
int verb_option_tdf(const char *value, uint64_t *num, uint64_t *den, struct why *why);

#endif
