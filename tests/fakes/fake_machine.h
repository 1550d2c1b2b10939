/* SPDX-License-Identifier: MIT */
/*
 * fake_machine: what a Dom0 needs around it, for a test: a run directory of its own, an image that
 * nobody reads (engine null), a log, a clock that the test moves.
 */
#ifndef SPLITDOM_TESTS_FAKE_MACHINE_H
#define SPLITDOM_TESTS_FAKE_MACHINE_H

#include "service/dom0/dom0_private.h"
#include "service/dom0/dom0_setup.h"

struct fake_machine {
    char base[64], image[96];
    struct rundir rundir;
    struct log *log;
    struct dom0_options options; /* to be changed before fake_machine_boot */
    bool real_time; /* instead of one that the test moves; to be set before fake_machine_boot */
    struct tdf_source time;
    struct dom0 *dom0; /* not before fake_machine_boot */
    struct why why;
};

/* Returns 0, or -1 and the reason in errno. */
int fake_machine_create(struct fake_machine *machine);
/* Dom0 is set up, and waits for its turns. Returns 0, or -errno and the reason in why. */
int fake_machine_boot(struct fake_machine *machine);
/* Returns 0 if nothing was left behind. */
int fake_machine_destroy(struct fake_machine *machine);

#endif
