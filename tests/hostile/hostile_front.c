/* SPDX-License-Identifier: MIT */
/*
 * hostile_front: front ends that lie, flood and die; one case per weakness that real back ends had.
 *
 *     hostile_front --list                  NAME|KIND|WHAT IS DONE|EXPECTED REACTION
 *     hostile_front NAME [MILLISECONDS]     does it again and again for so long; prints what was
 * seen
 *
 * Exit status: 0 Dom0 reacted as it must, 1 it did not, 2 wrong arguments. The service is found as
 * by every client (SPLITDOM_RUNDIR, SPLITDOM_NAME).
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"

/* Between two times: what the case itself costs the CPU is not what is to be seen. */
enum { PAUSE_MS = 20 };

/* greedy: asks for nothing that it may not, but for much: only Dom0's turns are measured beside it.
 * flood: takes all the time that it is given; the others are repeated with pauses. */
static const struct {
    const char *name;
    const char *kind;
    const char *what, *expected;
    case_fn *run;
} cases[] = {
    {"0-idle", "base", "connected, asks nothing", "-", case_idle},
    {"0-busy", "base", "keeps a CPU busy, asks nothing", "-", case_busy},
    {"1-prod-ahead", "case", "req_prod far ahead", "ring halted", case_prod_ahead},
    {"1-prod-back", "case", "req_prod backwards", "ring halted", case_prod_back},
    {"1-prod-moving", "flood", "req_prod changes while read", "served or halted", case_prod_moving},
    {"2-slot-rewritten", "flood", "slots rewritten at any time", "each answered once",
     case_slot_rewritten},
    {"3-operation", "case", "unknown operations", "EOPNOTSUPP", case_operation},
    {"3-segments", "case", "0 and 12..255 segments, indirect too", "ERROR", case_segments},
    {"3-indirect", "flood", "pages that name segments lie and change", "each answered once",
     case_indirect_lies},
    {"4-sectors", "case", "first_sect > last_sect, last_sect > 7", "ERROR", case_sectors_of_page},
    {"5-grants", "case", "bad, revoked, foreign, read-only grants", "ERROR", case_grants},
    {"5-own-pages", "case", "reads over its store ring, ring, grants", "its own harm",
     case_store_page},
    {"6-range", "case", "sectors beyond the end, overflow", "ERROR", case_range},
    {"7-write", "case", "write, barrier, discard, flush", "ERROR, EOPNOTSUPP", case_write},
    {"8-same-id", "case", "one id for a ring full of requests", "echoed", case_same_id},
    {"9-no-consume", "case", "never takes a response", "costs itself only", case_no_consume},
    {"9-large-hits", "greedy", "a full ring of 44 KiB reads, all cached", "in turn with others",
     case_hit_flood},
    {"10-kick-storm", "flood", "doorbell in a loop, no work", "looked at by timer",
     case_kick_storm},
    {"10-no-kick", "case", "never rings the doorbell", "served when it rings", case_no_kick},
    {"11-events", "case", "garbage in the event words", "costs itself only", case_event_garbage},
    {"12-nodes", "case", "bogus or missing nodes", "Closing, may retry", case_bogus_nodes},
    {"12-refs-change", "case", "nodes changed after connect", "ignored", case_refs_change},
    {"12-store-ring", "case", "store ring with wild index", "store ignored", case_store_ring},
    {"13-jumps", "case", "wild changes of state", "Closing or Closed", case_state_jumps},
    {"13-flapping", "flood", "connects and disconnects in a loop", "in turn with others",
     case_flapping},
    {"14-dies", "case", "SIGKILL at each step, reads in flight", "domain gone", case_dies},
    {"14-leaves", "case", "closes, or ends, with large reads under way", "pages come back",
     case_leaves},
    {"15-resize", "case", "truncates and extends its memory", "EPERM, served", case_resize},
    {"15-scattered", "case", "the same with scattered ring pages", "EPERM, served",
     case_resize_scattered},
    {"15-punch", "flood", "holes in all of its memory, in a loop", "EPERM", case_punch},
    {"15-punch-untold", "flood", "the same, and never says that it mapped it", "nobody looks there",
     case_punch_untold},
    {"15-unmap", "case", "unmaps and punches holes", "its own harm", case_unmap},
    {"16-fork", "case", "a forked child keeps the descriptors", "lives as long", case_fork},
    {"17-nodes", "case", "as many nodes, watches, transactions as go", "ENOSPC", case_node_quota},
    {"17-ports", "case", "as many ports as go", "ENOSPC", case_ports},
    {"17-connections", "flood", "as many idle connections as go", "others get in",
     case_connections},
    {"17-store-flood", "flood", "writes nodes that it watches 50 times", "in turn with others",
     case_store_flood},
    {"17-bad-requests", "flood", "a ring full of bad requests, again", "all ERROR, no log",
     case_bad_request_flood},
    {"17-domains", "flood", "creates and drops domains in a loop", "in turn, little log",
     case_domain_flood},
    {"17-large-domains", "flood", "the same with the largest, by four", "in turn",
     case_large_domains},
    {"18-packets", "case", "wrong packets to dom0.sock", "connection ended", case_packets},
    {"18-frames", "case", "oversize and dripped store messages", "ended; answered",
     case_store_frames},
    {"18-status", "flood", "status without reading the answer", "connection ended",
     case_status_flood},
    {"18-unread", "flood", "connections that ask once and stay unread", "all others get in",
     case_unread},
    {"18-stop", "case", "a domain asks Dom0 to stop", "EPERM", case_stop},
    {"18-connect", "flood", "connects and drops in a loop", "in turn with others",
     case_connect_flood},
    {"18-mute-reader", "case", "asks the store, reads no answer", "no turns wasted",
     case_mute_reader},
    {"19-same-sectors", "flood", "a ring full of reads of the same sectors", "in turn with others",
     case_same_sectors},
    {"20-queue-nodes", "case", "too many rings, and bogus nodes of some", "Closing, may retry",
     case_queue_nodes},
    {"20-queue-twice", "flood", "one page is the ring of two queues", "its own harm",
     case_queue_twice},
    {"20-queue-lies", "case", "one ring lies, the other is honest", "ERROR, then halted",
     case_queue_lies},
    {"20-queue-port", "case", "closes the port of one ring", "served; refused anew",
     case_queue_port_closed},
};

