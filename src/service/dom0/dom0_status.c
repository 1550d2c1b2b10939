/* SPDX-License-Identifier: MIT */
/*
 * dom0_status: what Dom0 tells of itself, for people and as JSON: the status and the totals at
 * its end.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/memory_file.h"
#include "base/one_line.h"
#include "service/block/device.h"
#include "service/dom0/disks/vbd_report.h"
#include "service/dom0/disks/vdisks_report.h"
#include "service/dom0/dom0_private.h"
#include "service/dom0/domain_devices.h"
#include "service/dom0/vifs/vifs_report.h"
#include "xenstore/xenbus_state.h"

enum { NAME_SHOWN_MAX = 64 }; /* with its NUL; a longer one is not shown */

/* Text into a file in memory. */
struct text_file {
    int fd;
    FILE *out;
};

static int text_open(struct text_file *text)
{
    text->fd = memory_file_create("splitdom-status");
    if (text->fd < 0)
        return text->fd;
    int copy = dup(text->fd);
    text->out = copy < 0 ? NULL : fdopen(copy, "w");
    if (text->out == NULL) {
        int rc = -errno;
        if (copy >= 0)
            close(copy);
        close(text->fd);
        return rc;
    }
    return 0;
}

static int text_finish(struct text_file *text, uint32_t *bytes)
{
    int rc = ferror(text->out) ? -EIO : 0;
    if (fflush(text->out) != 0)
        rc = -errno; /* EFBIG: beyond the limit of file sizes */
    long size = ftell(text->out);
    fclose(text->out);
    if (rc < 0 || size < 0) {
        close(text->fd);
        return rc < 0 ? rc : -EIO;
    }
    *bytes = (uint32_t)size;
    return text->fd;
}

/* All domains, those that have ended included. */
static struct vbd_ring_stats total_stats(const struct dom0 *d)
{
    struct vbd_ring_stats total = d->departed;
    for (uint32_t domid = 1; domid <= d->options->max_domains; domid++) {
        if (d->domains[domid] != NULL) {
            struct vbd_ring_stats stats = domain_vbd_stats(d->domains[domid]);
            vbd_ring_stats_add(&total, &stats);
        }
    }
    return total;
}

static uint64_t rate_since(uint64_t count, uint64_t elapsed_ns)
{
    return elapsed_ns == 0 ? 0 : (uint64_t)((double)count * 1e9 / (double)elapsed_ns);
}

/* Requests a second. By real time: a dilated clock would show another rate. */
struct rates {
    uint64_t now;         /* in the last complete second */
    uint64_t since_start; /* of the domain or of Dom0 */
};

static struct rates domain_rates(const struct domain *domain)
{
    const struct poll_peer *peer = &domain->peer;
    return (struct rates){rate_meter_read(&peer->rate, clock_monotonic_ns(), peer->requests),
                          rate_since(peer->requests, domain_age_ns(domain))};
}

static struct rates all_rates(const struct dom0 *d)
{
    const struct worker_stats worker = worker_stats(&d->worker);
    return (struct rates){worker.rate_now,
                          rate_since(worker.requests, clock_monotonic_ns() - d->started_real_ns)};
}

/* What `service start` was told first; there always is one. */
static const struct vdisk *main_vdisk(const struct dom0 *d)
{
    return d->disks[0].item->vdisk;
}

/* What changes disks is told when there was any. */
static void print_requests(const struct vbd_ring_stats *total, const struct vdisk_stats *vdisk,
                           FILE *out)
{
    bool changes = total->others_done > 0;
    fprintf(out, "requests: %" PRIu64 " read, ", total->reads_done);
    if (changes)
        fprintf(out, "%" PRIu64 " written, %" PRIu64 " flushed, %" PRIu64 " discarded, ",
                vdisk->writes, vdisk->flushes, vdisk->discards);
    fprintf(out, "%" PRIu64 " failed, %" PRIu64 " not supported; sectors: %" PRIu64, total->errors,
            total->unsupported, total->sectors);
    if (changes)
        fprintf(out, " read, %" PRIu64 " written", total->written_sectors);
    putc('\n', out);
}

