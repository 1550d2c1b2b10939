/* SPDX-License-Identifier: MIT */
/*
 * tracer: who traces which domains, and the memory that the records are written to
 * (splitdom/trace.h). A session lasts as long as the connection that asked for it. What several of
 * them ask for is written once, for the one that wants most; each takes what it wants of that.
 *
 * Dom0's own memory is there while there are sessions, a domain's from when that domain fetches it;
 * the domain gives its pages back after the last session. Dom0 never reads any of them.
 */
#ifndef SPLITDOM_SERVICE_DOM0_TRACING_TRACER_H
#define SPLITDOM_SERVICE_DOM0_TRACING_TRACER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "service/dom0/memory/unmapper.h"
#include "trace/trace_writer.h"

struct tracer {
    struct trace_writer writer; /* Dom0's memory */
    int fd;                     /* its file; -1: nobody traces */
    struct list sessions;
    struct list memories; /* of domains, in the order in which they were fetched */
    uint64_t serial;      /* of the last one */
};

/* Embed in the domain. */
struct tracer_domain {
    uint32_t domid;
    uint32_t threshold; /* in force, see trace_wants; 0: not traced */
    int fd;             /* of its memory; -1: it has fetched none */
    uint64_t serial;
    struct list_node link;
};

void tracer_init(struct tracer *tracer);
/* No session is left: control has closed all connections. */
void tracer_fini(struct tracer *tracer);

/* asker, a name for the connection, traces one of `sample` (above 0) requests of a domain, or,
 * where domid is 0, of all. Returns Dom0's memory, which stays the tracer's. Errors: -EALREADY it
 * does so already; -EINVAL sample is 0; -errno. */
int tracer_begin(struct tracer *tracer, const void *asker, uint32_t domid, uint32_t sample);
/* Returns whether it has traced anything. */
bool tracer_end(struct tracer *tracer, const void *asker);
/* All domains are traced as tracer_wanted says. If nobody traces any more, Dom0's memory is given
 * to the unmapper (NULL: let go of at once). */
void tracer_tidy(struct tracer *tracer, struct unmapper *unmapper);
/* The next memory of a domain that asker traces and has not got; *domid whose, *fresh: it was made
 * since asker began. It stays the domain's. Errors: -EAGAIN; -ENOENT asker does not trace. */
int tracer_next(struct tracer *tracer, const void *asker, uint32_t *domid, bool *fresh);

/* How a domain is to be traced now. */
uint32_t tracer_wanted(const struct tracer *tracer, uint32_t domid);

void tracer_domain_init(struct tracer_domain *domain, uint32_t domid);
/* The domain's memory, made now if there is none. Errors: -EAGAIN nobody traces it; -errno. */
int tracer_fetch(struct tracer *tracer, struct tracer_domain *domain);
/* The domain ends. Who reads its memory keeps that. unmapper: as for tracer_tidy. */
void tracer_domain_fini(struct tracer_domain *domain, struct unmapper *unmapper);

#endif
