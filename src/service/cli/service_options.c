/* SPDX-License-Identifier: MIT */
#include "service/cli/service_options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "service/block/cache/cache.h"
#include "service/block/sched.h"
#include "service/cli/option_values.h"
#include "service/dom0/disks/disk_spec.h"
#include "service/dom0/placement.h"
#include "trace/trace_session.h"

enum { DOMID_MAX = 0x7fef }; /* DOMID_FIRST_RESERVED - 1 */

static const struct {
    const char *name;
    enum service_verb verb;
    int operand_count, operand_most;
    const char *operands; /* for people */
} verbs[] = {
    {"start", SERVICE_START, 0, 0, "no arguments"},
    {"stop", SERVICE_STOP, 0, 0, "no arguments"},
    {"status", SERVICE_STATUS, 0, 0, "no arguments"},
    {"env", SERVICE_ENV, 0, 0, "no arguments"},
    {"list", SERVICE_LIST, 0, 1, "at most one argument: DOMID"},
    {"set", SERVICE_SET, 3, 3, "three arguments: DOMID KEY VALUE"},
    {"pause", SERVICE_PAUSE, 1, 1, "one argument: DOMID"},
    {"unpause", SERVICE_UNPAUSE, 1, 1, "one argument: DOMID"},
    {"shutdown", SERVICE_SHUTDOWN, 1, 1, "one argument: DOMID"},
    {"destroy", SERVICE_DESTROY, 1, 1, "one argument: DOMID"},
    {"resize", SERVICE_RESIZE, 0, 1, "at most one argument: VDEV or IMAGE"},
    {"block-attach", SERVICE_BLOCK_ATTACH, 2, 32, "two arguments or more: DOMID SPEC..."},
    {"block-detach", SERVICE_BLOCK_DETACH, 2, 2, "two arguments: DOMID VDEV"},
    {"block-list", SERVICE_BLOCK_LIST, 1, 1, "one argument: DOMID"},
    {"network-attach", SERVICE_NETWORK_ATTACH, 1, 32, "DOMID and a specification"},
    {"network-detach", SERVICE_NETWORK_DETACH, 2, 2, "two arguments: DOMID DEVID|MAC"},
    {"network-list", SERVICE_NETWORK_LIST, 1, 1, "one argument: DOMID"},
    {"net-link", SERVICE_NET_LINK, 0, 64, "a vif or two bridges, and words"},
    {"rule", SERVICE_RULE, 1, 64, "add, list, delete or flush, and words"},
    {"top", SERVICE_TOP, 0, 0, "no arguments"},
    {"trace", SERVICE_TRACE, 0, 1, "at most one argument: FILE"},
    {"uptime", SERVICE_UPTIME, 0, 1, "at most one argument: DOMID"},
    {"domid", SERVICE_DOMID, 1, 1, "one argument: NAME"},
    {"domname", SERVICE_DOMNAME, 1, 1, "one argument: DOMID"},
    {"rename", SERVICE_RENAME, 2, 2, "two arguments: DOMID NAME"},
};

