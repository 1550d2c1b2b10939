/* SPDX-License-Identifier: MIT */
#include "service/cli/service_options.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/decimal.h"
#include "service/block/cache/cache.h"
#include "service/block/sched.h"
#include "service/dom0/placement.h"
#include "splitdom/tdf.h"

enum {
    DOMID_MAX = 0x7fef, /* DOMID_FIRST_RESERVED - 1 */
    IDLE_TIMEOUT_S_MAX = 1000000000,
};

static const struct {
    const char *name;
    enum service_verb verb;
    int operand_count;
    const char *operands; /* for people */
} verbs[] = {
    {"start", SERVICE_START, 0, "no arguments"},
    {"stop", SERVICE_STOP, 0, "no arguments"},
    {"status", SERVICE_STATUS, 0, "no arguments"},
    {"env", SERVICE_ENV, 0, "no arguments"},
    {"list", SERVICE_LIST, 0, "no arguments"},
    {"set", SERVICE_SET, 3, "three arguments: DOMID KEY VALUE"},
    {"pause", SERVICE_PAUSE, 1, "one argument: DOMID"},
    {"unpause", SERVICE_UNPAUSE, 1, "one argument: DOMID"},
    {"shutdown", SERVICE_SHUTDOWN, 1, "one argument: DOMID"},
    {"resize", SERVICE_RESIZE, 0, "no arguments"},
};

enum option_id {
    OPTION_NAME = 256, /* of every verb, as far as OPTION_VERSION */
    OPTION_RUNDIR,
    OPTION_HELP,
    OPTION_VERSION,
    OPTION_JSON,  /* of status */
    OPTION_IMAGE, /* of start, from here on */
    OPTION_ENGINE,
    OPTION_MODEL,
    OPTION_CACHE_PERCENT,
    OPTION_CACHE_BYTES,
    OPTION_CACHE_POLICY,
    OPTION_IDLE_TIMEOUT,
    OPTION_TDF,
    OPTION_DISK_SCALE,
    OPTION_CPU,
    OPTION_DEPTH,
    OPTION_DEPTH_ISOLATED,
    OPTION_MAX_DOMAINS,
    OPTION_MAX_PAGES,
    OPTION_MAX_RING_PAGE_ORDER,
    OPTION_SHARED_CACHE,
    OPTION_NO_SPIN,
    OPTION_FOREGROUND,
};

static const struct option long_options[] = {
    {"name", required_argument, NULL, OPTION_NAME},
    {"rundir", required_argument, NULL, OPTION_RUNDIR},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"json", no_argument, NULL, OPTION_JSON},
    {"image", required_argument, NULL, OPTION_IMAGE},
    {"engine", required_argument, NULL, OPTION_ENGINE},
    {"model", required_argument, NULL, OPTION_MODEL},
    {"cache-percent", required_argument, NULL, OPTION_CACHE_PERCENT},
    {"cache-bytes", required_argument, NULL, OPTION_CACHE_BYTES},
    {"cache-policy", required_argument, NULL, OPTION_CACHE_POLICY},
    {"idle-timeout", required_argument, NULL, OPTION_IDLE_TIMEOUT},
    {"tdf", required_argument, NULL, OPTION_TDF},
    {"disk-scale", required_argument, NULL, OPTION_DISK_SCALE},
    {"cpu", required_argument, NULL, OPTION_CPU},
    {"depth", required_argument, NULL, OPTION_DEPTH},
    {"depth-isolated", required_argument, NULL, OPTION_DEPTH_ISOLATED},
    {"max-domains", required_argument, NULL, OPTION_MAX_DOMAINS},
    {"max-pages", required_argument, NULL, OPTION_MAX_PAGES},
    {"max-ring-page-order", required_argument, NULL, OPTION_MAX_RING_PAGE_ORDER},
    {"shared-cache", required_argument, NULL, OPTION_SHARED_CACHE},
    {"no-spin", no_argument, NULL, OPTION_NO_SPIN},
    {"foreground", no_argument, NULL, OPTION_FOREGROUND},
    {NULL, 0, NULL, 0},
};

