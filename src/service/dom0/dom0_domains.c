/* SPDX-License-Identifier: MIT */
/* dom0_domains: what is asked over the control socket: domains are made, change and end. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ring/fault_guard.h"
#include "service/back/vbd/vbd_back.h"
#include "service/dom0/dom0_private.h"
#include "service/dom0/domain_devices.h"
#include "service/dom0/toolstack.h"
#include "xenstore/server/xs_local.h"
#include "xenstore/xenbus_path.h"

/* The next free domid after the last one given out: an old number comes back as late as possible.
 */
static int find_domid(const struct dom0 *d)
{
    uint32_t limit = d->options->max_domains;
    for (uint32_t i = 1; i <= limit; i++) {
        uint32_t domid = (d->domid_last + i - 1) % limit + 1;
        if (d->domains[domid] == NULL && !d->nodes_left[domid])
            return (int)domid;
    }
    return -EAGAIN;
}

/* Is there room for so many pages more? */
static bool has_memory(const struct dom0 *d, uint32_t nr_pages)
{
    uint64_t used_bytes = d->domains_bytes + unmapper_pending_bytes(d->unmapper);
    return used_bytes + ((uint64_t)nr_pages << XEN_PAGE_SHIFT) <= d->domains_max_bytes;
}

static int create_domain(void *ctx, const struct control_request *request, pid_t pid,
                         struct domain **out, int *segment_fd, struct why *why)
{
    struct dom0 *d = ctx;
    *out = NULL;
    *segment_fd = -1;
    int domid = d->stopping ? -ESHUTDOWN : find_domid(d);
    if (d->stopping)
        return why_fail(why, domid, "the service is stopping");
    if (domid < 0)
        return why_fail(why, domid, "all %u domains are in use (service start --max-domains)",
                        d->options->max_domains);
    /* What no domain may have is refused below, with the bounds. */
    if (request->arg0 <= d->options->max_pages && !has_memory(d, request->arg0)) {
        why_fail(why, -ENOMEM, "no room for %u pages: all domains may have %llu MiB together",
                 request->arg0, (unsigned long long)d->domains_max_bytes >> 20);
        log_limited(d->log, &d->domain_log_limit, "domain %d refused: %s", domid, why->text);
        return -ENOMEM;
    }
    struct tdf tdf = {.num = request->tdf_num, .den = request->tdf_den};
    if (tdf.num == 0 && tdf.den == 0)
        tdf = (struct tdf){1, 1};
    int rc = domain_create(&d->host, (domid_t)domid, pid, request->arg0, tdf, out, why);
    if (rc < 0) {
        log_limited(d->log, &d->domain_log_limit, "domain %d refused: %s", domid, why->text);
        return rc;
    }
    (void)toolstack_tell_pid(d->store, (domid_t)domid, pid); /* for people alone */
    *segment_fd = (*out)->segment_fd;
    d->domains[domid] = *out;
    d->domid_last = (domid_t)domid;
    d->domain_count++;
    d->domains_created++;
    log_limited(d->log, &d->domain_log_limit, "domain %d created: %u pages, for process %d", domid,
                request->arg0, (int)pid);
    return 0;
}

static void end_domain(void *ctx, struct domain *domain)
{
    struct dom0 *d = ctx;
    list_drop(&domain->store_link);
    struct vbd_ring_stats stats = domain_vbd_stats(domain);
    vbd_ring_stats_add(&d->departed, &stats);
    log_limited(d->log, &d->domain_log_limit, "domain %u ended: %llu requests", domain->domid,
                (unsigned long long)stats.requests);
    d->domains[domain->domid] = NULL;
    d->domain_count--;
    dom0_attach_forget(d, domain->domid);
    domain_destroy(domain);
}

struct domain *dom0_find_domain(const struct dom0 *d, uint32_t domid)
{
    return domid <= d->options->max_domains ? d->domains[domid] : NULL;
}

static int resize(void *ctx, const char *which, struct why *why)
{
    return dom0_disks_resize(ctx, which, why);
}

static int doorbell_fd(const struct domain *domain)
{
    return domain->doorbell.fd;
}

static uint32_t domid_of(const struct domain *domain)
{
    return domain->domid;
}

static int alloc_port(struct domain *domain, uint32_t vcpu)
{
    return evtchn_table_alloc(&domain->evtchn, vcpu);
}

static int close_port(struct domain *domain, uint32_t port)
{
    return evtchn_table_close(&domain->evtchn, port);
}

static int shared_cache(struct domain *domain, uint32_t devid)
{
    const struct xenbus_back *back = domain_find_device(domain, &vbd_class, devid);
    return back != NULL ? vbd_back_shared_cache(back) : -ENODEV;
}

static struct domain *find(void *ctx, uint32_t domid)
{
    return dom0_find_domain(ctx, domid);
}

/* A name is for people and for scripts: nothing that a shell or a path would understand. */
static bool is_name(const char *name)
{
    size_t length =
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.+:@");
    return length > 0 && length < CONTROL_NAME_SIZE && name[length] == '\0';
}

static bool is_taken(const struct dom0 *d, const char *name)
{
    char path[XENBUS_PATH_MAX], other[CONTROL_NAME_SIZE];
    for (uint32_t domid = 0; domid <= d->options->max_domains; domid++) {
        if (domid > 0 && d->domains[domid] == NULL)
            continue;
        xenbus_home_path(path, (domid_t)domid, "name");
        if (xs_local_read(d->store, path, other, sizeof(other)) >= 0 && strcmp(name, other) == 0)
            return true;
    }
    return false;
}

