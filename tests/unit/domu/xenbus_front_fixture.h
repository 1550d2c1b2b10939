/* SPDX-License-Identifier: MIT */
/* xenbus_front_fixture: the front ends of two devices of a class that knows no ring, a real store
 * and the back end of a Dom0 that asks for none. */
#ifndef SPLITDOM_TESTS_UNIT_DOMU_XENBUS_FRONT_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_DOMU_XENBUS_FRONT_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "domu/xenbus_front.h"
#include "fakes/fake_dom0.h"
#include "ring/gnttab.h"
#include "ring/sring.h"

enum { XVDA = 51712, XVDB = 51728, RING_REF = GNTTAB_NR_RESERVED_ENTRIES };

static char base[64], why[256];
static struct fake_dom0 *dom0;
static struct rundir rundir;
static struct life life;
static struct fronts fronts;
static struct xenbus_front front, other;
static const char *step;

static const struct front_class class = {.name = "vbd"};

static inline int setup(void **state)
{
    (void)state;
    alarm(60);
    dom0 = NULL;
    fronts = (struct fronts){.shutdown = false};
    life_init(&life);
    snprintf(base, sizeof(base), "/tmp/splitdom-front-XXXXXX");
    if (mkdtemp(base) == NULL)
        return -1;
    return rundir_resolve(base, "fake", true, &rundir, why, sizeof(why));
}

static inline int teardown(void **state)
{
    (void)state;
    life_destroy(&life);
    fake_dom0_stop(dom0);
    alarm(0);
    return rmdir(base);
}

static inline void meet(const struct fake_dom0_script *script)
{
    struct fake_dom0_script mine = *script;
    mine.disks = 2;
    dom0 = fake_dom0_start(base, &mine);
    assert_non_null(dom0);
    assert_int_equal(life_create(&life, &rundir, segment_pages_for(1), (struct tdf){0, 0}, NULL,
                                 why, sizeof(why)),
                     0);
    xenbus_front_init(&front, &class, &fronts, &life, XVDA);
    xenbus_front_init(&other, &class, &fronts, &life, XVDB);
    list_push_back(&fronts.list, &front.of_domain);
    list_push_back(&fronts.list, &other.of_domain);
}

/* A ring that stays empty. */
static inline int write_ring(struct xenbus_front *xenbus, uint32_t tx)
{
    const struct segment *segment = &life.segment;
    sring_init(segment_page(segment, segment->free_pfn), 0);
    gnttab_grant_access(segment->gnttab, RING_REF, DOM0_DOMID, segment->free_pfn, false);
    int rc = xenbus_front_put(xenbus, tx, "ring-ref", "%d", RING_REF);
    return rc < 0 ? rc : xenbus_front_put(xenbus, tx, "event-channel", "%d", 1);
}

#endif