enum option_id {
    OPTION_NAME = 256, /* of every verb, as far as OPTION_VERSION */
    OPTION_RUNDIR,
    OPTION_HELP,
    OPTION_VERSION,
    OPTION_JSON,  /* of status */
    OPTION_LONG,  /* of list */
    OPTION_FORCE, /* of block-detach, network-detach */
    OPTION_BATCH, /* of top */
    OPTION_ITERATIONS,
    OPTION_DELAY,
    OPTION_VBDS,
    OPTION_NETWORKS,
    OPTION_SECONDS, /* of trace */
    OPTION_SAMPLE,
    OPTION_DOMAIN,
    OPTION_IMAGE, /* of start, from here on */
    OPTION_DISK,
    OPTION_VIF,
    OPTION_BRIDGE,
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
    OPTION_NBD_RECONNECT,
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
    {"long", no_argument, NULL, OPTION_LONG},
    {"force", no_argument, NULL, OPTION_FORCE},
    {"batch", no_argument, NULL, OPTION_BATCH},
    {"iterations", required_argument, NULL, OPTION_ITERATIONS},
    {"delay", required_argument, NULL, OPTION_DELAY},
    {"vbds", no_argument, NULL, OPTION_VBDS},
    {"networks", no_argument, NULL, OPTION_NETWORKS},
    {"seconds", required_argument, NULL, OPTION_SECONDS},
    {"sample", required_argument, NULL, OPTION_SAMPLE},
    {"domain", required_argument, NULL, OPTION_DOMAIN},
    {"image", required_argument, NULL, OPTION_IMAGE},
    {"disk", required_argument, NULL, OPTION_DISK},
    {"vif", required_argument, NULL, OPTION_VIF},
    {"bridge", required_argument, NULL, OPTION_BRIDGE},
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
    {"nbd-reconnect", required_argument, NULL, OPTION_NBD_RECONNECT},
    {"max-domains", required_argument, NULL, OPTION_MAX_DOMAINS},
    {"max-pages", required_argument, NULL, OPTION_MAX_PAGES},
    {"max-ring-page-order", required_argument, NULL, OPTION_MAX_RING_PAGE_ORDER},
    {"shared-cache", required_argument, NULL, OPTION_SHARED_CACHE},
    {"no-spin", no_argument, NULL, OPTION_NO_SPIN},
    {"foreground", no_argument, NULL, OPTION_FOREGROUND},
    {NULL, 0, NULL, 0},
};

static int apply_limit(int id, const char *text, struct dom0_options *d, struct why *why)
{
    if (id != OPTION_CPU)
        return option_limit(why, long_options[id - OPTION_NAME].name, text, d);
    if (placement_parse(text, &d->cpu) == 0)
        return 0;
    return why_fail(why, -EINVAL, "--cpu must be auto, any or a CPU's number, not '%s'", text);
}

