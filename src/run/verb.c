/* SPDX-License-Identifier: MIT */
#include "run/verb.h"

#include <errno.h>
#include <stdio.h>

int verb_usage(const struct domu_verb *verb, const struct why *why)
{
    fprintf(stderr, "domu: %s\nusage: domu %s %s; see '%s --help'\n", why->text, verb->name,
            verb->arguments, program_invocation_short_name);
    return DOMU_USAGE;
}

int verb_end(int rc, const struct why *why)
{
    if (rc < 0)
        fprintf(stderr, "domu: %s\n", why->text);
    return rc < 0 ? DOMU_FAILED : DOMU_OK;
}