static void print_totals(struct dom0 *d, FILE *out)
{
    const struct vdisks_totals totals = vdisks_totals(&d->vdisks);
    const struct vdisk_stats *vdisk = &totals.vdisk;
    struct vbd_ring_stats total = total_stats(d);
    uint64_t up_ns = tdf_clock_now_ns(&d->worker.clock) - d->started_ns;
    const struct vdisks_hits hits = vdisks_report_hits(&d->vdisks);
    char reported[64] = "";
    if (hits.reported > 0)
        snprintf(reported, sizeof(reported), ", %" PRIu64 " of them reported by domains",
                 hits.reported);
    fprintf(out,
            "cache hit ratio: %.2f %% (%" PRIu64 " of %" PRIu64 " requests%s; %" PRIu64
            " of %" PRIu64 " sectors used)\n",
            hits.percent, hits.all, hits.requests, reported, vdisks_report_cache_used(&d->vdisks),
            vdisks_report_cache_capacity(&d->vdisks));
    print_requests(&total, vdisk, out);
    vdisks_report_print_devices(&totals, out);
    fprintf(out, "domains: %u now, %" PRIu64 " in all; up %.1f s of Dom0's clock\n",
            d->domain_count, d->domains_created, (double)up_ns / 1e9);
}

/* All disks of a domain in one line. */
struct disks_line {
    const char *state; /* of the first; without a disk: of one that was taken away */
    struct vbd_report now;
    struct vbd_ring_stats stats;
};

static struct disks_line disks_of(const struct domain *domain)
{
    const struct xenbus_back *back = domain_next_device(domain, &vbd_class, NULL);
    struct disks_line line = {.state =
                                  xenbus_state_name(back != NULL ? back->state : XenbusStateClosed),
                              .stats = domain_vbd_stats(domain)};
    for (; back != NULL; back = domain_next_device(domain, &vbd_class, back))
        vbd_report_add(&line.now, back);
    return line;
}

/* How many domains wait for turns. A weight decides nothing before a second one does. */
static uint32_t domains_that_wait(const struct dom0 *d)
{
    uint32_t count = 0;
    for (uint32_t domid = 1; domid <= d->options->max_domains; domid++)
        count += d->domains[domid] != NULL && disks_of(d->domains[domid]).now.waits;
    return count;
}

/* As the store has it; empty without one. */
static void domain_name(const struct domain *domain, char name[NAME_SHOWN_MAX])
{
    char path[XENBUS_PATH_MAX];
    xenbus_home_path(path, domain->domid, "name");
    if (xs_local_read(domain->host->back.store, path, name, NAME_SHOWN_MAX) < 0)
        name[0] = '\0';
}

static void print_domain_row(const struct domain *domain, bool contended, FILE *out)
{
    char name[NAME_SHOWN_MAX];
    const struct disks_line disks = disks_of(domain);
    const struct vbd_ring_stats *stats = &disks.stats;
    const struct rates rates = domain_rates(domain);
    char tdf[TDF_TEXT_SIZE];
    domain_name(domain, name);
    one_line_keep(name);
    tdf_format(domain->tdf, tdf, sizeof(tdf));
    fprintf(out,
            "%5u  %-12s %5u %8s%s %7u%s %12" PRIu64 " %8" PRIu64 " %9u %9" PRIu64 " %11" PRIu64
            " %8d  %s\n",
            domain->domid, disks.state, disks.now.ring_entries, tdf, domain->pauses > 0 ? "*" : " ",
            domain->settings.weight, contended && disks.now.waits ? "!" : " ", stats->requests,
            stats->errors + stats->unsupported, disks.now.in_flight, rates.now, rates.since_start,
            (int)domain->pid, name);
}

/* One disk is in the domain's own line; several have a line each. */
static void print_disk_rows(const struct domain *domain, FILE *out)
{
    struct xenbus_back *back = domain_next_device(domain, &vbd_class, NULL);
    if (back == NULL || domain_next_device(domain, &vbd_class, back) == NULL)
        return;
    for (; back != NULL; back = domain_next_device(domain, &vbd_class, back))
        vdisks_report_print_use(back->lease, xenbus_state_name(back->state), out);
}

