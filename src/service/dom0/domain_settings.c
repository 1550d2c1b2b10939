/* SPDX-License-Identifier: MIT */
#include "service/dom0/domain_settings.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "service/block/client.h"
#include "service/dom0/domain.h"
#include "service/dom0/domain_devices.h"
#include "splitdom/control.h"
#include "xenstore/server/xs_local.h"
#include "xenstore/xenbus_path.h"

enum { SETTING_VALUE_MAX = 64, PAUSES_MAX = 1000000000 };

struct setting {
    const char *node;
    const char *rule; /* for the log */
    /* The text becomes what holds. -EINVAL, -ERANGE: invalid, nothing has changed. */
    int (*take)(struct domain *domain, const char *text);
    /* What holds, in the shortest form. */
    void (*show)(const struct domain *domain, char text[SETTING_VALUE_MAX]);
};

static int take_weight(struct domain *domain, const char *text)
{
    uint64_t weight;
    int rc = decimal_parse(text, 1, SCHED_WEIGHT_MAX, &weight);
    if (rc < 0)
        return rc;
    domain->settings.weight = (uint32_t)weight;
    domain_configure_devices(domain);
    return 0;
}

static void show_weight(const struct domain *domain, char text[SETTING_VALUE_MAX])
{
    snprintf(text, SETTING_VALUE_MAX, "%u", domain->settings.weight);
}

/* Dom0 alone may write such a node; the domain may read it. */
static int write_node(const struct domain *domain, const char *path, const char *value)
{
    struct xs_server *store = domain->host->back.store;
    char reader[16];
    const char *perms[2] = {"n0", reader};
    snprintf(reader, sizeof(reader), "r%u", domain->domid);
    int rc = xs_local_write(store, path, value);
    return rc < 0 ? rc : xs_local_set_perms(store, path, perms, 2);
}

static struct tdf tdf_in_force(const struct domain *domain)
{
    return domain->pauses > 0 ? (struct tdf){0, 1} : domain->tdf;
}

/* After the clock: a domain that reads the node looks at the clock next. */
static int show_in_force(const struct domain *domain)
{
    char path[XENBUS_PATH_MAX], text[SETTING_VALUE_MAX];
    tdf_format(tdf_in_force(domain), text, sizeof(text));
    xenbus_home_path(path, domain->domid, "splitdom/tdf-in-force");
    return write_node(domain, path, text);
}

static void change_clock(void *ctx)
{
    struct domain *domain = ctx;
    int rc = tdf_clock_set_tdf(&domain->clock, tdf_in_force(domain));
    /* Who sleeps there knows before the store tells (run/mediate_change.c). */
    clock_change_wake(&domain->clock);
    domain_settings_trace_clock(domain);
    if (rc == 0)
        rc = show_in_force(domain);
    if (rc < 0)
        log_limited(domain->host->back.log, &domain->log_limit,
                    "domain %u: cannot change its clock: %s", domain->domid, strerror(-rc));
}

/* Once the domain is mapped: its clock lies in its memory (domain_mapped). */
static void apply_tdf(struct domain *domain)
{
    if (!domain_is_mapped(domain))
        return;
    if (!clock_change_announce(&domain->change, tdf_in_force(domain)))
        change_clock(domain);
}

void domain_settings_trace_clock(struct domain *domain)
{
    struct tdf tdf = tdf_in_force(domain);
    struct trace_record record = {.kind = TRACE_CLOCK, .domid = domain->domid};
    if (domain->trace.threshold == 0)
        return;
    record.at_ns[1] = tdf_clock_now_ns(&domain->clock);
    record.at_ns[0] = clock_monotonic_ns();
    record.at_ns[2] = tdf.num;
    record.at_ns[3] = tdf.den;
    trace_writer_put(&domain->host->tracer->writer, &record);
}

