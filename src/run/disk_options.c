/* SPDX-License-Identifier: MIT */
#include "run/disk_options.h"

#include <errno.h>
#include <string.h>

#include "run/verb_option.h"

enum { DEPTH_MAX = 512 };

static int take_disk(struct exports_options *options, const char *value, struct why *why)
{
    if (options->disk_count == EXPORTS_MAX)
        return why_fail(why, -EINVAL, "at most %d disks", EXPORTS_MAX);
    if (export_spec_parse(value, &options->disks[options->disk_count], why) < 0)
        return -EINVAL;
    options->disk_count++;
    return 0;
}

static int take_tdf(struct exports_options *options, const char *value, struct why *why)
{
    return verb_option_tdf(value, &options->tdf_num, &options->tdf_den, why);
}

static int take_depth(struct exports_options *options, const char *value, struct why *why)
{
    uint64_t depth;
    int rc = verb_option_number("--depth", value, 1, DEPTH_MAX, &depth, why);

    if (rc == 0)
        options->depth = (uint32_t)depth;
    return rc;
}

static int take_name(struct exports_options *options, const char *value, struct why *why)
{
    (void)why;
    options->name = value;
    return 0;
}

static int take_rundir(struct exports_options *options, const char *value, struct why *why)
{
    (void)why;
    options->rundir = value;
    return 0;
}

struct taker {
    const char *option;
    int (*take)(struct exports_options *options, const char *value, struct why *why);
};

static const struct taker takers[] = {{"--disk", take_disk},
                                      {"--tdf", take_tdf},
                                      {"--depth", take_depth},
                                      {"--name", take_name},
                                      {"--rundir", take_rundir}};

int disk_options_take(struct exports_options *options, int argc, char **argv, int *at,
                      struct why *why)
{
    const char *value;

    if (strcmp(argv[*at], "--reconnect") == 0) {
        options->reconnect = true;
        (*at)++;
        return 1;
    }
    for (size_t i = 0; i < sizeof(takers) / sizeof(takers[0]); i++) {
        int rc = verb_option_take(takers[i].option, argc, argv, at, &value, why);
        if (rc == 1)
            rc = takers[i].take(options, value, why) < 0 ? -EINVAL : 1;
        if (rc != 0)
            return rc;
    }
    return 0;
}
