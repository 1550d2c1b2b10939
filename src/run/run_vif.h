/* SPDX-License-Identifier: MIT */
/*
 * run_vif: the network of programs in a domain: a namespace of their own, whose interface eth0 is
 * one of the domain's.
 */
#ifndef SPLITDOM_RUN_RUN_VIF_H
#define SPLITDOM_RUN_RUN_VIF_H

#include <stdint.h>

#include "base/why.h"
#include "bridge/net/tap_pump.h"
#include "splitdom/netfront.h"

struct run_vif_options {
    bool wanted;
    uint32_t devid;
    const char *address; /* A.B.C.D/P; NULL: none */
};

/* Zeroed: not open. */
struct run_vif {
    bool open;
    struct netfront *nf;
    struct tap tap;
    struct tap_pump *pump;
};

/*
 * Moves this process, which has one thread, into a network namespace of its own: programs that it
 * starts are there, too. Where that is not permitted, also into a user namespace, in which it keeps
 * its user and group, and no others are known. Errors: -EPERM and others of unshare(2), with the
 * line in why.
 */
int run_vif_enter(struct why *why);

/* Pages of the domain that the interface takes. */
uint32_t run_vif_pages(const struct run_vif_options *options);
/* Connects the interface of the domain, as eth0 of the present namespace. Errors: those of
 * netfront_open and tap_open, with the line in why; then nothing is left. */
int run_vif_open(struct run_vif *vif, struct domu *domu, const struct run_vif_options *options,
                 struct why *why);
void run_vif_close(struct run_vif *vif);

/* A descriptor to poll, readable when the interface has ended by itself; -1: it is not open. */
int run_vif_fd(const struct run_vif *vif);
/* Then: eth0 goes, so that programs hear of it, and why has the reason. */
void run_vif_lose(struct run_vif *vif, struct why *why);

#endif
