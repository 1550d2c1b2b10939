/* SPDX-License-Identifier: MIT */
#include "service/dom0/domain_settings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/decimal.h"
#include "service/block/client.h"
#include "service/dom0/domain.h"
#include "service/dom0/domain_devices.h"
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

/* Once the domain is mapped: its clock lies in its memory (domain_mapped). */
static void apply_tdf(struct domain *domain)
{
    struct tdf tdf = domain->pauses > 0 ? (struct tdf){0, 1} : domain->tdf;
    if (!domain_is_mapped(domain))
        return;
    int rc = tdf_clock_set_tdf(&domain->clock, tdf);
    if (rc < 0)
        log_limited(domain->host->back.log, &domain->log_limit,
                    "domain %u: cannot change its clock: %s", domain->domid, strerror(-rc));
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

static const struct setting table[DOMAIN_SETTINGS] = {
    {"sched/weight", "weight must be 1..65535", take_weight, show_weight},
    {"tdf", "tdf must be a factor from 1/1000 to 1000", take_tdf, show_tdf},
    {"pause", "pause must be a number of pauses, at most 1000000000", take_pause, show_pause},
    {"disk-scale", "disk-scale must be within 1..1000", take_disk_scale, show_disk_scale},
};

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

/* Only Dom0 may set these; the domain may read them. One that the toolstack has written stays. */
static int create_node(const struct domain *domain, const char *path, const struct setting *setting)
{
    struct xs_server *store = domain->host->back.store;
    char value[SETTING_VALUE_MAX], reader[16];
    const char *perms[2] = {"n0", reader};
    if (xs_local_read(store, path, value, sizeof(value)) >= 0)
        return 0;
    snprintf(reader, sizeof(reader), "r%u", domain->domid);
    setting->show(domain, value);
    int rc = xs_local_write(store, path, value);
    return rc < 0 ? rc : xs_local_set_perms(store, path, perms, 2);
}

int domain_settings_watch(struct domain *domain)
{
    char path[DOMAIN_SETTINGS][XENBUS_PATH_MAX];
    int rc = 0;
    for (int i = 0; rc == 0 && i < DOMAIN_SETTINGS; i++) {
        xenbus_home_path(path[i], domain->domid, table[i].node);
        rc = create_node(domain, path[i], &table[i]);
    }
    for (int i = 0; rc == 0 && i < DOMAIN_SETTINGS; i++) {
        struct setting_watch *watch = &domain->setting_watch[i];
        *watch = (struct setting_watch){.domain = domain, .setting = &table[i]};
        rc = xs_local_watch(domain->host->back.store, path[i], on_change, watch, &watch->watch);
    }
    return rc;
}

void domain_settings_unwatch(struct domain *domain)
{
    for (int i = 0; i < DOMAIN_SETTINGS; i++)
        xs_local_unwatch(domain->setting_watch[i].watch);
}