const char *service_options_usage(void)
{
    return "usage: service VERB [options]\n"
           "  start                   start Dom0 in the background; returns when it serves\n"
           "    --image F             the virtual disk (default disk1.img)\n"
           "    --engine E            auto (default), uring, threads, null, model\n"
           "    --model PARAMETERS    of the model engine\n"
           "    --cache-percent P     share of the image, 0..1 (default 1; 0: no cache)\n"
           "    --cache-bytes N       the same in bytes; at most 1 % of the image\n"
           "    --cache-policy NAME   default lru\n"
           "    --shared-cache on|off  domains read hits by themselves (default on)\n"
           "    --idle-timeout S      end after S s without a request (default 300; 0: never)\n"
           "    --tdf K               time dilation of Dom0's clock: 10, 2.5, 1/100\n"
           "    --disk-scale S        domains' disks S times as slow, from 1 (default)\n"
           "    --cpu N|any|auto      where Dom0 runs (auto: where the disk interrupts)\n"
           "    --depth N             reads in flight, 1..128 (default 64)\n"
           "    --depth-isolated N    the same while a light domain runs beside a busy one "
           "(default 12)\n"
           "    --max-domains N       1..4096 (default 1024)\n"
           "    --max-pages N         pages of a domain's memory, 64..16384 (default 8192)\n"
           "    --max-ring-page-order N  0..4 (default 4)\n"
           "    --no-spin             sleep at once when nothing is to be done\n"
           "    --foreground          stay in the foreground\n"
           "  stop                    end it; prints the totals and the cache hit ratio\n"
           "  status [--json]         domains, rings, rates; exit 3 when not running\n"
           "  env                     shell commands that point the xenstore tools at it\n"
           "  list                    its domains\n"
           "  set DOMID weight N      share of the disk, 1..65535 (default 256)\n"
           "  set DOMID tdf K         time dilation of a domain\n"
           "  set DOMID disk-scale S  its disk S times as slow as the disk is\n"
           "  pause DOMID, unpause DOMID  stop a domain's clock, let it go on\n"
           "  shutdown DOMID          ask a domain to end\n"
           "  resize                  the image has a new size: tell all domains\n"
           "options of every verb:\n"
           "  --name NAME             which service (SPLITDOM_NAME; default \"default\")\n"
           "  --rundir DIR            where its sockets are (SPLITDOM_RUNDIR)\n"
           "  --help, --version\n";
}

static int number(struct why *why, const char *what, const char *text, uint64_t min, uint64_t max,
                  uint64_t *out)
{
    if (decimal_parse(text, min, max, out) == 0)
        return 0;
    return why_fail(why, -EINVAL,
                    "%s must be a decimal number within %" PRIu64 "..%" PRIu64 ", not '%s'", what,
                    min, max, text);
}

static int number_u32(struct why *why, const char *what, const char *text, uint32_t min,
                      uint32_t max, uint32_t *out)
{
    uint64_t value;
    int rc = number(why, what, text, min, max, &value);

    if (rc == 0)
        *out = (uint32_t)value;
    return rc;
}

static int ratio(struct why *why, const char *what, const char *text, uint64_t *num, uint64_t *den)
{
    if (decimal_parse_ratio(text, TDF_TERM_MAX, num, den) == 0 && *num > 0)
        return 0;
    return why_fail(why, -EINVAL, "%s must be a positive number such as 10, 2.5 or 1/100, not '%s'",
                    what, text);
}

static int disk_scale(struct why *why, const char *what, const char *text, uint64_t *num,
                      uint64_t *den)
{
    struct tdf scale;

    if (tdf_parse(text, &scale) < 0 || scale.num < scale.den)
        return why_fail(why, -EINVAL, "%s must be within 1..%d, not '%s'", what, TDF_LIMIT, text);
    *num = scale.num;
    *den = scale.den;
    return 0;
}

static int engine(struct why *why, const char *text, enum dom0_engine *out)
{
    for (int i = DOM0_ENGINE_AUTO; i <= DOM0_ENGINE_MODEL; i++) {
        if (strcmp(text, dom0_engine_name((enum dom0_engine)i)) == 0) {
            *out = (enum dom0_engine)i;
            return 0;
        }
    }
    return why_fail(why, -EINVAL, "--engine must be auto, uring, threads, null or model, not '%s'",
                    text);
}

