/* SPDX-License-Identifier: MIT */
/*
 * xs_control: commands about the store itself (request XS_CONTROL, Dom0 only); `xenstore-control`
 * sends them. The commands and their answers are those of C xenstored.
 *
 *     check                  verifies the store's invariants: "OK" or the error EIO
 *     log on|off             writes requests to the server's log, or stops that (xs_trace.h)
 *     memreport              writes to the log how much the store holds
 *     print STRING           a line in the log
 *     quota                  the limits
 *     quota DOMID            what a domain uses
 *     quota set NAME VALUE   changes a limit of all domains without limits of their own
 *     help                   the list of commands
 */
#ifndef SPLITDOM_XENSTORE_SERVER_XS_CONTROL_H
#define SPLITDOM_XENSTORE_SERVER_XS_CONTROL_H

#include "xenstore/server/xs_args.h"

/* The handler of XS_CONTROL. */
int xs_control(struct xs_args *args);

#endif
