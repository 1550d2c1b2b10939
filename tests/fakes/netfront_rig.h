/* SPDX-License-Identifier: MIT */
/*
 * netfront_rig: a domain with an interface at a fake Dom0, for the tests of netfront. A test that
 * hangs is ended after a minute.
 */
#ifndef SPLITDOM_TESTS_NETFRONT_RIG_H
#define SPLITDOM_TESTS_NETFRONT_RIG_H

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "domu/netfront/netfront_private.h"
#include "fakes/fake_netback.h"

#define RIG_MS INT64_C(1000000)
#define RIG_S  INT64_C(1000000000)

struct netfront_rig {
    char base[64];
    struct fake_netback vif;
    struct fake_dom0 *dom0;
    struct domu *domu;
    struct netfront *nf;
    struct netfront_error why;
};

static inline int rig_setup(struct netfront_rig *rig)
{
    alarm(60);
    memset(rig, 0, sizeof(*rig));
    snprintf(rig->base, sizeof(rig->base), "/tmp/splitdom-netfront-XXXXXX");
    return mkdtemp(rig->base) != NULL ? 0 : -1;
}

static inline void rig_start(struct netfront_rig *rig)
{
    struct fake_dom0_script script = {.ctx = rig};
    fake_netback_script(&rig->vif, &script);
    rig->dom0 = fake_dom0_start(rig->base, &script);
    if (rig->dom0 == NULL)
        abort();
}

static inline void rig_die(struct netfront_rig *rig)
{
    fake_dom0_stop(rig->dom0);
    rig->dom0 = NULL;
}

/* Dom0 dies, and the interface knows. */
static inline void rig_die_noticed(struct netfront_rig *rig)
{
    bool linking = false;
    rig_die(rig);
    while (!linking) {
        pthread_mutex_lock(&rig->nf->queue[0].rx.lock);
        linking = rig->nf->queue[0].rx.linking;
        pthread_mutex_unlock(&rig->nf->queue[0].rx.lock);
        sched_yield();
    }
}

/* Becomes a domain and opens the interface. */
static inline int rig_open(struct netfront_rig *rig, const struct netfront_options *options,
                           bool reconnect)
{
    struct domu_error why;
    const struct domu_options domain = {.size = sizeof(domain),
                                        .rundir = rig->base,
                                        .name = "fake",
                                        .pages = netfront_pages(options),
                                        .reconnect = reconnect};
    if (domu_open(&domain, &rig->domu, &why) < 0)
        abort();
    return netfront_open(rig->domu, options, &rig->nf, &rig->why);
}

static inline int rig_teardown(struct netfront_rig *rig)
{
    netfront_close(rig->nf);
    domu_close(rig->domu);
    fake_dom0_stop(rig->dom0);
    alarm(0);
    return rmdir(rig->base);
}

static inline uint8_t rig_byte(uint32_t seed, uint32_t at)
{
    return (uint8_t)(seed * 31 + at * 7 + at / 251);
}

static inline void rig_fill(uint8_t *data, uint32_t length_bytes, uint32_t seed)
{
    for (uint32_t i = 0; i < length_bytes; i++)
        data[i] = rig_byte(seed, i);
}

static inline bool rig_holds(const uint8_t *data, uint32_t length_bytes, uint32_t seed)
{
    for (uint32_t i = 0; i < length_bytes; i++)
        if (data[i] != rig_byte(seed, i))
            return false;
    return true;
}

#endif
