/* SPDX-License-Identifier: MIT */
/* dom0_options: everything that Dom0 is told when it starts. Strings outlive Dom0. */
#ifndef SPLITDOM_SERVICE_DOM0_DOM0_OPTIONS_H
#define SPLITDOM_SERVICE_DOM0_DOM0_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum dom0_engine {
    DOM0_ENGINE_AUTO, /* uring where it works, else threads */
    DOM0_ENGINE_URING,
    DOM0_ENGINE_THREADS,
    DOM0_ENGINE_NULL,
    DOM0_ENGINE_MODEL,
};

enum {
    /* Parts per million of the image's bytes: one percent is the most, and the default. */
    DOM0_CACHE_PPM_MAX = 10000,
    DOM0_DEPTH_MAX = 128,
    DOM0_DOMAINS_MAX = 4096,
    DOM0_PAGES_MIN = 64,
    DOM0_PAGES_MAX = 16384,
    DOM0_RING_PAGE_ORDER_MAX = 4,
    DOM0_DISKS_MAX = 64, /* that a new domain gets */
    DOM0_VIFS_MAX = 16,  /* likewise */
    DOM0_BRIDGES_MAX = 64,
};

/* cache_bytes when the cache is given as a share of the image. */
#define DOM0_CACHE_BYTES_UNSET UINT64_MAX

struct disk_spec;
struct vif_spec;

struct dom0_options {
    const char *image_path; /* absolute: xvda of every new domain, read-only; NULL: there is none */
    const struct disk_spec *disks; /* more disks of every new domain, targets absolute */
    uint32_t disk_count;
    const struct vif_spec *vifs; /* network interfaces of every new domain */
    uint32_t vif_count;
    const char *const *bridges; /* their names, all different; none: NET_BRIDGE_DEFAULT */
    uint32_t bridge_count;
    enum dom0_engine engine;
    const char *model;             /* parameters of the model engine, or NULL */
    uint64_t cache_bytes;          /* 0: no cache; DOM0_CACHE_BYTES_UNSET: cache_ppm counts */
    uint32_t cache_ppm;            /* 0: no cache */
    const char *cache_policy;      /* name, see cache_policy_find */
    uint64_t idle_timeout_ns;      /* Dom0's clock without a request until it ends; 0: never */
    uint64_t tdf_num, tdf_den;     /* time dilation of Dom0's own clock */
    uint64_t scale_num, scale_den; /* --disk-scale: what new domains' disks start with; >= 1 */
    int cpu;                       /* to run on, or PLACEMENT_AUTO, PLACEMENT_ANY */
    uint32_t depth;                /* reads in flight at the disk */
    uint32_t depth_alone;          /* the same of a domain that is alone; >= depth */
    uint32_t depth_isolated;       /* the same while more than one domain is active; <= depth */
    uint32_t nbd_reconnect_s;      /* for a server that has gone; 0: its disk has gone, too */
    uint32_t max_domains;
    uint32_t max_pages;         /* of one domain's memory */
    uint64_t domains_max_bytes; /* of all domains' memory; 0: half of the machine's */
    uint64_t caches_max_bytes;  /* of all caches that are a share of their image; 0: a quarter */
    uint32_t max_ring_page_order;
    bool shared_cache; /* domains may map the cache read-only */
    bool no_spin;      /* sleep at once when nothing is to be done */
};

/* What a `service start` without options uses. */
struct dom0_options dom0_options_default(void);

/* "auto", "uring", ... */
const char *dom0_engine_name(enum dom0_engine engine);

/*
 * The cache's bound for an image of this size. Errors: -EINVAL more than 1 % of the image was asked
 * for; *out is then the most that is allowed.
 */
int dom0_options_cache_bytes(const struct dom0_options *options, uint64_t image_bytes,
                             uint64_t *out);

#endif
