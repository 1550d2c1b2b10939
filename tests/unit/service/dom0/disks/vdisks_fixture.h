/* SPDX-License-Identifier: MIT */
/* vdisks_fixture: virtual disks on a fake engine, which a program of tests has one of. */
#ifndef SPLITDOM_TESTS_UNIT_SERVICE_DOM0_DISKS_VDISKS_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_SERVICE_DOM0_DISKS_VDISKS_FIXTURE_H

#include "fakes/fake_disk.h"
#include "service/dom0/disks/vdisks.h"

static struct vdisks vdisks;
static struct why why;

static inline int setup(void **state)
{
    (void)state;
    const struct device_config config = {.engine = &fake_disk_ops, .depth = 4, .depth_isolated = 4};
    const struct vdisk_config vdisk = {.policy = cache_policy_find("lru")};
    vdisks_init(&vdisks, &config, &vdisk);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    vdisks_fini(&vdisks);
    return 0;
}

#endif
