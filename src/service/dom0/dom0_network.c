/* SPDX-License-Identifier: MIT */
/* dom0_network: the network of Dom0, and network interfaces that come and go. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "service/dom0/dom0_private.h"
#include "service/dom0/domain_devices.h"
#include "service/dom0/vifs/vif_links.h"
#include "service/dom0/vifs/vif_rules.h"

enum {
    DISKS_REST_NS = 1000000, /* after a request the next one of the same client may come so late */
    LINK_WATCH_NS = 50000,   /* a host mostly wakes a sleeper this late: watched for that long */
};

static uint64_t mix(uint64_t hash, const void *data, size_t bytes)
{
    const uint8_t *at = data;
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
    return hash;
}

/* The same for each Dom0 that is started as this service until the machine starts again, and
 * another one for other services, machines and namespaces of processes. */
static uint64_t address_seed(const struct rundir *rundir)
{
    uint64_t hash =
        mix(UINT64_C(0xcbf29ce484222325), rundir->control_socket, strlen(rundir->control_socket));
    char boot[40] = "";
    struct stat pids;
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (file != NULL) {
        (void)!fread(boot, 1, sizeof(boot) - 1, file);
        fclose(file);
    }
    hash = mix(hash, boot, sizeof(boot));
    return stat("/proc/self/ns/pid", &pids) == 0 ? mix(hash, &pids.st_ino, sizeof(pids.st_ino))
                                                 : hash;
}

int dom0_network_create(struct dom0 *d, struct why *why)
{
    const struct dom0_options *options = d->options;
    struct vifs_config config = {.timers = &d->worker.timers,
                                 .real_time = &d->worker.hold_time,
                                 .idle_time = &d->worker.gate_time,
                                 .close_watch_ns = LINK_WATCH_NS,
                                 .seed = clock_monotonic_ns(),
                                 .address_seed = address_seed(d->rundir)};
    struct net_bridge *bridge;
    (void)!getrandom(&config.seed, sizeof(config.seed), GRND_NONBLOCK); /* else the time it is */
    int rc = vifs_init(&d->vifs, &config);
    for (uint32_t i = 0; rc == 0 && i < options->bridge_count; i++)
        rc = net_add_bridge(&d->vifs.net, options->bridges[i], &bridge);
    if (rc == 0 && options->bridge_count == 0)
        rc = net_add_bridge(&d->vifs.net, NET_BRIDGE_DEFAULT, &bridge);
    return rc < 0 ? why_fail_errno(why, rc, "cannot make the bridges") : 0;
}

void dom0_network_destroy(struct dom0 *d)
{
    vifs_fini(&d->vifs);
}

/* Are requests at a disk, or were there just now? */
static bool disks_are_busy(struct dom0 *d, uint64_t now_ns)
{
    if (now_ns != d->disks_looked_ns) { /* there may be many disks */
        d->disks_looked_ns = now_ns;
        if (vdisks_in_flight(&d->vdisks) > 0)
            d->disks_busy_ns = now_ns;
    }
    return d->disks_busy_ns != 0 && now_ns - d->disks_busy_ns < DISKS_REST_NS;
}

/* While a disk has requests their completions are looked for between every two dozen frames. */
uint32_t dom0_network_run(struct dom0 *d, uint64_t now_ns)
{
    struct net_turns *turns = &d->vifs.net.turns;
    if (!net_turns_waits(turns))
        return 0;
    turns->is_brief = disks_are_busy(d, now_ns);
    if (net_turns_run(turns) > 0 && turns->is_brief)
        worker_hurry(&d->worker);
    return 1;
}

/* soft: what another vif has already is replaced, and not refused. */
static int attach(struct dom0 *d, struct domain *domain, const struct vif_spec *spec, bool soft,
                  struct vifs_use **out, struct why *why)
{
    uint32_t devid =
        spec->devid >= 0 ? (uint32_t)spec->devid : vifs_next_devid(&d->vifs, domain->domid);
    const struct vifs_owner owner = {domain->domid, domain->pid, &domain->clock};
    if (domain_find_device(domain, &vif_class, devid) != NULL)
        return why_fail(why, -EEXIST,
                        "Domain %u:device already exists in xenstore; detach it first, or choose "
                        "another devid",
                        domain->domid);
    int rc = vifs_prepare(&d->vifs, &owner, devid, spec, soft, out, why);
    if (rc < 0)
        return rc;
    const struct back_spec device = {&vif_class, devid, &(*out)->options};
    return domain_attach(domain, &device, why); /* which releases the vif if that fails */
}

int dom0_network_attach_more(void *ctx, struct domain *domain, struct why *why)
{
    struct dom0 *d = ctx;
    struct vifs_use *use;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < d->options->vif_count; i++)
        rc = attach(d, domain, &d->options->vifs[i], true, &use, why);
    return rc;
}

static int attach_text(struct dom0 *d, struct domain *domain, const char *text, struct why *why)
{
    struct vif_spec spec;
    struct vifs_use *use;
    int rc = vif_spec_parse(text, &spec, why);
    if (rc == 0)
        rc = attach(d, domain, &spec, false, &use, why);
    if (rc < 0)
        log_limited(d->log, &d->device_log_limit, "domain %u: a vif refused: %s", domain->domid,
                    why->text);
    else
        log_limited(d->log, &d->device_log_limit, "domain %u: vif %u attached to %s", domain->domid,
                    use->devid, use->options.bridge);
    return rc;
}

static int detach(struct dom0 *d, struct domain *domain, const char *which, bool force,
                  struct control_peer *asker, struct why *why)
{
    const struct vifs_use *use = vifs_find(&d->vifs, domain->domid, which);
    if (use == NULL)
        return why_fail(why, -ENODEV, "Unknown device %s.", which);
    return dom0_detach_device(d, domain_find_device(domain, &vif_class, use->devid), force, asker,
                              why);
}

int dom0_network(void *ctx, const struct control_request *request, const char *text,
                 struct control_peer *asker, char **answer, struct why *why)
{
    struct dom0 *d = ctx;
    struct domain *domain;
    *answer = NULL;
    if (request->op == CONTROL_NET_LINK)
        return vif_links_command(&d->vifs, text, answer, why);
    if (request->op == CONTROL_RULE)
        return vif_rules_command(&d->vifs.net.rules, text, answer, why);
    int rc = dom0_need_domain(d, request->arg0, &domain, why);
    if (rc < 0)
        return rc;
    if (request->op == CONTROL_NETWORK_ATTACH)
        return attach_text(d, domain, text, why);
    return detach(d, domain, text, request->op == CONTROL_NETWORK_DESTROY, asker, why);
}
