/* SPDX-License-Identifier: MIT */
#include "run/disk_options.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/decimal.h"
#include "base/vdev.h"
#include "splitdom/tdf.h"

enum { DEPTH_MAX = 512 };

static int take_disk(struct exports_options *options, const char *value, struct why *why)
{
    if (options->disk_count == EXPORTS_MAX)
        return why_fail(why, -EINVAL, "at most %d disks", EXPORTS_MAX);
    if (vdev_parse(value, &options->disks[options->disk_count]) < 0)
        return why_fail(why, -EINVAL, "--disk %s: xvda, xvdb, ... or Xen's number of a disk",
                        value);
    options->disk_count++;
    return 0;
}

static int take_tdf(struct exports_options *options, const char *value, struct why *why)
{
    if (decimal_parse_ratio(value, TDF_TERM_MAX, &options->tdf_num, &options->tdf_den) < 0 ||
        options->tdf_num > options->tdf_den * TDF_LIMIT ||
        options->tdf_den > options->tdf_num * TDF_LIMIT)
        return why_fail(why, -EINVAL, "--tdf %s: 1/%d to %d", value, TDF_LIMIT, TDF_LIMIT);
    return 0;
}

static int take_depth(struct exports_options *options, const char *value, struct why *why)
{
    uint64_t depth;

    if (decimal_parse(value, 1, DEPTH_MAX, &depth) < 0)
        return why_fail(why, -EINVAL, "--depth %s: 1..%d", value, DEPTH_MAX);
    options->depth = (uint32_t)depth;
    return 0;
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

/* The value of argument, if it is that option: behind "=", or the next argument. */
static bool is_option(const char *argument, const char *option, const char **value)
{
    size_t length = strlen(option);

    if (strncmp(argument, option, length) != 0)
        return false;
    if (argument[length] != '\0' && argument[length] != '=')
        return false;
    *value = argument[length] == '=' ? argument + length + 1 : NULL;
    return true;
}

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
        if (!is_option(argv[*at], takers[i].option, &value))
            continue;
        if (value == NULL && *at + 1 == argc)
            return why_fail(why, -EINVAL, "%s needs a value", takers[i].option);
        if (value == NULL)
            value = argv[++*at];
        (*at)++;
        int rc = takers[i].take(options, value, why);
        return rc < 0 ? rc : 1;
    }
    return 0;
}
