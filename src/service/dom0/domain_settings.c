/* SPDX-License-Identifier: MIT */
#include "service/dom0/domain_settings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "service/block/disk_queue.h"
#include "service/dom0/domain.h"
#include "service/dom0/domain_devices.h"
#include "xenstore/xenbus_path.h"
#include "xenstore/xs_local.h"

enum { SETTING_VALUE_MAX = 64 };

static void write_setting(struct domain *domain, const char *node, const char *value)
{
    char path[XENBUS_PATH_MAX];
    char now[SETTING_VALUE_MAX];
    xenbus_home_path(path, domain->domid, node);
    /* Only when it differs: our own write fires the watch that brought us here. */
    if (xs_local_read(domain->host->back.store, path, now, sizeof(now)) >= 0 &&
        strcmp(now, value) == 0)
        return;
    int rc = xs_local_write(domain->host->back.store, path, value);
    if (rc < 0)
        log_limited(domain->host->back.log, &domain->log_limit, "domain %u: cannot write %s: %s",
                    domain->domid, path, strerror(-rc));
}

static void on_weight(void *ctx, const char *path)
{
    struct domain *domain = ctx;
    uint64_t weight;
    char text[SETTING_VALUE_MAX];
    int rc = xs_local_read_u64(domain->host->back.store, path, SCHED_WEIGHT_MAX, &weight);
    if (rc == 0 && weight == 0)
        rc = -ERANGE;
    if (rc < 0) {
        log_limited(domain->host->back.log, &domain->log_limit, "domain %u: weight must be 1..%d",
                    domain->domid, SCHED_WEIGHT_MAX);
    } else {
        domain->settings.weight = (uint32_t)weight;
        domain_configure_devices(domain);
    }
    snprintf(text, sizeof(text), "%u", domain->settings.weight);
    write_setting(domain, "sched/weight", text);
}

static void apply_tdf(struct domain *domain)
{
    struct tdf tdf = domain->paused ? (struct tdf){0, 1} : domain->tdf;
    int rc = tdf_clock_set_tdf(&domain->clock, tdf);
    if (rc < 0)
        log_limited(domain->host->back.log, &domain->log_limit,
                    "domain %u: cannot change its clock: %s", domain->domid, strerror(-rc));
}

static void on_tdf(void *ctx, const char *path)
{
    struct domain *domain = ctx;
    char text[SETTING_VALUE_MAX];
    struct tdf tdf;
    int rc = xs_local_read(domain->host->back.store, path, text, sizeof(text));
    if (rc >= 0)
        rc = tdf_parse(text, &tdf);
    if (rc >= 0 && tdf.num == 0)
        rc = -EINVAL; /* standing still is `pause`, so that unpause knows what to go back to */
    if (rc < 0) {
        log_limited(domain->host->back.log, &domain->log_limit,
                    "domain %u: tdf must be a factor from 1/1000 to 1000", domain->domid);
    } else if (tdf.num != domain->tdf.num || tdf.den != domain->tdf.den) {
        domain->tdf = tdf;
        apply_tdf(domain);
    }
    tdf_format(domain->tdf, text, sizeof(text));
    write_setting(domain, "tdf", text);
}

static void on_pause(void *ctx, const char *path)
{
    struct domain *domain = ctx;
    uint64_t pause;
    int rc = xs_local_read_u64(domain->host->back.store, path, 1, &pause);
    if (rc < 0) {
        log_limited(domain->host->back.log, &domain->log_limit, "domain %u: pause must be 0 or 1",
                    domain->domid);
    } else if ((pause == 1) != domain->paused) {
        domain->paused = pause == 1;
        apply_tdf(domain);
    }
    write_setting(domain, "pause", domain->paused ? "1" : "0");
}

static void on_disk_scale(void *ctx, const char *path)
{
    struct domain *domain = ctx;
    char text[SETTING_VALUE_MAX];
    struct tdf scale;
    int rc = xs_local_read(domain->host->back.store, path, text, sizeof(text));
    if (rc >= 0)
        rc = tdf_parse(text, &scale);
    if (rc >= 0)
        rc = disk_scale_check(scale);
    if (rc < 0) {
        log_line(domain->host->back.log, "domain %u: disk-scale must be within 1..%d",
                 domain->domid, TDF_LIMIT);
    } else {
        domain->settings.disk_scale = scale;
        domain_configure_devices(domain);
    }
    tdf_format(domain->settings.disk_scale, text, sizeof(text));
    write_setting(domain, "disk-scale", text);
}

static int watch(struct domain *domain, const char *node, xs_local_watch_fn *fn,
                 struct xs_local_watch **out)
{
    char path[XENBUS_PATH_MAX];
    xenbus_home_path(path, domain->domid, node);
    return xs_local_watch(domain->host->back.store, path, fn, domain, out);
}

/* Only Dom0 may set these; the domain may read them. */
static int create_node(struct domain *domain, const char *node, const char *value)
{
    char path[XENBUS_PATH_MAX], reader[16];
    const char *perms[2] = {"n0", reader};
    snprintf(reader, sizeof(reader), "r%u", domain->domid);
    xenbus_home_path(path, domain->domid, node);
    int rc = xs_local_write(domain->host->back.store, path, value);
    return rc < 0 ? rc : xs_local_set_perms(domain->host->back.store, path, perms, 2);
}

int domain_settings_watch(struct domain *domain)
{
    char text[TDF_TEXT_SIZE];
    tdf_format(domain->tdf, text, sizeof(text));
    int rc = create_node(domain, "tdf", text);
    if (rc == 0)
        rc = create_node(domain, "pause", "0");
    tdf_format(domain->settings.disk_scale, text, sizeof(text));
    if (rc == 0)
        rc = create_node(domain, "disk-scale", text);
    if (rc == 0)
        rc = watch(domain, "sched/weight", on_weight, &domain->weight_watch);
    if (rc == 0)
        rc = watch(domain, "tdf", on_tdf, &domain->tdf_watch);
    if (rc == 0)
        rc = watch(domain, "pause", on_pause, &domain->pause_watch);
    if (rc == 0)
        rc = watch(domain, "disk-scale", on_disk_scale, &domain->scale_watch);
    return rc;
}

void domain_settings_unwatch(struct domain *domain)
{
    xs_local_unwatch(domain->weight_watch);
    xs_local_unwatch(domain->tdf_watch);
    xs_local_unwatch(domain->pause_watch);
    xs_local_unwatch(domain->scale_watch);
}
