/* SPDX-License-Identifier: MIT */
#include "service/dom0/domain.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "ring/evtchn.h"
#include "service/dom0/domain_devices.h"
#include "service/dom0/toolstack.h"
#include "xenstore/server/xs_ring.h"

enum { STORE_VCPU = 0 };

uint64_t domain_age_ns(const struct domain *domain)
{
    return clock_monotonic_ns() - domain->created_ns;
}

static void on_doorbell(void *ctx)
{
    struct domain *domain = ctx;
    if (xs_ring_has_work(domain->segment.store, domain->store_conn))
        domain->host->store_ready(domain->host->ctx, domain);
    clock_change_look(&domain->change);
    pollables_wake(domain->host->back.pollables, &domain->peer);
}

static uint64_t work_done(void *ctx)
{
    struct domain *domain = ctx;
    return domain->peer.requests + domain->store_moves;
}

static void on_muted(void *ctx)
{
    struct domain *domain = ctx;
    log_limited(domain->host->back.log, domain->host->back.log_limit,
                "domain %u rings its doorbell without cause: looked at by timer for a while",
                domain->domid);
}

static void on_doorbell_failed(void *ctx)
{
    struct domain *domain = ctx;
    domain->lost = "has a doorbell that cannot be heard any more";
    domain->host->domain_lost(domain->host->ctx);
}

static const struct doorbell_ops doorbell_ops = {
    .rang = on_doorbell, .work = work_done, .muted = on_muted, .failed = on_doorbell_failed};

static void on_store_ready(void *ctx)
{
    struct domain *domain = ctx;
    domain->host->store_ready(domain->host->ctx, domain);
}

static const struct xs_conn_ops store_ops = {.output_ready = on_store_ready,
                                             .work_ready = on_store_ready};

void domain_pump_store(struct domain *domain)
{
    bool notify = false;
    if (domain->store_broken || !domain_is_mapped(domain))
        return;
    int rc = xs_ring_pump(domain->segment.store, domain->store_conn, &notify);
    if (rc < 0) {
        domain->store_broken = true;
        log_limited(domain->host->back.log, domain->host->back.log_limit,
                    "domain %u: its xenstore ring makes no sense: ignored", domain->domid);
    }
    domain->store_moves += notify;
    if (notify &&
        evtchn_set_pending(domain->segment.shared_info, domain->segment.store_evtchn, STORE_VCPU))
        (void)evtchn_wake(domain->segment.shared_info, STORE_VCPU);
}

static int create_memory(struct domain *domain, uint32_t nr_pages)
{
    const struct domain_host *host = domain->host;
    int rc = domain_memory_create(nr_pages, domain->domid, host->unmapper, host->memory_bytes,
                                  &domain->memory, &domain->segment_fd);
    if (rc < 0)
        return rc;
    domain->segment = domain->memory->segment;
    domain->fault_slot = domain->memory->fault_slot;
    poll_peer_init(&domain->peer, domain->segment.hints);
    domain->segment.sleepers->woken_by_dom0 = 1; /* pairs with vbd_ring.c: wake_sleepers */
    rc = doorbell_create(&domain->doorbell, domain->host->poller, &doorbell_ops, domain);
    if (rc < 0)
        return rc;
    evtchn_table_reserve(&domain->evtchn, domain->segment.store_evtchn, STORE_VCPU);
    return tdf_clock_init(&domain->clock, domain->host->time_source, domain->segment.shared_info,
                          XEN_LEGACY_MAX_VCPUS, domain->tdf);
}

static int create_home(struct domain *domain)
{
    const struct segment *segment = &domain->segment;
    const size_t store_at = (size_t)((const uint8_t *)segment->store - segment->base);
    const struct toolstack_domain home = {
        .domid = domain->domid,
        .memory_kib = (uint64_t)segment->nr_pages * (XEN_PAGE_SIZE / 1024),
        .store_pfn = (uint32_t)(store_at >> XEN_PAGE_SHIFT),
        .store_evtchn = segment->store_evtchn,
    };
    return toolstack_create_domain(domain->host->back.store, &home);
}

static int create_store(struct domain *domain)
{
    struct xs_server *store = domain->host->back.store;
    xs_ring_init(domain->segment.store);
    int rc = xs_server_introduce(store, domain->domid);
    if (rc == 0)
        rc = xs_conn_open(store, domain->domid, false, &store_ops, domain, &domain->store_conn);
    if (rc == 0)
        rc = create_home(domain);
    return rc;
}

