/* SPDX-License-Identifier: MIT */
/* dom0: the service itself, from the open image to the last domain. */
#ifndef SPLITDOM_SERVICE_DOM0_DOM0_H
#define SPLITDOM_SERVICE_DOM0_DOM0_H

#include <stddef.h>

#include "base/log.h"
#include "base/rundir.h"
#include "base/why.h"
#include "service/dom0/dom0_options.h"

struct dom0;

/* What Dom0 asks of the program that runs it. */
struct dom0_caller {
    void (*ready)(void *ctx); /* called once Dom0 serves */
    /* Names are missing: makes the lock's file again if it is one of them. 0, or -errno; -ESTALE:
     * the run directory is no longer the one that is locked, and its names are not Dom0's. Or NULL.
     */
    int (*restore_lock)(void *ctx);
    void *ctx;
};

/*
 * Runs Dom0 until it is told to stop or idles out. The caller holds the lock of rundir, and no
 * socket is left there. A name of Dom0's that somebody removes from rundir is made again. Returns
 * 0, or -errno with a line for people in why when it could not start.
 */
int dom0_run(const struct dom0_options *options, const struct rundir *rundir, struct log *log,
             const struct dom0_caller *caller, struct why *why);

#endif
