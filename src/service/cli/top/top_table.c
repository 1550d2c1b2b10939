/* SPDX-License-Identifier: MIT */
#include "service/cli/top/top_table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void put_text(struct top_row *row, enum top_column column, const char *text)
{
    struct top_cell *cell = &row->cells[column];
    snprintf(cell->text, sizeof(cell->text), "%s", text);
    cell->value = -1; /* behind all numbers */
}

static void put_number(struct top_row *row, enum top_column column, uint64_t number)
{
    struct top_cell *cell = &row->cells[column];
    snprintf(cell->text, sizeof(cell->text), "%" PRIu64, number);
    cell->value = (double)number;
    cell->is_number = true;
}

static void put_tenths(struct top_row *row, enum top_column column, double number)
{
    struct top_cell *cell = &row->cells[column];
    snprintf(cell->text, sizeof(cell->text), "%.1f", number);
    cell->value = number;
    cell->is_number = true;
}

/* A share of all; 0 of nothing. */
static double percent(double part, double all)
{
    return all > 0 ? 100.0 * part / all : 0.0;
}

static double memory_kib(void)
{
    return (double)sysconf(_SC_PHYS_PAGES) * ((double)sysconf(_SC_PAGESIZE) / 1024);
}

/* As xentop has them: dying, shut down, blocked, crashed, paused, running. */
static void put_state(struct top_row *row, const struct top_process *process, bool halted,
                      bool paused)
{
    char state[] = "------";
    if (process->dying)
        state[0] = 'd';
    if (process->visible && !process->running && !process->dying)
        state[2] = 'b';
    if (halted)
        state[3] = 'c';
    if (paused)
        state[4] = 'p';
    if (process->running)
        state[5] = 'r';
    put_text(row, TOP_STATE, state);
}

static void put_process(struct top_row *row, const struct top_process *now,
                        const struct top_process *before, uint64_t span_ns)
{
    if (!now->visible) {
        put_text(row, TOP_CPU_SEC, "n/a");
        put_text(row, TOP_CPU_PERCENT, "n/a");
        return;
    }
    double spent_ns = 0;
    if (before != NULL && before->visible && before->cpu_ns <= now->cpu_ns)
        spent_ns = (double)(now->cpu_ns - before->cpu_ns);
    put_number(row, TOP_CPU_SEC, now->cpu_ns / 1000000000);
    put_tenths(row, TOP_CPU_PERCENT, percent(spent_ns, (double)span_ns));
}

/* Columns that xentop has and that say the same of all. */
static void put_constants(struct top_row *row)
{
    put_number(row, TOP_VCPUS, 1);
    put_number(row, TOP_SSID, 0);
}

static void put_networks(struct top_row *row, const struct top_vif *vifs, size_t count)
{
    uint64_t tx_bytes = 0, rx_bytes = 0;
    for (size_t i = 0; i < count; i++) {
        tx_bytes += vifs[i].tx_bytes;
        rx_bytes += vifs[i].rx_bytes;
    }
    put_number(row, TOP_NETS, count);
    put_number(row, TOP_NETTX, tx_bytes / 1024);
    put_number(row, TOP_NETRX, rx_bytes / 1024);
    row->vifs = vifs;
    row->vif_count = count;
}

static uint64_t per_second(uint64_t count, uint64_t span_ns)
{
    return (uint64_t)((double)count * 1e9 / (double)span_ns + 0.5);
}

static void put_load(struct top_row *row, const struct top_load *load)
{
    put_number(row, TOP_VBD_OO, load->out_of_room);
    put_number(row, TOP_VBD_RD, load->reads);
    put_number(row, TOP_VBD_WR, load->writes);
    put_number(row, TOP_VBD_RSECT, load->read_sectors);
    put_number(row, TOP_VBD_WSECT, load->written_sectors);
    put_number(row, TOP_RING, load->ring_entries);
    put_tenths(row, TOP_FILL,
               percent((double)(load->on_ring + load->in_flight), (double)load->ring_entries));
    put_number(row, TOP_HITS, load->reported_hits);
    put_number(row, TOP_W_RING, load->on_ring);
    put_number(row, TOP_W_TURN, load->wait_for_turn);
    put_number(row, TOP_W_DISK, load->at_disk);
}

/* Of nothing there is none. */
static void put_latency(struct top_row *row, enum top_column column, uint64_t timed, uint64_t ns)
{
    if (timed == 0)
        put_text(row, column, "-");
    else
        put_tenths(row, column, (double)ns / 1e3);
}

