/* SPDX-License-Identifier: MIT */
/*
 * dom0: the service itself, from opening the image to the last farewell. One thread, one loop.
 */
#ifndef SPLITDOM_SERVICE_DOM0_H
#define SPLITDOM_SERVICE_DOM0_H

#include <stddef.h>

#include "service/dom0_options.h"
#include "service/log.h"
#include "xenstore/rundir.h"

/*
 * Serves until it is told to stop (CONTROL_STOP, SIGTERM, SIGINT) or idles out. The caller holds
 * the lock of rundir. ready is called once, when domains can be created. Returns 0, or -errno with
 * one line for people in why when it could not start or had to give up.
 */
int dom0_run(const struct dom0_options *options, const struct rundir *rundir, struct log *log,
             void (*ready)(void *ctx), void *ready_ctx, char *why, size_t why_bytes);

#endif