static void print_table(struct dom0 *d, FILE *out)
{
    char tdf[TDF_TEXT_SIZE];
    tdf_format(d->tdf, tdf, sizeof(tdf));
    fprintf(out, "service \"%s\" (pid %d): ", d->rundir->name, (int)getpid());
    one_line_put(d->disks[0].spec.target, out);
    fprintf(out, ", %" PRIu64 " sectors, engine %s, TDF %s\n",
            main_vdisk(d)->capabilities.sector_count, d->engine_name, tdf);
    print_totals(d, out);
    const struct rates rates = all_rates(d);
    fprintf(out,
            "requests a second: %" PRIu64 " now (in the last full second), %" PRIu64
            " since start\n",
            rates.now, rates.since_start);
    vdisks_report_print(&d->vdisks, out);
    vifs_report_print(&d->vifs, out);
    if (d->domain_count == 0)
        return;
    fprintf(out, "%5s  %-12s %5s %8s  %7s  %12s %8s %9s %9s %11s %8s  %s\n", "domid", "state",
            "ring", "tdf", "weight", "requests", "errors", "in flight", "req/s now", "since start",
            "pid", "name");
    const bool contended = domains_that_wait(d) > 1;
    for (uint32_t domid = 1; domid <= d->options->max_domains; domid++) {
        if (d->domains[domid] == NULL)
            continue;
        print_domain_row(d->domains[domid], contended, out);
        print_disk_rows(d->domains[domid], out);
    }
    if (contended)
        fprintf(out, "!: requests wait for turns at the disk, by this weight\n");
}

static void write_rates(struct json *json, struct rates rates)
{
    json_u64(json, "rate_now", rates.now);
    json_u64(json, "rate_since_start", rates.since_start);
}

static void write_domain(struct json *json, const struct domain *domain, bool contended)
{
    const struct disks_line disks = disks_of(domain);
    char tdf[TDF_TEXT_SIZE], scale[TDF_TEXT_SIZE], name[NAME_SHOWN_MAX];
    tdf_format(domain->tdf, tdf, sizeof(tdf));
    tdf_format(domain->settings.disk_scale, scale, sizeof(scale));
    domain_name(domain, name);
    json_object(json, NULL);
    json_u64(json, "domid", domain->domid);
    json_string(json, "name", name);
    json_u64(json, "client_pid", (uint64_t)domain->pid);
    json_string(json, "state", disks.state);
    vbd_report_write_load(json, &disks.now);
    json_bool(json, "weight_binds", contended && disks.now.waits);
    json_u64(json, "weight", domain->settings.weight);
    json_string(json, "tdf", tdf);
    json_bool(json, "paused", domain->pauses > 0);
    json_string(json, "disk_scale", scale);
    json_u64(json, "pages", domain->segment.nr_pages);
    json_bool(json, "store_broken", domain->store_broken);
    json_u64(json, "doorbell_mutes", domain->doorbell.mutes);
    json_u64(json, "age_ns", domain_age_ns(domain));
    write_rates(json, domain_rates(domain));
    vbd_report_write_stats(json, &disks.stats);
    json_array(json, "vbds");
    for (struct xenbus_back *back = domain_next_device(domain, &vbd_class, NULL); back != NULL;
         back = domain_next_device(domain, &vbd_class, back))
        vbd_report_write(json, back);
    json_end(json);
    json_array(json, "vifs");
    for (struct xenbus_back *back = domain_next_device(domain, &vif_class, NULL); back != NULL;
         back = domain_next_device(domain, &vif_class, back))
        vifs_report_write(json, back);
    json_end(json);
    json_end(json);
}