static int apply_start(int id, const char *text, struct service_options *o, struct why *why)
{
    struct dom0_options *d = &o->dom0;
    switch (id) {
    case OPTION_IMAGE:
        o->has_image = true;
        d->image_path = text;
        return 0;
    case OPTION_DISK:
        return option_disk(why, text, o->disks, &o->dom0.disk_count);
    case OPTION_VIF:
        d->vifs = o->vifs;
        return option_vif(why, text, o->vifs, &d->vif_count);
    case OPTION_BRIDGE:
        d->bridges = o->bridges;
        return option_bridge(why, text, o->bridges, &d->bridge_count);
    case OPTION_ENGINE:
        return option_engine(why, text, &d->engine);
    case OPTION_MODEL:
        d->model = text;
        return 0;
    case OPTION_CACHE_PERCENT:
        d->cache_bytes = DOM0_CACHE_BYTES_UNSET;
        return option_cache_percent(why, text, &d->cache_ppm);
    case OPTION_CACHE_BYTES:
        return option_number(why, "--cache-bytes", text, 0, INT64_MAX, &d->cache_bytes);
    case OPTION_CACHE_POLICY:
        d->cache_policy = text;
        return cache_policy_find(text) != NULL ? 0 : option_refuse_policy(text, why);
    case OPTION_IDLE_TIMEOUT:
        return option_idle_timeout(why, text, &d->idle_timeout_ns);
    case OPTION_TDF:
        return option_tdf(why, "--tdf", text, &d->tdf_num, &d->tdf_den);
    case OPTION_DISK_SCALE:
        return option_disk_scale(why, "--disk-scale", text, &d->scale_num, &d->scale_den);
    case OPTION_SHARED_CACHE:
        return option_on_off(why, "--shared-cache", text, &d->shared_cache);
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

/* By its number or, as for xl, by its name, which has more than digits. */
static int apply_domain(const char *name, const char *text, uint32_t least,
                        struct service_options *o, struct why *why)
{
    bool is_name = text[strspn(text, "0123456789")] != '\0';
    o->domain = is_name ? text : NULL;
    return is_name ? 0 : option_number_u32(why, name, text, least, DOMID_MAX, &o->domid);
}

static int apply_view(int id, const char *text, struct service_options *o, struct why *why)
{
    bool of_trace = id >= OPTION_SECONDS && id <= OPTION_DOMAIN;
    if (o->verb != (of_trace ? SERVICE_TRACE : SERVICE_TOP))
        return why_fail(why, -EINVAL, "option '--%s' belongs to %s",
                        long_options[id - OPTION_NAME].name, of_trace ? "trace" : "top");
    switch (id) {
    case OPTION_SECONDS:
        return option_seconds(why, "--seconds", text, &o->seconds_ms);
    case OPTION_SAMPLE:
        return trace_sample_parse(text, &o->sample, why);
    case OPTION_DOMAIN:
        return apply_domain("--domain", text, 1, o, why);
    case OPTION_BATCH:
        o->batch = true;
        return 0;
    case OPTION_ITERATIONS:
        return option_number(why, "--iterations", text, 1, UINT32_MAX, &o->iterations);
    case OPTION_DELAY:
        return option_delay(why, text, &o->delay_ms);
    case OPTION_NETWORKS:
        o->networks = true;
        return 0;
    default:
        o->details = true;
        return 0;
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
    case OPTION_LONG:
        if (o->verb != SERVICE_LIST)
            return why_fail(why, -EINVAL, "--long belongs to list");
        o->details = true;
        return 0;
    case OPTION_FORCE:
        if (o->verb != SERVICE_BLOCK_DETACH && o->verb != SERVICE_NETWORK_DETACH)
            return why_fail(why, -EINVAL, "--force belongs to block-detach and network-detach");
        o->force = true;
        return 0;
    case OPTION_BATCH ... OPTION_DOMAIN:
        return apply_view(id, text, o, why);
    default:
        if (o->verb != SERVICE_START)
            return why_fail(why, -EINVAL, "option '--%s' belongs to start",
                            long_options[id - OPTION_NAME].name);
        return apply_start(id, text, o, why);
    }
}

/* The long option that a letter stands for; any other id unchanged. */
static int long_id(int id)
{
    static const struct {
        int letter, id;
    } letters[] = {{'l', OPTION_LONG},       {'f', OPTION_FORCE}, {'b', OPTION_BATCH},
                   {'i', OPTION_ITERATIONS}, {'d', OPTION_DELAY}, {'x', OPTION_VBDS},
                   {'n', OPTION_NETWORKS},   {'h', OPTION_HELP}};
    for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++) {
        if (letters[i].letter == id)
            return letters[i].id;
    }
    return id;
}

static int refuse_option(int id, char **argv, struct why *why)
{
    const char *text = argv[optind - 1];
    if (id == '?' && optopt > 0 && optopt < OPTION_NAME)
        return why_fail(why, -EINVAL, "unknown option '-%c'", optopt);
    if (id == ':')
        return why_fail(why, -EINVAL, "option '%s' needs a value", text);
    if (optopt >= OPTION_NAME)
        return why_fail(why, -EINVAL, "option '%s' takes no value", text);
    return why_fail(why, -EINVAL, "unknown option '%s'", text);
}

static int apply_set(char **operands, struct service_options *o, struct why *why)
{
    uint64_t num, den;
    uint32_t weight;
    o->value = operands[2];
    if (strcmp(operands[1], "weight") == 0) {
        o->key = SERVICE_KEY_WEIGHT;
        return option_number_u32(why, "weight", o->value, 1, SCHED_WEIGHT_MAX, &weight);
    }
    o->key = SERVICE_KEY_TDF;
    if (strcmp(operands[1], "tdf") == 0)
        return option_tdf(why, "tdf", o->value, &num, &den);
    o->key = SERVICE_KEY_DISK_SCALE;
    if (strcmp(operands[1], "disk-scale") == 0)
        return option_disk_scale(why, "disk-scale", o->value, &num, &den);
    o->key = SERVICE_KEY_CPU_SHARE;
    if (strcmp(operands[1], "cpu-share") == 0)
        return option_share(why, "cpu-share", &o->value, o->share);
    return why_fail(why, -EINVAL, "set knows weight, tdf, disk-scale and cpu-share, not '%s'",
                    operands[1]);
}

/* What follows the verb, operands[0] being the first, if there is one. */
static int apply_operands(char **operands, struct service_options *o, struct why *why)
{
    struct disk_spec spec;
    if (o->verb == SERVICE_RESIZE || o->verb == SERVICE_DOMID || o->verb == SERVICE_TRACE) {
        o->value = operands[0];
        return 0;
    }
    o->words = operands;
    if (o->verb == SERVICE_NET_LINK || o->verb == SERVICE_RULE)
        return 0;
    o->has_domid = operands[0] != NULL;
    const bool any = o->verb == SERVICE_UPTIME || o->verb == SERVICE_LIST; /* and Dom0, or all */
    if (any && !o->has_domid)
        return 0;
    if (o->verb == SERVICE_DOMNAME)
        return option_number_u32(why, "DOMID", operands[0], 0, DOMID_MAX, &o->domid);
    int rc = apply_domain("DOMID", operands[0], any ? 0 : 1, o, why);
    if (rc < 0)
        return rc;
    if (o->verb == SERVICE_SET)
        return apply_set(operands, o, why);
    o->words = operands + 1;
    o->value = operands[1]; /* NULL where there is no second one */
    if (o->verb == SERVICE_RENAME)
        return option_domain_name(why, o->value);
    return o->verb == SERVICE_BLOCK_ATTACH
               ? disk_spec_parse_words((const char *const *)o->words, &spec, why)
               : 0;
}

static int find_verb(const char *text, struct why *why)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(text, verbs[i].name) == 0)
            return (int)i;
    }
    return why_fail(why, -EINVAL, "unknown verb '%s'", text);
}

