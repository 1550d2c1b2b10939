/* SPDX-License-Identifier: MIT */
/*
 * top_sample: what Dom0 tells of itself at one instant, out of the JSON of its status
 * (CONTROL_STATUS), and what /proc tells of the processes. All counters are from the beginning.
 */
#ifndef SPLITDOM_SERVICE_CLI_TOP_TOP_SAMPLE_H
#define SPLITDOM_SERVICE_CLI_TOP_TOP_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "service/cli/top/top_process.h"

enum {
    TOP_NAME_SIZE = 64,
    TOP_WORD_SIZE = 32,
    TOP_PATH_SIZE = 256,
};

/* Of one disk, or of all disks of a domain. */
struct top_load {
    uint64_t requests, reads, writes, out_of_room, read_sectors, written_sectors;
    uint64_t reported_hits; /* reads that the domain found in the shared cache, as it says */
    uint64_t ring_entries, on_ring, in_flight, wait_for_turn, at_disk; /* now */
    bool halted;
};

struct top_disk {
    uint64_t devid;
    char vdev[TOP_WORD_SIZE];
    char image[TOP_PATH_SIZE];
    double hit_ratio; /* of the image, from the beginning */
    struct top_load load;
};

/* One network interface, as Dom0 sees it and as xentop has it: rx is what came from the domain. */
struct top_vif {
    uint64_t devid;
    char name[TOP_WORD_SIZE], mac[TOP_WORD_SIZE];
    uint64_t rx_bytes, rx_frames, rx_errors, rx_dropped;
    uint64_t tx_bytes, tx_frames, tx_errors, tx_dropped;
};

struct top_domain {
    uint64_t domid, pid, pages, weight, rate_now;
    uint64_t age_ns; /* real time */
    /* Since the last sample, of some requests: how long they were in Dom0. The caller's to set. */
    uint64_t timed, p50_ns, p99_ns;
    char name[TOP_NAME_SIZE]; /* printable, without blanks; never empty */
    char tdf[TOP_WORD_SIZE];
    bool paused, weight_binds;
    struct top_load load;
    size_t first_disk, disk_count; /* in the sample's disks */
    size_t first_vif, vif_count;   /* in its vifs */
    struct top_process process;
};

struct top_sample {
    uint64_t taken_ns; /* CLOCK_MONOTONIC; the caller's to set */
    uint64_t pid;
    uint64_t up_ns, age_ns; /* Dom0's clock; real time */
    char name[TOP_NAME_SIZE], tdf[TOP_WORD_SIZE], engine[TOP_WORD_SIZE];
    uint64_t hits, reported_hits, misses; /* of all caches */
    uint64_t disk_reads, disk_in_flight;  /* of all disks */
    uint64_t requests, rate_now;          /* of all domains, those that have ended too */
    struct top_process process;           /* Dom0 */
    struct top_domain *domains;           /* by domid */
    size_t domain_count, domain_room;
    struct top_disk *disks;
    size_t disk_count, disk_room;
    struct top_vif *vifs;
    size_t vif_count, vif_room;
};

/* Reads the JSON. *out is to be freed in any case. Processes are not looked at. Errors: -EPROTO no
 * status of a service; -ENOMEM. */
int top_sample_read(struct top_sample *out, const char *json, size_t bytes);
/* Looks at the processes, where the caller sees them by Dom0's numbers. */
void top_sample_look(struct top_sample *sample);
void top_sample_free(struct top_sample *sample);

/* The same domain in an earlier sample; NULL: it was not there. */
const struct top_domain *top_sample_find(const struct top_sample *sample,
                                         const struct top_domain *domain);

#endif
