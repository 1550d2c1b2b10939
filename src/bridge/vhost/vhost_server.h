/* SPDX-License-Identifier: MIT */
/*
 * vhost_server: a vhost-user-blk device at a listening socket: serves one front end after the
 * other, as a front end that restarts expects. The one place of the device that sleeps.
 *
 * The program has installed a fault guard (ring/fault_guard.h) with room for
 * VHOST_USER_REGIONS_MAX.
 */
#ifndef SPLITDOM_BRIDGE_VHOST_VHOST_SERVER_H
#define SPLITDOM_BRIDGE_VHOST_VHOST_SERVER_H

#include <stdbool.h>

#include "base/why.h"
#include "splitdom/blkfront.h"

struct vhost_server_options {
    int listen_fd;  /* stays the caller's, as all that follow */
    int stop_fd;    /* readable: the server is to end */
    int failure_fd; /* readable: the domain is of no use any more */
    struct blkfront *bf;
    bool read_only;                 /* take no writes, whatever the disk takes */
    void (*tell)(const char *line); /* why a front end was dropped, for people */
};

/*
 * Serves until it is to end: then returns 0. Errors, with the line in why: -ENOTCONN the domain is
 * of no use any more, or its disk was taken away; those of poll, accept and blkfront_fd.
 */
int vhost_server_run(const struct vhost_server_options *options, struct why *why);

#endif