/* An image that nobody named is there only where no disk was. */
static int check_together(struct service_options *o, struct why *why)
{
    if (o->dom0.disk_count > 0 && !o->has_image)
        o->dom0.image_path = NULL;
    if (option_check_vifs(why, &o->dom0) < 0)
        return -EINVAL;
    if (o->dom0.model != NULL && o->dom0.engine != DOM0_ENGINE_MODEL)
        return why_fail(why, -EINVAL, "--model needs --engine model");
    return 0;
}

int service_options_parse(int argc, char **argv, struct service_options *options, struct why *why)
{
    int id, index, rc = 0;
    *options = (struct service_options){
        .dom0 = dom0_options_default(), .delay_ms = 3000, .seconds_ms = 5000};
    if (argc < 2)
        return why_fail(why, -EINVAL, "the verb is missing");
    bool asks = strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0;
    if (asks || strcmp(argv[1], "--version") == 0) {
        options->verb = asks ? SERVICE_HELP : SERVICE_VERSION;
        return 0;
    }
    index = find_verb(argv[1], why);
    if (index < 0)
        return index;
    options->verb = verbs[index].verb;
    optind = 0; /* GNU getopt: start afresh, with the verb in the place of the program */
    opterr = 0;
    while (rc == 0 &&
           (id = getopt_long(argc - 1, argv + 1, ":lfbi:d:xnh", long_options, NULL)) != -1) {
        id = long_id(id);
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
    int count = argc - 1 - optind;
    if (count < verbs[index].operand_count || count > verbs[index].operand_most)
        return why_fail(why, -EINVAL, "%s takes %s", verbs[index].name, verbs[index].operands);
    if (verbs[index].operand_most > 0)
        return apply_operands(argv + 1 + optind, options, why);
    return check_together(options, why);
}
