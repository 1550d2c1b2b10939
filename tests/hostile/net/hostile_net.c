/* SPDX-License-Identifier: MIT */
/*
 * hostile_net: network front ends that lie, flood and die, each beside two honest domains that send
 * a frame to and fro.
 *
 *     hostile_net [--list | PATTERN] [MILLISECONDS]
 *
 * Prints for each case the reaction, the honest pair's rate as a share of what it has alone, and
 * its 99th percentile. A service with a network interface for each domain runs, found as by every
 * client (SPLITDOM_RUNDIR, SPLITDOM_NAME). Exit status: 0 Dom0 reacted as it must to all of them,
 * and the pair was never cut off; 1 not; 2 wrong arguments.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "net_cases.h"

enum {
    DEFAULT_MS = 300,
    TRIPS_MAX = 200000,
    TRIP_BYTES = 128,
    TRIPS_LOST_MAX = 3, /* then it gives up */
    SETTLES_MAX = 500,
};

/* For what never comes: a machine may be busy with other things. */
#define WAIT_NS         INT64_C(10000000000)
#define CROWDED_WAIT_NS INT64_C(20000000)

struct pair {
    struct net_peer a, b;
    uint64_t trips, lost;
    uint64_t trip_ns[TRIPS_MAX];
};

/* crowds: fills the queues of the pair, too, which then may lose frames as on any network. */
static const struct {
    const char *name, *what, *expected;
    net_case_fn *run;
    bool crowds;
} cases[] = {
    {"0-idle", "connected, sends nothing", "-", net_case_idle, false},
    {"1-tx-ahead", "tx index far ahead", "ended", net_case_tx_ahead, false},
    {"1-tx-back", "tx index backwards", "ended", net_case_tx_back, false},
    {"1-rx-wild", "rx index far ahead, frames come", "ended", net_case_rx_wild, false},
    {"2-slots-rewritten", "tx slots rewritten at any time", "served or ended", net_case_slots,
     false},
    {"3-extras", "extra infos that are none, or never end", "ended", net_case_extras, false},
    {"4-pieces", "pieces that cross pages, are missing, too many", "ended or ERROR",
     net_case_pieces, false},
    {"5-grants", "grants that are bad, foreign, revoked", "ERROR", net_case_grants, false},
    {"5-persistent", "persistent grants: all it has, then revoked", "kept until it closes",
     net_case_persistent, false},
    {"9-no-pages", "posts no page, and frames come", "costs itself only", net_case_no_pages, false},
    {"9-no-answers", "takes no answer", "costs itself only", net_case_no_answers, false},
    {"10-kick-storm", "doorbell in a loop, no work", "looked at by timer", net_case_kicks, false},
    {"12-nodes", "bogus or missing nodes", "Closing, may retry", net_case_nodes, false},
    {"12-ports", "one port, other devices' ports, no ports", "served or Closing", net_case_ports,
     false},
    {"12-counts", "numbers of queues that are none", "served or Closing", net_case_counts, false},
    {"12-queues", "queues that are missing or share pages", "served or Closing", net_case_queues,
     false},
    {"12-after", "nodes that change when it is connected", "served", net_case_after, false},
    {"13-starts-over", "closes and starts over in each state", "connected again",
     net_case_starts_over, false},
    {"13-anything", "nodes, states and frames in any order", "served or refused", net_case_anything,
     false},
    {"13-flapping", "connects and disconnects in a loop", "in turn with others", net_case_flapping,
     false},
    {"14-dies", "killed with frames on their way", "domain gone", net_case_dies, false},
    {"14-dies-early", "killed in each state of connecting", "domain gone", net_case_dies_connecting,
     false},
    {"17-flood-small", "60-byte frames to itself, without end", "in turn with others",
     net_case_flood_small, false},
    {"17-flood-all", "the same to all", "bounded", net_case_flood_all, true},
    {"17-flood-large", "60 KiB frames to itself, without end", "in turn with others",
     net_case_flood_large, false},
    {"17-flood-cut", "frames to all, to be cut to pieces of one byte", "bounded",
     net_case_flood_cut, true},
    {"17-flood-bad", "frames that are refused, without end", "in turn with others",
     net_case_flood_bad, false},
};

enum { CASES = sizeof(cases) / sizeof(cases[0]) };

/* The frame goes from one to the other and back. The pair's own broadcasts are what comes to the
 * others. */
static int one_way(struct net_peer *from, struct net_peer *to, bool to_all, int64_t wait_ns)
{
    struct netif_tx_response rsp;
    uint32_t bytes;
    net_peer_fill(from, NET_PEER_TX_PAGE, to_all ? NULL : to->mac, TRIP_BYTES);
    net_peer_put(from, NET_PEER_TX_PAGE, TRIP_BYTES, 0);
    net_peer_push(from, false);
    for (;;) {
        int page = net_peer_receive(to, &bytes, wait_ns);
        if (page < 0)
            return page;
        bool ours = bytes == TRIP_BYTES && memcmp(net_peer_page(to, (uint32_t)page) + 6, from->mac,
                                                  NET_PEER_MAC_BYTES) == 0;
        net_peer_post(to, (uint32_t)page);
        net_peer_push(to, false);
        if (ours)
            break;
    }
    return net_peer_response(from, &rsp) < 0 || rsp.status != NETIF_RSP_OKAY ? -EIO : 0;
}

/* It is still to be waited for. */
static bool has_ended(pid_t child)
{
    siginfo_t info = {0};
    return child <= 0 || waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
           info.si_pid != 0;
}