static int describe(void *ctx, struct domain *domain, const struct control_description *wanted,
                    struct why *why)
{
    struct dom0 *d = ctx;
    const char *name = wanted->name;
    const struct tdf share = wanted->share;
    bool named = name[0] != '\0';
    if (domain->described)
        return why_fail(why, -EALREADY, "the domain has been described already");
    if (named && !is_name(name))
        return why_fail(why, -EINVAL, "a name has up to 63 letters, digits or _-.+:@");
    if (strncmp(name, CONTROL_NAME_UNSAID, strlen(CONTROL_NAME_UNSAID)) == 0)
        return why_fail(why, -EINVAL, "a name that begins with %s is Dom0's to give: take another",
                        CONTROL_NAME_UNSAID);
    if (named && is_taken(d, name))
        return why_fail(why, -EEXIST, "a domain with name \"%s\" already exists", name);
    if ((share.num == 0) != (share.den == 0) || share.num > share.den)
        return why_fail(why, -EINVAL, "a share of the CPU is above 0 and at most 1");
    if (wanted->weight > CONTROL_WEIGHT_MAX)
        return why_fail(why, -EINVAL, "a weight is 1..%d, not %u", CONTROL_WEIGHT_MAX,
                        wanted->weight);
    int rc = named ? toolstack_tell_name(d->store, domain->domid, name) : 0;
    if (rc == 0 && share.num != 0)
        rc = domain_settings_offer_share(domain, share);
    if (rc == 0 && wanted->weight != 0)
        rc = domain_settings_begin_weight(domain, wanted->weight);
    if (rc < 0)
        return why_fail_errno(why, rc, "Dom0 cannot write its nodes");
    domain->described = true;
    return 0;
}

/* Who traces has changed. */
static void trace_all(struct dom0 *d)
{
    for (uint32_t domid = 1; domid <= d->options->max_domains; domid++) {
        if (d->domains[domid] != NULL)
            domain_settings_trace(d->domains[domid]);
    }
}

static int trace(void *ctx, struct control_peer *asker, uint32_t domid, uint32_t sample)
{
    struct dom0 *d = ctx;
    if (domid != 0 && dom0_find_domain(d, domid) == NULL)
        return -ENOENT;
    int fd = tracer_begin(&d->tracer, asker, domid, sample);
    if (fd >= 0)
        trace_all(d);
    return fd;
}

static int trace_next(void *ctx, struct control_peer *asker, uint32_t *domid, bool *fresh)
{
    struct dom0 *d = ctx;
    /* Who has begun to read needs to know each clock, also that of a domain which was traced
     * before. */
    for (uint32_t i = 1; i <= d->options->max_domains; i++) {
        if (d->domains[i] != NULL)
            domain_settings_trace_clock(d->domains[i]);
    }
    return tracer_next(&d->tracer, asker, domid, fresh);
}

static int trace_memory(void *ctx, struct domain *domain)
{
    struct dom0 *d = ctx;
    return tracer_fetch(&d->tracer, &domain->trace);
}

static void trace_end(void *ctx, struct control_peer *asker)
{
    struct dom0 *d = ctx;
    if (!tracer_end(&d->tracer, asker))
        return;
    trace_all(d);
    tracer_tidy(&d->tracer, d->unmapper);
}

static void stop(void *ctx)
{
    struct dom0 *d = ctx;
    d->stopping = true;
    d->stop_reason = "stop was asked for";
}

const struct control_ops dom0_control_ops = {
    .create_domain = create_domain,
    .mapped = domain_mapped,
    .end_domain = end_domain,
    .doorbell_fd = doorbell_fd,
    .domid = domid_of,
    .alloc_port = alloc_port,
    .close_port = close_port,
    .shared_cache = shared_cache,
    .describe = describe,
    .find = find,
    .status = dom0_status_text,
    .stop = stop,
    .attach_disk = dom0_attach_disk,
    .detach_disk = dom0_detach_disk,
    .forget = dom0_forget_asker,
    .resize = resize,
    .network = dom0_network,
    .trace = trace,
    .trace_next = trace_next,
    .trace_memory = trace_memory,
    .trace_end = trace_end,
};

void dom0_end_faulted(struct dom0 *d)
{
    d->any_lost = false;
    for (uint32_t domid = 1; domid <= d->options->max_domains; domid++) {
        struct domain *domain = d->domains[domid];
        if (domain == NULL || (domain->lost == NULL && !fault_guard_hit(domain->fault_slot)))
            continue;
        log_limited(d->log, &d->domain_log_limit, "domain %u %s: destroyed", domid,
                    domain->lost != NULL ? domain->lost : "has lost pages of its memory");
        control_drop_domain(d->control, domain);
    }
}

void dom0_clear_away(struct dom0 *d)
{
    for (uint32_t domid = 1; domid <= d->options->max_domains && d->nodes_left_count > 0; domid++) {
        if (d->nodes_left[domid] && toolstack_remove_domain(d->store, (domid_t)domid) == 0) {
            d->nodes_left[domid] = false;
            d->nodes_left_count--;
        }
    }
}