/* Dom0 has the rest: its own memory, and what is not a domain's. */
static void fill_dom0(struct top_row *row, const struct top_sample *now,
                      const struct top_sample *before)
{
    const struct top_load none = {0};
    uint64_t span_ns = before == NULL ? 0 : now->taken_ns - before->taken_ns;
    put_text(row, TOP_NAME, "Domain-0");
    put_state(row, &now->process, false, false);
    put_process(row, &now->process, before == NULL ? NULL : &before->process, span_ns);
    put_number(row, TOP_MEM, now->process.rss_kib);
    put_tenths(row, TOP_MEM_PERCENT, percent((double)now->process.rss_kib, memory_kib()));
    put_text(row, TOP_MAXMEM, "no limit");
    put_text(row, TOP_MAXMEM_PERCENT, "n/a");
    put_constants(row);
    put_networks(row, NULL, 0);
    put_number(row, TOP_VBDS, 0);
    put_load(row, &none);
    put_latency(row, TOP_P50, 0, 0);
    put_latency(row, TOP_P99, 0, 0);
    put_number(row, TOP_DOMID, 0);
    put_text(row, TOP_TDF, now->tdf);
    put_text(row, TOP_WEIGHT, "-");
    put_number(row, TOP_RATE, 0);
}

static void fill_domain(struct top_row *row, const struct top_domain *domain,
                        const struct top_domain *before, uint64_t span_ns)
{
    uint64_t kib = domain->pages * 4;
    put_text(row, TOP_NAME, domain->name);
    put_state(row, &domain->process, domain->load.halted, domain->paused);
    put_process(row, &domain->process, before == NULL ? NULL : &before->process, span_ns);
    put_number(row, TOP_MEM, kib);
    put_tenths(row, TOP_MEM_PERCENT, percent((double)kib, memory_kib()));
    put_number(row, TOP_MAXMEM, kib);
    put_tenths(row, TOP_MAXMEM_PERCENT, percent((double)kib, memory_kib()));
    put_constants(row);
    put_number(row, TOP_VBDS, domain->disk_count);
    put_load(row, &domain->load);
    put_latency(row, TOP_P50, domain->timed, domain->p50_ns);
    put_latency(row, TOP_P99, domain->timed, domain->p99_ns);
    put_number(row, TOP_DOMID, domain->domid);
    put_text(row, TOP_TDF, domain->tdf);
    put_number(row, TOP_WEIGHT, domain->weight);
    if (domain->weight_binds)
        strcat(row->cells[TOP_WEIGHT].text, "!");
    put_number(row, TOP_RATE,
               before == NULL || span_ns == 0
                   ? domain->rate_now
                   : per_second(domain->load.requests - before->load.requests, span_ns));
    row->domid = domain->domid;
}

int top_table_make(struct top_table *out, const struct top_sample *now,
                   const struct top_sample *before)
{
    uint64_t span_ns = before == NULL ? 0 : now->taken_ns - before->taken_ns;
    *out = (struct top_table){.count = now->domain_count + 1};
    out->rows = calloc(out->count, sizeof(*out->rows));
    if (out->rows == NULL)
        return -ENOMEM;
    fill_dom0(&out->rows[0], now, before);
    for (size_t i = 0; i < now->domain_count; i++) {
        const struct top_domain *domain = &now->domains[i];
        struct top_row *row = &out->rows[i + 1];
        fill_domain(row, domain, before == NULL ? NULL : top_sample_find(before, domain), span_ns);
        put_networks(row, domain->vif_count > 0 ? now->vifs + domain->first_vif : NULL,
                     domain->vif_count);
        row->disk_count = domain->disk_count;
        row->disks = domain->disk_count > 0 ? now->disks + domain->first_disk : NULL;
    }
    return 0;
}

static int compare(const void *left, const void *right, void *ctx)
{
    const struct top_row *a = left, *b = right;
    const enum top_column column = *(const enum top_column *)ctx;
    const struct top_cell *one = &a->cells[column], *other = &b->cells[column];
    int order = 0;
    if (column == TOP_NAME || column == TOP_STATE)
        order = strcmp(one->text, other->text);
    else
        order = (one->value < other->value) - (one->value > other->value);
    return order != 0 ? order : (a->domid > b->domid) - (a->domid < b->domid);
}

void top_table_sort(struct top_table *table, enum top_column column)
{
    qsort_r(table->rows, table->count, sizeof(*table->rows), compare, &column);
}

void top_table_free(struct top_table *table)
{
    free(table->rows);
    *table = (struct top_table){0};
}