static int cache_percent(struct why *why, const char *text, uint32_t *ppm)
{
    uint64_t value;

    if (decimal_parse_scaled(text, 4, DOM0_CACHE_PPM_MAX, &value) < 0)
        return why_fail(
            why, -EINVAL,
            "--cache-percent must be within 0..1, with at most four decimals: the cache "
            "holds at most 1 %% of the image; not '%s'",
            text);
    *ppm = (uint32_t)value;
    return 0;
}

static int idle_timeout(struct why *why, const char *text, uint64_t *out_ns)
{
    uint64_t second_ns = 1000000000;

    if (decimal_parse_scaled(text, 9, IDLE_TIMEOUT_S_MAX * second_ns, out_ns) == 0)
        return 0;
    return why_fail(why, -EINVAL, "--idle-timeout must be seconds within 0..%d, not '%s'",
                    IDLE_TIMEOUT_S_MAX, text);
}

static int apply_limit(int id, const char *text, struct dom0_options *d, struct why *why)
{
    switch (id) {
    case OPTION_CPU:
        if (placement_parse(text, &d->cpu) == 0)
            return 0;
        return why_fail(why, -EINVAL, "--cpu must be auto, any or a CPU's number, not '%s'", text);
    case OPTION_DEPTH:
        return number_u32(why, "--depth", text, 1, DOM0_DEPTH_MAX, &d->depth);
    case OPTION_DEPTH_ISOLATED:
        return number_u32(why, "--depth-isolated", text, 1, DOM0_DEPTH_MAX, &d->depth_isolated);
    case OPTION_MAX_DOMAINS:
        return number_u32(why, "--max-domains", text, 1, DOM0_DOMAINS_MAX, &d->max_domains);
    case OPTION_MAX_PAGES:
        return number_u32(why, "--max-pages", text, DOM0_PAGES_MIN, DOM0_PAGES_MAX, &d->max_pages);
    case OPTION_MAX_RING_PAGE_ORDER:
        return number_u32(why, "--max-ring-page-order", text, 0, DOM0_RING_PAGE_ORDER_MAX,
                          &d->max_ring_page_order);
    default:
        return why_fail(why, -EINVAL, "unknown option");
    }
}

static int refuse_policy(const char *text, struct why *why)
{
    const struct cache_policy *policy;
    char names[256] = "";

    for (uint32_t i = 0; (policy = cache_policy_at(i)) != NULL; i++)
        snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", i > 0 ? " " : "",
                 policy->name);
    return why_fail(why, -EINVAL, "--cache-policy must be one of: %s; not '%s'", names, text);
}

static int on_off(struct why *why, const char *what, const char *text, bool *out)
{
    *out = strcmp(text, "on") == 0;
    if (*out || strcmp(text, "off") == 0)
        return 0;
    return why_fail(why, -EINVAL, "%s must be on or off, not '%s'", what, text);
}

static int apply_start(int id, const char *text, struct service_options *o, struct why *why)
{
    struct dom0_options *d = &o->dom0;

    switch (id) {
    case OPTION_IMAGE:
        d->image_path = text;
        return 0;
    case OPTION_ENGINE:
        return engine(why, text, &d->engine);
    case OPTION_MODEL:
        d->model = text;
        return 0;
    case OPTION_CACHE_PERCENT:
        d->cache_bytes = DOM0_CACHE_BYTES_UNSET;
        return cache_percent(why, text, &d->cache_ppm);
    case OPTION_CACHE_BYTES:
        return number(why, "--cache-bytes", text, 0, INT64_MAX, &d->cache_bytes);
    case OPTION_CACHE_POLICY:
        d->cache_policy = text;
        return cache_policy_find(text) != NULL ? 0 : refuse_policy(text, why);
    case OPTION_IDLE_TIMEOUT:
        return idle_timeout(why, text, &d->idle_timeout_ns);
    case OPTION_TDF:
        return ratio(why, "--tdf", text, &d->tdf_num, &d->tdf_den);
    case OPTION_DISK_SCALE:
        return disk_scale(why, "--disk-scale", text, &d->scale_num, &d->scale_den);
    case OPTION_SHARED_CACHE:
        return on_off(why, "--shared-cache", text, &d->shared_cache);
    case OPTION_NO_SPIN:
        d->no_spin = true;
        return 0;
    case OPTION_FOREGROUND:
        o->foreground = true;
        return 0;
    default:
        return apply_limit(id, text, d, why);
    }
}

