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

/*
 * Runs Dom0 until it is told to stop or idles out. Calls ready(ready_ctx) once it serves. The
 * caller holds the lock of rundir, and no socket is left there. Returns 0, or -errno with a line
 * for people in why when it could not start.
 */
int dom0_run(const struct dom0_options *options, const struct rundir *rundir, struct log *log,
             void (*ready)(void *ctx), void *ready_ctx, struct why *why);

#endif
