/* SPDX-License-Identifier: MIT */
/*
 * xenbus: the states through which the two halves of a device find each other.
 *
 * Numbers of xen/include/public/io/xenbus.h, as decimal text in the `state` node of each half. Each
 * side writes only its own node and watches the peer's; a watch carries no value and several
 * changes may arrive as one, so both sides act on the value that they re-read.
 *
 *     front (DomU)                         back (Dom0)
 *     1 Initialising                       1 Initialising     both created by the toolstack
 *                                          2 InitWait         features published
 *     3 Initialised  (ring, port written)
 *                                          4 Connected        ring mapped, geometry published
 *     4 Connected
 *     5 Closing                            5 Closing
 *     6 Closed                             6 Closed           then back to 2 when front is at 1
 */
#ifndef SPLITDOM_XEN_XENBUS_H
#define SPLITDOM_XEN_XENBUS_H

enum xenbus_state {
    XenbusStateUnknown = 0,
    XenbusStateInitialising = 1,
    XenbusStateInitWait = 2,
    XenbusStateInitialised = 3,
    XenbusStateConnected = 4,
    XenbusStateClosing = 5,
    XenbusStateClosed = 6,
    XenbusStateReconfiguring = 7,
    XenbusStateReconfigured = 8,
};

/* xvda: 202 << 8, the one virtual disk that every domain is created with. */
enum { XENBUS_VBD_XVDA = 51712 };

#endif
