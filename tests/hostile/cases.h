/* SPDX-License-Identifier: MIT */
/* cases: what a hostile front end does, one function each; hostile_front.c has the list. */
#ifndef SPLITDOM_TESTS_HOSTILE_CASES_H
#define SPLITDOM_TESTS_HOSTILE_CASES_H

#include <stdint.h>

#include "peer.h"

struct attack {
    struct rundir rundir;
    int64_t deadline_ms; /* floods go on until then */
    char seen[160];      /* what came of it, one line for people */
};

/* Says what was seen. Returns 0 if good, else -1. */
int saw(struct attack *a, int good, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Each returns 0 when Dom0 reacted as it must; may be called again and again. */
typedef int case_fn(struct attack *a);

/* cases_ring.c */
case_fn case_prod_ahead, case_prod_back, case_prod_moving, case_slot_rewritten, case_same_id,
    case_no_consume, case_no_kick, case_event_garbage;
/* cases_request.c */
case_fn case_operation, case_segments, case_sectors_of_page, case_grants, case_store_page,
    case_range, case_write;
/* cases_change.c */
case_fn case_indirect_lies, case_leaves;
/* cases_store.c */
case_fn case_bogus_nodes, case_refs_change, case_state_jumps, case_flapping, case_node_quota,
    case_store_ring, case_store_flood;
/* cases_life.c */
case_fn case_dies, case_resize, case_resize_scattered, case_punch, case_punch_untold, case_unmap,
    case_fork;
/* cases_socket.c */
case_fn case_ports, case_connections, case_packets, case_store_frames, case_status_flood,
    case_unread, case_stop, case_connect_flood, case_domain_flood, case_large_domains,
    case_mute_reader;
/* cases_flood.c */
case_fn case_idle, case_busy, case_kick_storm, case_hit_flood, case_bad_request_flood,
    case_same_sectors;
/* cases_queues.c */
case_fn case_queue_nodes, case_queue_twice, case_queue_lies, case_queue_port_closed;

#endif