static void go_to_and_fro(struct pair *pair, pid_t child, int64_t milliseconds, int64_t wait_ns)
{
    uint64_t end_ns = clock_monotonic_ns() + (uint64_t)milliseconds * 1000000;
    pair->trips = pair->lost = 0;
    for (uint64_t i = 0; pair->trips < TRIPS_MAX; i++) {
        uint64_t begin_ns = clock_monotonic_ns();
        /* On a busy machine all may be over before we come to run. */
        if (pair->trips + pair->lost > 0 && begin_ns > end_ns && has_ended(child))
            break;
        if (one_way(&pair->a, &pair->b, i % 16 == 15, wait_ns) == 0 &&
            one_way(&pair->b, &pair->a, false, wait_ns) == 0)
            pair->trip_ns[pair->trips++] = clock_monotonic_ns() - begin_ns;
        else
            pair->lost++;
        if (wait_ns == WAIT_NS && pair->lost > TRIPS_LOST_MAX)
            break;
    }
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static uint64_t p99_ns(struct pair *pair)
{
    if (pair->trips == 0)
        return 0;
    qsort(pair->trip_ns, pair->trips, sizeof(pair->trip_ns[0]), by_size);
    return pair->trip_ns[pair->trips * 99 / 100];
}

/* In a process of its own; what it saw comes back by a pipe. Returns whether it was good. */
static bool attack(const struct rundir *rundir, struct pair *pair, int which, int64_t milliseconds,
                   char seen[NET_SEEN_MAX])
{
    int ends[2], status = -1;
    if (pipe(ends) < 0)
        return false;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct net_attack a = {.rundir = *rundir, .deadline_ms = peer_now_ms() + milliseconds};
        close(ends[0]);
        int rc = cases[which].run(&a);
        (void)!write(ends[1], a.seen, strlen(a.seen) + 1);
        _exit(rc == 0 ? 0 : 1);
    }
    close(ends[1]);
    go_to_and_fro(pair, child, milliseconds, cases[which].crowds ? CROWDED_WAIT_NS : WAIT_NS);
    ssize_t n = child > 0 ? read(ends[0], seen, NET_SEEN_MAX - 1) : 0;
    seen[n > 0 ? n : 0] = '\0';
    close(ends[0]);
    if (child > 0)
        (void)waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* What a crowd has left in the pair's queues, where there may be no room for a frame, goes first.
 */
static void settle(struct pair *pair)
{
    for (int i = 0; i < SETTLES_MAX; i++)
        if (one_way(&pair->a, &pair->b, false, CROWDED_WAIT_NS) == 0 &&
            one_way(&pair->b, &pair->a, false, CROWDED_WAIT_NS) == 0)
            return;
}

static bool run_case(const struct rundir *rundir, struct pair *pair, int which,
                     int64_t milliseconds, double *alone)
{
    char seen[NET_SEEN_MAX];
    settle(pair);
    uint64_t begin_ns = clock_monotonic_ns();
    bool good = attack(rundir, pair, which, milliseconds, seen);
    double seconds = (double)(clock_monotonic_ns() - begin_ns) / 1e9;
    double rate = (double)pair->trips / seconds;
    if (which == 0)
        *alone = rate;
    bool cut_off = !cases[which].crowds && (pair->lost > 0 || pair->trips == 0);
    printf("%-18s %-46s %-20s %5.2f %8.3f  %-7s %s\n", cases[which].name, cases[which].what,
           cases[which].expected, *alone > 0 ? rate / *alone : 0, (double)p99_ns(pair) / 1e6,
           !good     ? "WRONG"
           : cut_off ? "CUT-OFF"
                     : "ok",
           seen);
    return good && !cut_off;
}

int main(int argc, char **argv)
{
    char why[256];
    struct rundir rundir;
    struct pair *pair = calloc(1, sizeof(*pair));
    const char *pattern = argc > 1 ? argv[1] : "";
    int64_t milliseconds = argc > 2 ? strtoll(argv[2], NULL, 10) : DEFAULT_MS;
    int failures = 0;
    double alone = 0;
    if (pair == NULL || milliseconds <= 0 ||
        rundir_resolve(NULL, NULL, false, &rundir, why, sizeof(why)) < 0) {
        fprintf(stderr, "usage: hostile_net [--list | PATTERN] [MILLISECONDS]\n");
        return 2;
    }
    if (strcmp(pattern, "--list") == 0) {
        for (int i = 0; i < CASES; i++)
            printf("%s|%s|%s\n", cases[i].name, cases[i].what, cases[i].expected);
        return 0;
    }
    signal(SIGPIPE, SIG_IGN);
    int rc = net_peer_open(&pair->a, &rundir);
    if (rc == 0)
        rc = net_peer_open(&pair->b, &rundir);
    if (rc < 0) {
        fprintf(stderr, "hostile_net: the honest pair cannot connect: %s\n", strerror(-rc));
        return 1;
    }
    net_peer_post_all(&pair->a);
    net_peer_post_all(&pair->b);
    printf("%-18s %-46s %-20s %5s %8s  %-7s %s\n", "front end", "what is done", "expected", "rate",
           "p99 ms", "verdict", "seen");
    for (int i = 0; i < CASES; i++)
        if (i == 0 || strstr(cases[i].name, pattern) != NULL)
            failures += !run_case(&rundir, pair, i, milliseconds, &alone);
    net_peer_close(&pair->a);
    net_peer_close(&pair->b);
    free(pair);
    return failures == 0 ? 0 : 1;
}