static int apply(int id, const char *text, struct service_options *o, struct why *why)
{
    switch (id) {
    case OPTION_NAME:
        o->name = text;
        return 0;
    case OPTION_RUNDIR:
        o->rundir = text;
        return 0;
    case OPTION_JSON:
        if (o->verb != SERVICE_STATUS)
            return why_fail(why, -EINVAL, "--json belongs to status");
        o->json = true;
        return 0;
    default:
        if (o->verb != SERVICE_START)
            return why_fail(why, -EINVAL, "option '--%s' belongs to start",
                            long_options[id - OPTION_NAME].name);
        return apply_start(id, text, o, why);
    }
}

static int refuse_option(int id, char **argv, struct why *why)
{
    const char *text = argv[optind - 1];

    if (id == ':')
        return why_fail(why, -EINVAL, "option '%s' needs a value", text);
    if (optopt >= OPTION_NAME)
        return why_fail(why, -EINVAL, "option '%s' takes no value", text);
    return why_fail(why, -EINVAL, "unknown option '%s'", text);
}

/* What follows the verb, operands[0] being the first. */
static int apply_operands(char **operands, struct service_options *o, struct why *why)
{
    uint64_t num, den;
    uint32_t weight;
    int rc = number_u32(why, "DOMID", operands[0], 1, DOMID_MAX, &o->domid);
    if (rc < 0 || o->verb != SERVICE_SET)
        return rc;
    o->value = operands[2];
    if (strcmp(operands[1], "weight") == 0) {
        o->key = SERVICE_KEY_WEIGHT;
        return number_u32(why, "weight", o->value, 1, SCHED_WEIGHT_MAX, &weight);
    }
    o->key = SERVICE_KEY_TDF;
    if (strcmp(operands[1], "tdf") == 0)
        return ratio(why, "tdf", o->value, &num, &den);
    o->key = SERVICE_KEY_DISK_SCALE;
    if (strcmp(operands[1], "disk-scale") == 0)
        return disk_scale(why, "disk-scale", o->value, &num, &den);
    return why_fail(why, -EINVAL, "set knows weight, tdf and disk-scale, not '%s'", operands[1]);
}

static int find_verb(const char *text, struct why *why)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(text, verbs[i].name) == 0)
            return (int)i;
    }
    return why_fail(why, -EINVAL, "unknown verb '%s'", text);
}

static int check_together(const struct service_options *o, struct why *why)
{
    if (o->dom0.model != NULL && o->dom0.engine != DOM0_ENGINE_MODEL)
        return why_fail(why, -EINVAL, "--model needs --engine model");
    return 0;
}

int service_options_parse(int argc, char **argv, struct service_options *options, struct why *why)
{
    int id, index, rc = 0;

    *options = (struct service_options){.dom0 = dom0_options_default()};
    if (argc < 2)
        return why_fail(why, -EINVAL, "the verb is missing");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "--version") == 0) {
        options->verb = argv[1][2] == 'h' ? SERVICE_HELP : SERVICE_VERSION;
        return 0;
    }
    index = find_verb(argv[1], why);
    if (index < 0)
        return index;
    options->verb = verbs[index].verb;
    optind = 0; /* GNU getopt: start afresh, with the verb in the place of the program */
    opterr = 0;
    while (rc == 0 && (id = getopt_long(argc - 1, argv + 1, ":", long_options, NULL)) != -1) {
        if (id == OPTION_HELP || id == OPTION_VERSION) {
            options->verb = id == OPTION_HELP ? SERVICE_HELP : SERVICE_VERSION;
            return 0;
        }
        if (id == '?' || id == ':')
            return refuse_option(id, argv + 1, why);
        rc = apply(id, optarg, options, why);
    }
    if (rc < 0)
        return rc;
    if (argc - 1 - optind != verbs[index].operand_count)
        return why_fail(why, -EINVAL, "%s takes %s", verbs[index].name, verbs[index].operands);
    if (verbs[index].operand_count > 0)
        return apply_operands(argv + 1 + optind, options, why);
    return check_together(options, why);
}
