/* SPDX-License-Identifier: MIT */
#include "run/domain_options.h"

#include <errno.h>
#include <string.h>

#include "run/verb_option.h"

int domain_options_take(struct domu_options *domain, int argc, char **argv, int *at,
                        struct why *why)
{
    const char *value;

    if (strcmp(argv[*at], "--reconnect") == 0) {
        domain->reconnect = true;
        (*at)++;
        return 1;
    }
    int rc = verb_option_take("--name", argc, argv, at, &domain->name, why);
    if (rc == 0)
        rc = verb_option_take("--rundir", argc, argv, at, &domain->rundir, why);
    if (rc != 0)
        return rc;
    rc = verb_option_take("--tdf", argc, argv, at, &value, why);
    if (rc == 1 && verb_option_tdf(value, &domain->tdf_num, &domain->tdf_den, why) < 0)
        return -EINVAL;
    return rc;
}
