/* SPDX-License-Identifier: MIT */
/*
 * net_link_spec: a link in words, as tc-netem(8) has its numbers:
 *
 *     rate=10Mbit delay=10ms jitter=1ms:normal loss=0.1% queue=100
 *
 *   rate=R and a unit of tc(8) (bit, kbit, mibit, gbps, ...), or as xl: 10Mb/s; none
 *   overhead=BYTES a frame
 *   delay=T  jitter=T[:uniform|normal|exponential|pareto]  T: 10ms, 1.5s, 30ns; or 200 (us)
 *   loss=P or gemodel:P[:R[:1-H[:1-K]]]    duplicate=P    reorder=P[:GAP]    P: 1%, 0.01
 *   queue=FRAMES or N and b, kb, mb, ...
 *   aqm=droptail, red:MIN:MAX:P[:BURST], codel[:TARGET[:INTERVAL]]    ecn=on|off    seed=N
 *   frame=domain|real    way=up|down|both: of which direction the words after it are
 */
#ifndef SPLITDOM_SERVICE_NET_LINK_SPEC_H
#define SPLITDOM_SERVICE_NET_LINK_SPEC_H

#include <stdbool.h>
#include <stddef.h>

#include "base/why.h"
#include "service/net/link.h"

struct net_link_spec {
    struct net_pipe_config way[NET_WAYS];
    bool is_real; /* in real time, and not in the domain's */
};

/* A link that does nothing. */
void net_link_spec_init(struct net_link_spec *spec);
/* Changes what the words name, with blanks or commas between them. Errors: -EINVAL with a line for
 * people in why; the spec is as it was. */
int net_link_spec_apply(struct net_link_spec *spec, const char *words, struct why *why);
/* The words of one way, without those at their defaults: an empty text for a way that does nothing.
 * Cut to size. */
void net_link_spec_format(const struct net_pipe_config *config, char *out, size_t size);

#endif