void domain_settings_trace(struct domain *domain)
{
    struct tracer *tracer = domain->host->tracer;
    char path[XENBUS_PATH_MAX], text[SETTING_VALUE_MAX];
    uint32_t wanted = tracer != NULL ? tracer_wanted(tracer, domain->domid) : 0;
    if (wanted == domain->trace.threshold)
        return;
    domain->trace.threshold = wanted;
    domain->settings.trace =
        (struct back_trace){.threshold = wanted, .writer = tracer != NULL ? &tracer->writer : NULL};
    domain_settings_trace_clock(domain);
    domain_configure_devices(domain);
    snprintf(text, sizeof(text), "%u", wanted);
    xenbus_home_path(path, domain->domid, "splitdom/trace");
    int rc = write_node(domain, path, text);
    if (rc < 0)
        log_limited(domain->host->back.log, &domain->log_limit,
                    "domain %u: cannot ask it to trace: %s", domain->domid, strerror(-rc));
}

void domain_settings_apply(struct domain *domain)
{
    apply_tdf(domain);
}

static int take_tdf(struct domain *domain, const char *text)
{
    struct tdf tdf;
    int rc = tdf_parse(text, &tdf);
    if (rc < 0)
        return rc;
    if (tdf.num == 0) /* standing still is `pause`, so that unpause knows what to go back to */
        return -EINVAL;
    if (tdf.num != domain->tdf.num || tdf.den != domain->tdf.den) {
        domain->tdf = tdf;
        apply_tdf(domain);
    }
    return 0;
}

static void show_tdf(const struct domain *domain, char text[SETTING_VALUE_MAX])
{
    tdf_format(domain->tdf, text, SETTING_VALUE_MAX);
}

static int take_pause(struct domain *domain, const char *text)
{
    uint64_t pauses;
    int rc = decimal_parse(text, 0, PAUSES_MAX, &pauses);
    if (rc < 0)
        return rc;
    bool changed = (pauses > 0) != (domain->pauses > 0);
    domain->pauses = (uint32_t)pauses;
    if (changed)
        apply_tdf(domain);
    return 0;
}

static void show_pause(const struct domain *domain, char text[SETTING_VALUE_MAX])
{
    snprintf(text, SETTING_VALUE_MAX, "%u", domain->pauses);
}

static int take_disk_scale(struct domain *domain, const char *text)
{
    struct tdf scale;
    int rc = tdf_parse(text, &scale);
    if (rc == 0)
        rc = block_scale_check(scale);
    if (rc < 0)
        return rc;
    domain->settings.disk_scale = scale;
    domain_configure_devices(domain);
    return 0;
}

static void show_disk_scale(const struct domain *domain, char text[SETTING_VALUE_MAX])
{
    tdf_format(domain->settings.disk_scale, text, SETTING_VALUE_MAX);
}

static int take_cpu_share(struct domain *domain, const char *text)
{
    struct tdf share;
    int rc = tdf_parse(text, &share);
    if (rc < 0)
        return rc;
    if (share.num == 0 || share.num > share.den)
        return -ERANGE;
    domain->cpu_share = share; /* the domain watches the node */
    return 0;
}

static void show_cpu_share(const struct domain *domain, char text[SETTING_VALUE_MAX])
{
    tdf_format(domain->cpu_share, text, SETTING_VALUE_MAX);
}

static const struct setting table[DOMAIN_SETTINGS] = {
    {"sched/weight", "weight must be 1..65535", take_weight, show_weight},
    {"tdf", "tdf must be a factor from 1/1000 to 1000", take_tdf, show_tdf},
    {"pause", "pause must be a number of pauses, at most 1000000000", take_pause, show_pause},
    {"disk-scale", "disk-scale must be within 1..1000", take_disk_scale, show_disk_scale},
    {"cpu-share", "cpu-share must be from 1/1000 to 1", take_cpu_share, show_cpu_share},
};

