/* SPDX-License-Identifier: MIT */
/*
 * dom0_setup: puts Dom0 together and takes it apart.
 */
#ifndef SPLITDOM_SERVICE_DOM0_DOM0_SETUP_H
#define SPLITDOM_SERVICE_DOM0_DOM0_SETUP_H

#include "base/why.h"
#include "service/dom0/dom0.h"

struct dom0;
struct tdf_source;

/*
 * time_source: what drives all clocks, outlives Dom0; NULL: this machine's. With a manual one the
 * idle timer has to be played by worker_time_passed. Errors: -errno with one line for people in
 * why; nothing is left behind then.
 */
int dom0_setup(const struct dom0_options *options, const struct rundir *rundir, struct log *log,
               struct tdf_source *time_source, struct dom0 **out, struct why *why);
/* Accepts a half-built one. NULL allowed. No read is at the disk. */
void dom0_teardown(struct dom0 *d);
/* Only removes what outlives the process: the sockets. */
void dom0_abandon(struct dom0 *d);

#endif
