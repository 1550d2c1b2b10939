/* SPDX-License-Identifier: MIT */
/* net_cases: what a hostile network front end does, one function each; hostile_net.c has the list.
 */
#ifndef SPLITDOM_TESTS_HOSTILE_NET_CASES_H
#define SPLITDOM_TESTS_HOSTILE_NET_CASES_H

#include <stdint.h>

#include "net_peer.h"

enum { NET_SEEN_MAX = 160 };

struct net_attack {
    struct rundir rundir;
    int64_t deadline_ms; /* it goes on until then */
    char seen[NET_SEEN_MAX];
};

/* Each goes on until the deadline and returns 0 if Dom0 reacted as it must all the while. */
typedef int net_case_fn(struct net_attack *a);

/* net_cases_ring.c */
net_case_fn net_case_idle, net_case_tx_ahead, net_case_tx_back, net_case_rx_wild, net_case_slots,
    net_case_extras, net_case_pieces, net_case_grants, net_case_persistent;
/* net_cases_life.c */
net_case_fn net_case_no_pages, net_case_no_answers, net_case_kicks, net_case_nodes,
    net_case_flapping, net_case_dies, net_case_flood_small, net_case_flood_all,
    net_case_flood_large, net_case_flood_bad, net_case_flood_cut;
/* net_cases_nodes.c */
net_case_fn net_case_ports, net_case_counts, net_case_queues, net_case_after;
/* net_cases_states.c */
net_case_fn net_case_dies_connecting, net_case_starts_over;
/* net_cases_random.c */
net_case_fn net_case_anything;

/* Says what was seen. Returns 0 if good, else -1. */
int net_saw(struct net_attack *a, int good, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool net_is_over(const struct net_attack *a);
/* Whether a front end gets an interface after all that: 0 or -errno. */
int net_another_connects(const struct net_attack *a);

#endif
