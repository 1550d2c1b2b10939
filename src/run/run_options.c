/* SPDX-License-Identifier: MIT */
#include "run/run_options.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/decimal.h"
#include "base/share.h"

static int take_tdf(struct run_options *options, const char *value, struct why *why)
{
    if (tdf_parse(value, &options->tdf) == 0 && options->tdf.num != 0)
        return 0;
    return why_fail(why, -EINVAL,
                    "--tdf must be from 1/%d to %d, such as 10, 2.5 or 1/10, not '%s'", TDF_LIMIT,
                    TDF_LIMIT, value);
}

static int take_share(struct run_options *options, const char *value, struct why *why)
{
    if (share_parse(value, &options->share_num, &options->share_den) == 0)
        return 0;
    return why_fail(why, -EINVAL,
                    "--cpu-share must be from 1/%d to 1, such as 1/10, 0.1 or 10%%, not '%s'",
                    SHARE_LEAST_DEN, value);
}

static int take_vif(struct run_options *options, const char *value, struct why *why)
{
    uint64_t devid;
    if (decimal_parse(value, 0, NETFRONT_DEVID_MAX, &devid) < 0)
        return why_fail(why, -EINVAL, "--vif must be a number up to %d, not '%s'",
                        NETFRONT_DEVID_MAX, value);
    options->vif.wanted = true;
    options->vif.devid = (uint32_t)devid;
    return 0;
}

static int take_text(const char **out, const char *name, const char *value, struct why *why)
{
    if (*value == '\0')
        return why_fail(why, -EINVAL, "%s must not be empty", name);
    *out = value;
    return 0;
}

static int apply(struct run_options *options, const char *name, const char *value, struct why *why)
{
    if (strcmp(name, "--tdf") == 0)
        return take_tdf(options, value, why);
    if (strcmp(name, "--cpu-share") == 0)
        return take_share(options, value, why);
    if (strcmp(name, "--vif") == 0)
        return take_vif(options, value, why);
    if (strcmp(name, "--address") == 0)
        return take_text(&options->vif.address, name, value, why);
    if (strcmp(name, "--name") == 0)
        return take_text(&options->name, name, value, why);
    if (strcmp(name, "--service-name") == 0)
        return take_text(&options->service, name, value, why);
    return take_text(&options->rundir, name, value, why);
}

/* The option that the argument names: "--tdf" of "--tdf=10". NULL: none of ours. */
static const char *find(const char *argument)
{
    static const char *const names[] = {"--tdf",  "--cpu-share",    "--vif",   "--address",
                                        "--name", "--service-name", "--rundir"};
    size_t length = strcspn(argument, "=");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strlen(names[i]) == length && strncmp(argument, names[i], length) == 0)
            return names[i];
    }
    return NULL;
}

int run_options_parse(int argc, char **argv, struct run_options *options, struct why *why)
{
    int at = 1, rc = 0;
    *options = (struct run_options){.tdf = {1, 1}};
    for (; rc == 0 && at < argc && argv[at][0] == '-' && strcmp(argv[at], "--") != 0; at++) {
        if (strcmp(argv[at], "--tsc") == 0) {
            options->tsc = true;
            continue;
        }
        const char *name = find(argv[at]), *value = strchr(argv[at], '=');
        if (name == NULL)
            return why_fail(why, -EINVAL, "unknown option '%s'", argv[at]);
        value = value != NULL ? value + 1 : argv[++at];
        if (value == NULL)
            return why_fail(why, -EINVAL, "%s needs a value", name);
        rc = apply(options, name, value, why);
    }
    if (rc < 0)
        return rc;
    at += at < argc && strcmp(argv[at], "--") == 0;
    if (at >= argc)
        return why_fail(why, -EINVAL, "which program is to run?");
    if (options->vif.address != NULL && !options->vif.wanted)
        return why_fail(why, -EINVAL, "--address is one of an interface: --vif N");
    options->program = argv + at;
    return 0;
}
