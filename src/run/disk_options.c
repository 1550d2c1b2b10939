/* SPDX-License-Identifier: MIT */
#include "run/disk_options.h"

#include <errno.h>

#include "run/verb_option.h"

enum { DEPTH_MAX = 512 };

static int add_disk(struct exports_options *options, const char *value, struct why *why)
{
    if (options->disk_count == EXPORTS_MAX)
        return why_fail(why, -EINVAL, "at most %d disks", EXPORTS_MAX);
    if (export_spec_parse(value, &options->disks[options->disk_count], why) < 0)
        return -EINVAL;
    options->disk_count++;
    return 1;
}

int disk_options_take(struct exports_options *options, int argc, char **argv, int *at,
                      struct why *why)
{
    const char *value;
    uint64_t depth;
    int rc = verb_option_take("--disk", argc, argv, at, &value, why);
    if (rc != 0)
        return rc < 0 ? rc : add_disk(options, value, why);
    rc = verb_option_take("--depth", argc, argv, at, &value, why);
    if (rc == 0)
        return domain_options_take(&options->domain, argc, argv, at, why);
    if (rc < 0 || verb_option_number("--depth", value, 1, DEPTH_MAX, &depth, why) < 0)
        return -EINVAL;
    options->depth = (uint32_t)depth;
    return 1;
}