_Static_assert(CONTROL_WEIGHT_MAX == (int)SCHED_WEIGHT_MAX, "a domain may ask for any weight");
_Static_assert(SCHED_WEIGHT_MAX == 65535 && TDF_LIMIT == 1000, "the rules name these limits");

static void on_change(void *ctx, const char *changed)
{
    const struct setting_watch *watch = ctx;
    struct domain *domain = watch->domain;
    const struct back_host *host = &domain->host->back;
    char path[XENBUS_PATH_MAX], text[SETTING_VALUE_MAX], holds[SETTING_VALUE_MAX];
    (void)changed; /* may be a node below ours */
    xenbus_home_path(path, domain->domid, watch->setting->node);
    int rc = xs_local_read(host->store, path, text, sizeof(text));
    bool readable = rc >= 0;
    if (readable)
        rc = watch->setting->take(domain, text);
    if (rc < 0)
        log_limited(host->log, &domain->log_limit, "domain %u: %s", domain->domid,
                    watch->setting->rule);
    watch->setting->show(domain, holds);
    /* Only when it differs: our own write fires the watch that brought us here. */
    if (readable && strcmp(text, holds) == 0)
        return;
    rc = xs_local_write(host->store, path, holds);
    if (rc < 0)
        log_limited(host->log, &domain->log_limit, "domain %u: cannot write %s: %s", domain->domid,
                    path, strerror(-rc));
}

/* One that the toolstack has written stays. */
static int create_node(const struct domain *domain, const char *path, const struct setting *setting)
{
    char value[SETTING_VALUE_MAX];
    if (xs_local_read(domain->host->back.store, path, value, sizeof(value)) >= 0)
        return 0;
    setting->show(domain, value);
    return write_node(domain, path, value);
}

static int follow(struct domain *domain, int number)
{
    char path[XENBUS_PATH_MAX];
    struct setting_watch *watch = &domain->setting_watch[number];
    xenbus_home_path(path, domain->domid, table[number].node);
    *watch = (struct setting_watch){.domain = domain, .setting = &table[number]};
    return xs_local_watch(domain->host->back.store, path, on_change, watch, &watch->watch);
}

int domain_settings_watch(struct domain *domain)
{
    char path[XENBUS_PATH_MAX];
    clock_change_init(&domain->change, domain->host->poller, &domain->clock, change_clock, domain);
    int rc = show_in_force(domain);
    for (int i = 0; rc == 0 && i < DOMAIN_SETTINGS_OF_ALL; i++) {
        xenbus_home_path(path, domain->domid, table[i].node);
        rc = create_node(domain, path, &table[i]);
    }
    for (int i = 0; rc == 0 && i < DOMAIN_SETTINGS_OF_ALL; i++)
        rc = follow(domain, i);
    return rc;
}

int domain_settings_offer_share(struct domain *domain, struct tdf share)
{
    char path[XENBUS_PATH_MAX];
    domain->cpu_share = share;
    xenbus_home_path(path, domain->domid, table[DOMAIN_SETTINGS_OF_ALL].node);
    int rc = create_node(domain, path, &table[DOMAIN_SETTINGS_OF_ALL]);
    return rc < 0 ? rc : follow(domain, DOMAIN_SETTINGS_OF_ALL);
}

int domain_settings_begin_weight(struct domain *domain, uint32_t weight)
{
    char path[XENBUS_PATH_MAX], value[SETTING_VALUE_MAX];
    assert(weight >= 1 && weight <= SCHED_WEIGHT_MAX);
    xenbus_home_path(path, domain->domid, "sched/weight");
    snprintf(value, sizeof(value), "%u", weight);
    int rc = xs_local_write(domain->host->back.store, path, value); /* the owner stays Dom0 */
    return rc < 0 ? rc : take_weight(domain, value);
}

void domain_settings_unwatch(struct domain *domain)
{
    clock_change_stop(&domain->change);
    for (int i = 0; i < DOMAIN_SETTINGS; i++)
        xs_local_unwatch(domain->setting_watch[i].watch);
}
