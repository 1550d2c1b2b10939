/* SPDX-License-Identifier: MIT */
/*
 * dom0_options: what `service start` can be told, checked and ready for Dom0.
 */
#ifndef SPLITDOM_SERVICE_DOM0_OPTIONS_H
#define SPLITDOM_SERVICE_DOM0_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "splitdom/tdf.h"

enum dom0_engine { ENGINE_AUTO, ENGINE_URING, ENGINE_THREADS, ENGINE_NULL, ENGINE_MODEL };

struct dom0_options {
    const char *image_path; /* absolute */
    enum dom0_engine engine;
    const char *model;        /* parameters of ENGINE_MODEL, else NULL */
    double cache_percent;     /* of the image, 0..1 */
    const char *cache_policy; /* a name that cache_policy_find knows */
    uint64_t idle_timeout_ns; /* of Dom0's clock; 0 = never */
    struct tdf tdf;           /* of Dom0's clock */
    int cpu;                  /* pin Dom0 to it; -1 = don't */
    uint32_t depth;           /* reads at the disk at most, 1..128 */
    uint32_t depth_isolated;  /* the same while a light domain needs protection, 1..depth */
    uint32_t max_domains;
    uint32_t max_pages; /* per domain */
    uint32_t max_ring_page_order;
    bool no_spin;
};

#endif