enum { CASE_COUNT = sizeof(cases) / sizeof(cases[0]) };

int saw(struct attack *a, int good, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(a->seen, sizeof(a->seen), format, args);
    va_end(args);
    return good ? 0 : -1;
}

static int run(struct attack *a, int i, int64_t milliseconds)
{
    int rc, times = 0;
    a->deadline_ms = peer_now_ms() + milliseconds;
    do {
        rc = cases[i].run(a);
        times++;
        if (rc == 0)
            peer_sleep_ms(PAUSE_MS);
    } while (rc == 0 && peer_now_ms() < a->deadline_ms);
    printf("%s (%d times)\n", a->seen, times);
    return rc == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct attack a = {.seen = ""};
    char why[256];
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (int i = 0; i < CASE_COUNT; i++)
            printf("%s|%s|%s|%s\n", cases[i].name, cases[i].kind, cases[i].what, cases[i].expected);
        return 0;
    }
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: hostile_front --list | NAME [MILLISECONDS]\n");
        return 2;
    }
    if (rundir_resolve(NULL, NULL, false, &a.rundir, why, sizeof(why)) < 0) {
        fprintf(stderr, "hostile_front: %s\n", why);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < CASE_COUNT; i++) {
        if (strcmp(argv[1], cases[i].name) == 0)
            return run(&a, i, argc == 3 ? strtoll(argv[2], NULL, 10) : 0);
    }
    fprintf(stderr, "hostile_front: no case %s; see hostile_front --list\n", argv[1]);
    return 2;
}
