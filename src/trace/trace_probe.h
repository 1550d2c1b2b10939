/* SPDX-License-Identifier: MIT */
/*
 * trace_probe: places in the programs where perf and bpftrace can look (USDT), one for each stage
 * of a request's life (splitdom/trace.h). Each is one nop while nobody looks, and its arguments are
 * what the code has at hand: domid, id of the request, sector. Without systemtap's header, which is
 * only needed to build, there are none.
 */
#ifndef SPLITDOM_TRACE_TRACE_PROBE_H
#define SPLITDOM_TRACE_TRACE_PROBE_H

#if defined(HAVE_SDT)
#include <sys/sdt.h>
#define TRACE_PROBE(stage, domid, id, sector) DTRACE_PROBE3(splitdom, stage, domid, id, sector)
#else
#define TRACE_PROBE(stage, domid, id, sector) ((void)0)
#endif

#endif
