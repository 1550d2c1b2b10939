/* SPDX-License-Identifier: MIT */
/*
 * xen_vif_kind: how front ends of different systems open and close a network interface, and what
 * they say that they take. What each does was read in its sources; linux is Linux's.
 */
#ifndef SPLITDOM_TESTS_ABI_XEN_VIF_KIND_H
#define SPLITDOM_TESTS_ABI_XEN_VIF_KIND_H

#include <stdbool.h>
#include <stdint.h>

enum xen_vif_end {
    XEN_VIF_STEPS,  /* 5, waits for 5; 6, waits for 6 */
    XEN_VIF_CLOSED, /* 6, waits for 6 */
    XEN_VIF_ANEW,   /* as by steps, then 1, and waits for 2 */
    XEN_VIF_CRASH,  /* nothing: the next kernel begins at once */
};

struct xen_vif_kind {
    const char *name;
    const char *nodes[8]; /* that it writes as 1, but for those of its rings; ends with NULL */
    bool split;           /* two event channels */
    bool waits;           /* for InitWait before it writes anything */
    bool resets;          /* before it opens: 6, waits for 6; 1 */
    bool in_one;          /* its state is in the transaction of the nodes */
    bool begins;          /* a second time: writes 1 first */
    bool silent;          /* rings for no page */
    bool no_csum;         /* takes no blank checksums */
    uint8_t gso_types;    /* that it takes: 0 none, 1 TCPV4, 2 both */
    uint32_t frame_bytes_max;
    uint32_t pages; /* that it posts */
    enum xen_vif_end end;
};

/* NULL: there is none of that name. */
const struct xen_vif_kind *xen_vif_kind_find(const char *name);

#endif
