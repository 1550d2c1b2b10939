/* SPDX-License-Identifier: MIT */
#include "service/dom0/dom0_setup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "ring/fault_guard.h"
#include "service/block/device.h"
#include "service/dom0/dom0_private.h"
#include "service/dom0/dom0_wakeups.h"
#include "service/dom0/memory/memory_limit.h"
#include "service/dom0/toolstack.h"

enum {
    SPARE_CONNECTIONS = 64, /* verbs of `service` beside the domains */
    STORE_CONNECTIONS_MAX = 256,
    FDS_PER_DOMAIN = 3,
    FDS_FIRST_DOMAIN = FDS_PER_DOMAIN + 2, /* its memory's file, and what watches the directory */
    FDS_BASE = 512,
};

/* Line, doorbell and its timer for each domain: the default soft limit of 1024 would end at 300 of
 * them. */
static void raise_fd_limit(const struct dom0_options *options)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)options->max_domains * FDS_PER_DOMAIN + FDS_BASE;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < wanted) {
        limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Where there is no disk, or one with threads of its own, no interrupt of its is ours. */
static int place(struct dom0 *d, struct why *why)
{
    int cpu = d->options->cpu;
    if (cpu == PLACEMENT_AUTO && strcmp(d->engine_name, disk_uring_ops.name) != 0)
        cpu = PLACEMENT_ANY;
    int rc = placement_init(&d->placement, cpu, &d->disks[0].item->vdisk->image);
    if (d->placement.home >= 0)
        log_line(d->log,
                 "reads complete on CPU %d (interrupt %u): Dom0 stays there while it waits for "
                 "the disk",
                 d->placement.home, d->placement.irq);
    if (rc < 0 && cpu >= 0)
        return why_fail(why, rc, "--cpu %d: there is no such CPU, or this process may not use it",
                        cpu);
    return rc < 0 ? why_fail_errno(why, rc, "cannot find a CPU for Dom0") : 0;
}

static int create_domains(struct dom0 *d)
{
    d->domains = calloc((size_t)d->options->max_domains + 1, sizeof(struct domain *));
    d->nodes_left = calloc((size_t)d->options->max_domains + 1, sizeof(bool));
    if (d->domains == NULL || d->nodes_left == NULL)
        return -ENOMEM;
    /* Ring pages that are not contiguous are guarded as a second range. */
    return fault_guard_install(2 * d->options->max_domains);
}

enum {
    /* Of the time beside busy rings, one part in so many. A request of the store is cheap, and
     * there may be any number; a domain is dear (its memory is made), and many come at once when a
     * machine starts its work. */
    STORE_SHARE = 50,
    CONTROL_SHARE = 10,
};

/* A system without memory that can be sealed is told now, and not to each domain. What else is
 * wrong may be right when a domain comes. */
static int try_memory(void)
{
    struct segment segment;
    int fd, rc = segment_create(SEGMENT_PAGES_MIN, 1, &segment, &fd);
    if (rc < 0)
        return rc == -EOPNOTSUPP ? rc : 0;
    segment_detach(&segment);
    close(fd);
    return 0;
}

/* Nor does a service begin that nobody could be served by: its sockets would take connections and
 * leave them waiting. */
static int try_descriptors(void)
{
    int fds[FDS_FIRST_DOMAIN], count = 0, rc = 0;
    while (rc == 0 && count < FDS_FIRST_DOMAIN) {
        int fd = eventfd(0, EFD_CLOEXEC);
        if (fd < 0)
            rc = -errno;
        else
            fds[count++] = fd;
    }
    while (count > 0)
        close(fds[--count]);
    return rc;
}

/* Before Dom0 is bound to a CPU: the thread is not to share that one. */
static void start_unmapper(struct dom0 *d)
{
    int rc = unmapper_create(&d->unmapper);
    if (rc < 0)
        log_line(d->log,
                 "no thread to give memory back (%s): the end of a large domain holds up "
                 "the others",
                 strerror(-rc));
}

/* Only tools can ask for such lines, and a trace ends by itself. */
static void store_log(void *ctx, const char *text)
{
    struct dom0 *d = ctx;
    log_line(d->log, "xenstore: %s", text);
}

static void store_ready(void *ctx, struct domain *domain)
{
    struct dom0 *d = ctx;
    if (!list_is_linked(&domain->store_link))
        list_push_back(&d->store_pending, &domain->store_link);
}

static void domain_lost(void *ctx)
{
    struct dom0 *d = ctx;
    d->any_lost = true;
}

static void nodes_left(void *ctx, domid_t domid)
{
    struct dom0 *d = ctx;
    d->nodes_left_count += !d->nodes_left[domid];
    d->nodes_left[domid] = true;
}

static int admit(void *ctx, const struct domain *domain, const struct back_spec *spec, void **lease,
                 struct why *why)
{
    (void)ctx;
    if (spec->class == &vbd_class)
        return dom0_disk_admit(domain, spec, lease, why);
    *lease = ((const struct vif_options *)spec->options)->network_ctx;
    return 0;
}

static void released(void *ctx, const struct back_class *class, void *lease)
{
    struct dom0 *d = ctx;
    if (class == &vbd_class) {
        dom0_disk_released(d, lease);
        return;
    }
    const struct vifs_use *use = lease;
    domid_t domid = use->domid;
    uint32_t devid = use->devid;
    vifs_release(lease);
    dom0_device_is_gone(d, class, domid, devid);
}

static void fill_host(struct dom0 *d)
{
    d->host = (struct domain_host){.poller = d->worker.poller,
                                   .back = {.store = d->store,
                                            .log = d->log,
                                            .log_limit = &d->device_log_limit,
                                            .pollables = &d->worker.pollables},
                                   .time_source = d->time_source,
                                   .unmapper = d->unmapper,
                                   .memory_bytes = &d->domains_bytes,
                                   .tracer = &d->tracer,
                                   .max_pages = d->options->max_pages,
                                   .settings = {.weight = SCHED_WEIGHT_DEFAULT,
                                                .disk_scale = {(uint32_t)d->options->scale_num,
                                                               (uint32_t)d->options->scale_den}},
                                   .devices = d->devices,
                                   .device_count = d->disk_count,
                                   .store_ready = store_ready,
                                   .domain_lost = domain_lost,
                                   .nodes_left = nodes_left,
                                   .attach_more = dom0_network_attach_more,
                                   .admit = admit,
                                   .released = released,
                                   .ctx = d};
}

/* Sockets come last: whoever can connect can be served. */
static int open_sockets(struct dom0 *d)
{
    int rc = store_socket_create(d->rundir->store_socket, d->worker.poller, d->store, d->log,
                                 STORE_CONNECTIONS_MAX, &d->store_socket);
    if (rc == 0)
        rc = control_create(d->rundir->control_socket, d->worker.poller, d->log,
                            d->options->max_domains + SPARE_CONNECTIONS, &dom0_control_ops, d,
                            &d->control);
    worker_add_work(&d->worker, &d->store_work, STORE_SHARE);
    worker_add_work(&d->worker, &d->control_work, CONTROL_SHARE);
    return rc;
}

static int assemble(struct dom0 *d, struct why *why)
{
    int rc = dom0_disks_create(d, why);
    if (rc < 0)
        return rc;
    rc = dom0_network_create(d, why);
    if (rc < 0)
        return rc;
    rc = place(d, why);
    if (rc < 0)
        return rc;
    const char *step = "create the store";
    rc = xs_server_create(NULL, &d->store);
    if (rc == 0)
        rc = toolstack_create_dom0(d->store);
    if (rc == 0)
        xs_server_set_log(d->store, store_log, d);
    if (rc == 0) {
        step = "wait for signals";
        rc = dom0_wakeups_create(d);
    }
    if (rc == 0) {
        step = "make memory for domains (memfd_create, F_ADD_SEALS: does a container forbid them?)";
        rc = try_memory();
    }
    if (rc == 0) {
        step = "prepare for domains";
        rc = create_domains(d);
        fill_host(d);
    }
    if (rc == 0)
        rc = dom0_settings_create(d);
    if (rc == 0) {
        step = "open the sockets";
        rc = open_sockets(d);
    }
    if (rc == 0) {
        step = "serve even one domain (ulimit -n)";
        rc = try_descriptors();
    }
    return rc < 0 ? why_fail_errno(why, rc, "cannot %s", step) : 0;
}

int dom0_setup(const struct dom0_options *options, const struct rundir *rundir, struct log *log,
               struct tdf_source *time_source, struct dom0 **out, struct why *why)
{
    *out = NULL;
    struct dom0 *d = calloc(1, sizeof(*d));
    if (d == NULL)
        return why_fail(why, -ENOMEM, "out of memory");
    d->options = options;
    d->rundir = rundir;
    d->log = log;
    tdf_source_real(&d->real_time);
    d->time_source = time_source != NULL ? time_source : &d->real_time;
    d->tdf = (struct tdf){.num = (uint32_t)options->tdf_num, .den = (uint32_t)options->tdf_den};
    d->store_work.ops = &dom0_store_work_ops;
    d->control_work.ops = &dom0_control_work_ops;
    d->signal_fd = -1;
    tracer_init(&d->tracer);
    d->domains_max_bytes =
        options->domains_max_bytes != 0
            ? options->domains_max_bytes
            : memory_limit_bytes(memory_limit_machine_bytes(), MEMORY_LIMIT_CGROUP);
    d->caches_max_bytes =
        options->caches_max_bytes != 0
            ? options->caches_max_bytes
            : memory_limit_bytes(memory_limit_machine_bytes(), MEMORY_LIMIT_CGROUP) / 2;
    raise_fd_limit(options);
    start_unmapper(d);
    int rc = assemble(d, why);
    if (rc < 0) {
        dom0_teardown(d);
        return rc;
    }
    for (uint32_t i = 0; i < d->disk_count; i++) {
        const struct vdisk *vdisk = d->disks[i].item->vdisk;
        log_line(log, "serving %s: %llu sectors, engine %s, cache %u sectors (%s), %s for %s",
                 d->disks[i].spec.target, (unsigned long long)vdisk->capabilities.sector_count,
                 d->engine_name, cache_capacity(vdisk->cache), options->cache_policy,
                 disk_access_name(d->disks[i].spec.access), d->disks[i].dev);
    }
    *out = d;
    return 0;
}

void dom0_teardown(struct dom0 *d)
{
    if (d == NULL)
        return;
    control_destroy(d->control); /* ends the domains, too */
    tracer_fini(&d->tracer);
    store_socket_destroy(d->store_socket);
    dom0_wakeups_destroy(d);
    xs_server_destroy(d->store);
    dom0_disks_destroy(d);
    dom0_network_destroy(d);
    worker_fini(&d->worker);
    unmapper_destroy(d->unmapper);
    if (d->domains != NULL)
        fault_guard_remove();
    free(d->domains);
    free(d->nodes_left);
    free(d);
}

void dom0_abandon(struct dom0 *d)
{
    control_destroy(d->control);
    store_socket_destroy(d->store_socket);
}
