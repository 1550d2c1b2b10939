/* SPDX-License-Identifier: MIT */
/*
 * top_table: a row for each domain, with Dom0's first: what stands in each column. Pure.
 *
 * Rates and CPU(%) are those of the time between two samples. Without an earlier sample CPU(%) is
 * 0, as xentop has it, and the rate is the one that Dom0 has for its last full second.
 */
#ifndef SPLITDOM_SERVICE_CLI_TOP_TOP_TABLE_H
#define SPLITDOM_SERVICE_CLI_TOP_TOP_TABLE_H

#include "service/cli/top/top_sample.h"

/* xentop's, in its order; then ours. */
enum top_column {
    TOP_NAME,
    TOP_STATE,
    TOP_CPU_SEC,
    TOP_CPU_PERCENT,
    TOP_MEM,
    TOP_MEM_PERCENT,
    TOP_MAXMEM,
    TOP_MAXMEM_PERCENT,
    TOP_VCPUS,
    TOP_NETS,
    TOP_NETTX, /* KiB, as Dom0 sees it: to the domain, */
    TOP_NETRX, /* and from the domain */
    TOP_VBDS,
    TOP_VBD_OO,
    TOP_VBD_RD,
    TOP_VBD_WR,
    TOP_VBD_RSECT,
    TOP_VBD_WSECT,
    TOP_SSID,
    TOP_DOMID,
    TOP_TDF,
    TOP_WEIGHT, /* with "!" while it decides who gets how much */
    TOP_RING,   /* slots */
    TOP_FILL,   /* of these, in percent, requests that are not answered */
    TOP_RATE,   /* requests a second of real time */
    TOP_HITS,   /* reads that the domain found in the shared cache, as it says */
    TOP_W_RING, /* requests that wait to be taken, */
    TOP_W_TURN, /* for a turn, */
    TOP_W_DISK, /* and for the disk */
    TOP_P50,    /* us that requests were in Dom0, in the last interval */
    TOP_P99,
    TOP_COLUMNS,
};

struct top_cell {
    char text[TOP_NAME_SIZE];
    double value;   /* to sort by, where is_number */
    bool is_number; /* the text is a number that may be shortened */
};

struct top_row {
    struct top_cell cells[TOP_COLUMNS];
    uint64_t domid;
    const struct top_disk *disks; /* the sample's */
    size_t disk_count;
    const struct top_vif *vifs; /* the sample's, too */
    size_t vif_count;
};

struct top_table {
    struct top_row *rows;
    size_t count;
};

/* now and before (or NULL) are samples of one Dom0; now outlives the table, which is to be freed.
 * Errors: -ENOMEM. */
int top_table_make(struct top_table *out, const struct top_sample *now,
                   const struct top_sample *before);
/* Numbers downwards, names upwards; equal ones by domid. */
void top_table_sort(struct top_table *table, enum top_column column);
void top_table_free(struct top_table *table);

#endif