static int create_devices(struct domain *domain, struct why *why)
{
    const struct domain_host *host = domain->host;
    int rc = 0;
    domain->seen = (struct back_domain){.domid = domain->domid,
                                        .segment = &domain->memory->segment,
                                        .memory = &domain->memory->hold,
                                        .fault_slot = domain->fault_slot,
                                        .evtchn = &domain->evtchn,
                                        .clock = &domain->clock,
                                        .tdf = &domain->tdf,
                                        .peer = &domain->peer,
                                        .settings = &domain->settings};
    for (uint32_t i = 0; rc == 0 && i < host->device_count; i++)
        rc = domain_attach(domain, &host->devices[i], why);
    if (rc == 0 && host->attach_more != NULL)
        rc = host->attach_more(host->ctx, domain, why);
    return rc;
}

/* What to look at when there is no memory for a domain. */
static const char *memory_hint(int rc)
{
    if (rc == -EFBIG)
        return "its memory (larger than the service's ulimit -f)";
    if (rc == -EOPNOTSUPP)
        return "its memory (memfd_create, F_ADD_SEALS)";
    return "its memory";
}

int domain_create(const struct domain_host *host, domid_t domid, pid_t pid, uint32_t nr_pages,
                  struct tdf tdf, struct domain **out, struct why *why)
{
    *out = NULL;
    if (nr_pages < SEGMENT_PAGES_MIN || nr_pages > host->max_pages)
        return why_fail(why, -EINVAL,
                        "a domain has %d to %u pages, %u were asked for: ask for less at once, or "
                        "see --max-pages",
                        SEGMENT_PAGES_MIN, host->max_pages, nr_pages);
    if (tdf.num == 0 || tdf_check(tdf) < 0)
        return why_fail(why, -EINVAL, "a time dilation factor is 1/1000 to 1000, not %u/%u",
                        tdf.num, tdf.den);
    struct domain *domain = calloc(1, sizeof(*domain));
    if (domain == NULL)
        return why_fail(why, -ENOMEM, "Dom0 is out of memory");
    domain->host = host;
    domain->domid = domid;
    domain->pid = pid;
    domain->doorbell = DOORBELL_CLOSED;
    domain->fault_slot = domain->segment_fd = -1;
    domain->tdf = tdf;
    domain->settings = host->settings;
    tracer_domain_init(&domain->trace, domid);
    domain->created_ns = clock_monotonic_ns();
    int rc = create_memory(domain, nr_pages);
    const char *step = memory_hint(rc);
    if (rc == 0) {
        step = "its store nodes";
        rc = create_store(domain);
    }
    if (rc == 0) {
        step = "its settings";
        rc = domain_settings_watch(domain);
    }
    if (rc == 0)
        domain_settings_trace(domain);
    if (rc < 0)
        why_fail_errno(why, rc, "Dom0 cannot make a domain: %s", step);
    else
        rc = create_devices(domain, why);
    if (rc < 0) {
        domain_destroy(domain);
        return rc;
    }
    *out = domain;
    return 0;
}

/*
 * Until now the domain could make a hole in its memory at any time, and whoever touches a page
 * while that is done waits for it: nothing of Dom0's but these few lines has looked there.
 */
int domain_mapped(struct domain *domain)
{
    if (domain_is_mapped(domain))
        return -EALREADY;
    int rc = segment_settle(domain->segment_fd);
    if (rc == 0)
        rc = doorbell_watch(&domain->doorbell); /* what was rung meanwhile counts */
    if (rc < 0)
        return rc;
    close(domain->segment_fd);
    domain->segment_fd = -1;
    domain_settings_apply(domain);                        /* as is what was set */
    domain->host->store_ready(domain->host->ctx, domain); /* and what was written */
    return 0;
}

void domain_destroy(struct domain *domain)
{
    if (domain == NULL)
        return;
    const struct domain_host *host = domain->host;
    doorbell_destroy(&domain->doorbell);
    domain_settings_unwatch(domain);
    domain_drop_devices(domain);
    xs_conn_close(domain->store_conn);
    if (toolstack_remove_domain(host->back.store, domain->domid) < 0)
        host->nodes_left(host->ctx, domain->domid);
    xs_server_release(host->back.store, domain->domid);
    tracer_domain_fini(&domain->trace, host->unmapper);
    if (domain->segment_fd >= 0)
        close(domain->segment_fd);
    if (domain->memory != NULL)
        hold_put(&domain->memory->hold);
    free(domain);
}
