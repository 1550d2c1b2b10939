/* SPDX-License-Identifier: MIT */
/*
 * flap: a front end that changes the state of its disk as fast as the store lets it, for ever going
 * from Initialising to Initialised (with a ring that can be mapped) and back: each second change
 * makes the back end connect, the others make it start over.
 *
 *   flap SECONDS
 *
 * Prints: flaps=N per_second=X. The service is found through SPLITDOM_RUNDIR and SPLITDOM_NAME.
 */
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "base/clock.h"
#include "base/rundir.h"
#include "domu/life.h"
#include "placement.h"
#include "ring/blkif_ring.h"
#include "ring/gnttab.h"
#include "splitdom/xen/xenbus.h"

#define DEVICE "device/vbd/51712"

/* A ring of one page that the back end may map. */
static int offer_ring(struct life *domu)
{
    const struct segment *segment = &domu->segment;
    const int port = life_alloc_port(domu, LIFE_VCPU_DEVICES);

    if (port < 0)
        return port;
    sring_init(segment_page(segment, segment->free_pfn), 0);
    gnttab_grant_access(segment->gnttab, GNTTAB_NR_RESERVED_ENTRIES, DOM0_DOMID, segment->free_pfn,
                        false);
    int rc = xs_client_writef(domu->store, 0, DEVICE "/ring-ref", "%d", GNTTAB_NR_RESERVED_ENTRIES);
    if (rc == 0)
        rc = xs_client_writef(domu->store, 0, DEVICE "/event-channel", "%d", port);
    return rc;
}

int main(int argc, char **argv)
{
    struct life domu = {0};
    struct rundir rundir;
    char why[256] = "";
    uint64_t flaps = 0, start_ns, now_ns;

    if (argc != 2)
        errx(2, "usage: flap SECONDS");
    const double seconds = argument_seconds("SECONDS", argv[1]);
    if (rundir_resolve(NULL, NULL, false, &rundir, why, sizeof(why)) != 0 ||
        life_create(&domu, &rundir, segment_pages_for(1), (struct tdf){1, 1}, NULL, why,
                    sizeof(why)) != 0)
        errx(1, "%s", why);
    int rc = offer_ring(&domu);
    start_ns = clock_monotonic_ns();
    do {
        const enum xenbus_state state =
            flaps % 2 == 0 ? XenbusStateInitialised : XenbusStateInitialising;
        if (rc == 0)
            rc = xs_client_writef(domu.store, 0, DEVICE "/state", "%d", state);
        if (rc != 0)
            errx(1, "state change %" PRIu64 ": %s", flaps, strerror(-rc));
        flaps++;
        now_ns = clock_monotonic_ns();
    } while ((double)(now_ns - start_ns) < seconds * 1e9);
    printf("flaps=%" PRIu64 " per_second=%.0f\n", flaps,
           (double)flaps * 1e9 / (double)(now_ns - start_ns));
    life_destroy(&domu);
    return 0;
}