static void write_cache(struct json *json, const struct dom0 *d)
{
    const struct vdisks_totals totals = vdisks_totals(&d->vdisks);
    const struct vdisk_stats *vdisk = &totals.vdisk;
    const struct vdisks_hits hits = vdisks_report_hits(&d->vdisks);
    json_object(json, "cache");
    json_string(json, "policy", d->options->cache_policy);
    json_u64(json, "capacity_sectors", vdisks_report_cache_capacity(&d->vdisks));
    json_u64(json, "used_sectors", vdisks_report_cache_used(&d->vdisks));
    json_u64(json, "hits", hits.on_ring);
    json_u64(json, "reported_hits", hits.reported);
    json_u64(json, "misses", vdisk->misses);
    json_u64(json, "shared", vdisk->shared);
    json_fixed(json, "hit_ratio", hits.percent / 100.0, 6);
    json_end(json);
}

static void write_disk(struct json *json, const struct dom0 *d)
{
    const struct vdisks_totals totals = vdisks_totals(&d->vdisks);
    const struct device_stats *device = &totals.device;
    json_object(json, "disk");
    json_u64(json, "reads", device->reads);
    json_u64(json, "bytes", device->bytes);
    json_u64(json, "errors", device->errors);
    json_u64(json, "in_flight", vdisks_in_flight(&d->vdisks));
    json_u64(json, "in_flight_peak", device->in_flight_peak);
    json_end(json);
}

static void write_service(struct json *json, struct dom0 *d)
{
    char tdf[TDF_TEXT_SIZE];
    tdf_format(d->tdf, tdf, sizeof(tdf));
    json_string(json, "name", d->rundir->name);
    json_u64(json, "pid", (uint64_t)getpid());
    json_string(json, "image", d->disks[0].spec.target);
    json_u64(json, "sectors", main_vdisk(d)->capabilities.sector_count);
    json_u64(json, "block_size", main_vdisk(d)->image.block_size_bytes);
    json_string(json, "engine", d->engine_name);
    json_string(json, "tdf", tdf);
    json_u64(json, "up_ns", tdf_clock_now_ns(&d->worker.clock) - d->started_ns);
    json_u64(json, "age_ns", clock_monotonic_ns() - d->started_real_ns);
}

static void print_json(struct dom0 *d, FILE *out)
{
    struct vbd_ring_stats total = total_stats(d);
    struct json json;
    json_start(&json, out, JSON_COMPACT);
    json_object(&json, NULL);
    write_service(&json, d);
    vdisks_report_write(&d->vdisks, &json);
    vifs_report_write_network(&d->vifs, &json);
    write_cache(&json, d);
    write_disk(&json, d);
    json_object(&json, "loop");
    const struct worker_stats worker = worker_stats(&d->worker);
    json_u64(&json, "turns", worker.turns);
    json_u64(&json, "arms", worker.arms);
    json_end(&json);
    json_object(&json, "total");
    vbd_report_write_stats(&json, &total);
    write_rates(&json, all_rates(d));
    json_end(&json);
    json_u64(&json, "domains_created", d->domains_created);
    json_array(&json, "domains");
    const bool contended = domains_that_wait(d) > 1;
    for (uint32_t domid = 1; domid <= d->options->max_domains; domid++) {
        if (d->domains[domid] != NULL)
            write_domain(&json, d->domains[domid], contended);
    }
    json_end(&json);
    json_end(&json);
    fputc('\n', out);
}

/* Two texts, for people and for programs, with a NUL between them. */
int dom0_status_text(void *ctx, uint32_t *bytes)
{
    struct dom0 *d = ctx;
    struct text_file text;
    int rc = text_open(&text);
    if (rc < 0)
        return rc;
    print_table(d, text.out);
    fputc('\0', text.out);
    print_json(d, text.out);
    return text_finish(&text, bytes);
}

int dom0_farewell_text(struct dom0 *d, uint32_t *bytes)
{
    struct text_file text;
    int rc = text_open(&text);
    if (rc < 0)
        return rc;
    print_totals(d, text.out);
    const struct vdisks_totals totals = vdisks_totals(&d->vdisks);
    struct vbd_ring_stats total = total_stats(d);
    log_line(d->log, "cache hit ratio %.2f %%, %" PRIu64 " requests, %" PRIu64 " disk reads",
             vdisks_report_hits(&d->vdisks).percent, total.requests, totals.device.reads);
    return text_finish(&text, bytes);
}
