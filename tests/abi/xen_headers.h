/* SPDX-License-Identifier: MIT */
/*
 * xen_headers: the installed Xen headers, with the three barriers that io/ring.h expects from its
 * user. Never together with include/splitdom in one file: the names are the same.
 */
#ifndef SPLITDOM_TESTS_ABI_XEN_HEADERS_H
#define SPLITDOM_TESTS_ABI_XEN_HEADERS_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define xen_mb()  __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define xen_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
#define xen_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)

#include <xen/xen.h>

#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/io/blkif.h>
#include <xen/io/netif.h>
#include <xen/io/protocols.h>
#include <xen/io/ring.h>
#include <xen/io/xenbus.h>
#include <xen/io/xs_wire.h>

#endif
