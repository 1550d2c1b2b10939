/* SPDX-License-Identifier: MIT */
/*
 * vif_world: Dom0's network and the domains on it in one thread, made of the product's own parts.
 * vifs.c moves it by a seed.
 *
 *   Dom0      store, toolstack, back ends, loop, timers, bridges, rules, links: on a strand of its
 * own, cut into steps where it works on rings ours      a domain with the product's front end
 * (domu/netfront): for each queue a thread that sends and one that receives, and the link thread;
 * each on a strand, cut into steps foreign   a domain with an honest front end of another make
 * (fakes/fake_netfront.h): one event channel or two, pieces and extra infos as it likes; moved by
 * hand hostile   as foreign, but lies in its slots, grants, nodes and memory
 *
 * All time is the machine's (strand.h): it stands while anybody can do something.
 */
#ifndef SPLITDOM_TESTS_SIM_NET_VIF_WORLD_H
#define SPLITDOM_TESTS_SIM_NET_VIF_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/prng.h"
#include "domu/domain_clock.h"
#include "fakes/fake_netfront.h"
#include "service/back/evtchn_table.h"
#include "service/back/vif/vif_back.h"
#include "service/loop/pollables.h"
#include "service/net/bridge.h"
#include "splitdom/netfront.h"
#include "strand.h"
#include "tdf/clock.h"
#include "tdf/timer.h"
#include "xenstore/server/xs_server.h"
#include "xenstore/xenbus_state.h"

enum {
    WORLD_FRONTS = 4,
    WORLD_QUEUES_MAX = 3,
    WORLD_BATCH_MAX = 4, /* frames of a call */
    WORLD_WHY_MAX = 240,
    WORLD_IDS_MAX = 60000,
    WORLD_FLOWS = 3 * (WORLD_FRONTS + 1), /* of a queue: kinds of frames, times targets */
};

enum front_kind { FRONT_OURS, FRONT_FOREIGN, FRONT_HOSTILE };

enum front_phase {
    FRONT_ABSENT,  /* no domain at this Dom0 */
    FRONT_ASKED,   /* to be made by Dom0 */
    FRONT_WAITS,   /* for the back end's InitWait */
    FRONT_OFFERED, /* its rings; waits for Connected */
    FRONT_CONNECTED,
    FRONT_CLOSING, /* waits for the back end's Closing or Closed */
    FRONT_CLOSED,  /* waits for Closed */
    FRONT_ANEW,    /* starts over without having closed; waits for InitWait */
    FRONT_DEAD,    /* killed, and Dom0 has not noticed */
};

struct netfront;
struct vifs;
struct vifs_use;
struct world;

/* A thread of our front end. */
struct worker_thread {
    struct front *front;
    struct strand strand;
    uint32_t queue;
    bool parked; /* in no call of the library */
    uint8_t *bytes;
};

/* One frame, as the oracle knows it. */
struct sent_frame {
    uint8_t sender, queue, kind, target;
    uint8_t gso_type;
    bool blank, unsent; /* unsent: the library has said that it did not go out */
    uint16_t gso_size;
    uint32_t length, header;
};

/* What a receiver has had of a flow. */
struct seen_flow {
    uint32_t next_id, next_offset; /* of a frame that came in parts */
};

struct front {
    struct world *world;
    enum front_kind kind;
    enum front_phase phase;
    domid_t domid;
    uint8_t mac[NET_MAC_BYTES];
    uint32_t bridge; /* for good: who moves may overtake its own frames */
    /* Ours. */
    struct netfront *nf; /* NULL: not opened yet in this life of the program */
    struct domain_clock clock;
    bool clock_runs;
    struct strand link;
    struct worker_thread sender[WORLD_QUEUES_MAX], receiver[WORLD_QUEUES_MAX];
    uint32_t want_queues, page_slots; /* at most so many slots each way */
    uint32_t may_send;                /* calls */
    uint32_t begun;                   /* connections */
    bool stop, wants_reopen;
    /* Foreign and hostile. */
    struct fake_netfront other;
    bool one_event, no_sg, no_gso, no_csum, no_ring, awake, posts;
    bool busy[NETIF_RING_ENTRIES]; /* tx requests that are not answered, by id */
    uint32_t seen_requests;
    /* Both. */
    struct seen_flow seen[WORLD_FRONTS][WORLD_QUEUES_MAX][WORLD_FLOWS];
    uint64_t received, sent;
    /* Dom0's. */
    struct segment segment;
    int fd;
    struct evtchn_table evtchn;
    evtchn_port_t port[2 * WORLD_QUEUES_MAX]; /* tx, rx of each queue */
    struct back_settings settings;
    struct back_domain seen_by_dom0;
    struct vifs_use *use;
    struct xenbus_back *back;
    struct poll_peer peer;
    struct tdf_clock dom0_clock;
    struct tdf tdf;
    bool doorbell;
    /* Of this device, for the laws. */
    uint64_t outputs, bridged, dropped_there, dropped_delivered, dropped_on_link;
    uint64_t paid_bytes, rate_began_ns, rate_bytes;
    uint32_t rate_us;
};

struct world {
    struct prng random;
    struct log *log;
    struct log_limit log_limit;
    struct front front[WORLD_FRONTS];
    /* Dom0 */
    struct strand dom0;
    bool dom0_lives, dom0_asleep, dom0_ends;
    struct xs_server *store;
    struct pollables loop;
    struct back_host host;
    struct timers timers;
    struct tdf_source source;
    struct tdf_clock real_clock;
    struct timer_clock real_time;
    struct vifs *vifs;
    uint32_t max_queues;
    bool in_bridge;   /* a bridge works on a frame */
    bool in_clearing; /* a link that is taken out drops its frames */
    void (*bridge_put)(struct net_sink *sink, struct net_port *port, struct net_frame *frame,
                       uint64_t at_ns);
    /* What the seed has chosen. */
    bool links, chances; /* links; with jitter, reordering, duplicates, changes */
    bool copies;         /* a frame may come twice: a rule mirrors */
    uint32_t budget_max; /* steps at a time */
    bool draining;
    /* The oracle. */
    struct sent_frame *frame;
    uint32_t next_id;
    /* What happened. */
    uint64_t actions, received, parts, dom0_deaths, front_deaths, connections, halts, reopened;
    bool verbose;
    char why[WORLD_WHY_MAX];
};

/* The one whose doorbells ring. */
void world_use(struct world *w);
/* Below bound, from the seed. */
uint32_t world_pick(struct world *w, uint32_t bound);
/* Notes that a law does not hold; the first one counts. */
void world_fail(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void world_say(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The doorbell of a front end by its number. */
void world_ring(int front);
/* Time passes. */
void world_advance_to(struct world *w, uint64_t now_ns);

/* vif_dom0.c */
void dom0_birth(struct world *w);
/* kill -9, at the step where it is. Threads of domains go on until they notice. */
void dom0_kill(struct world *w);
/* Whether nobody uses a dead Dom0's memory any more. */
bool dom0_may_be_buried(const struct world *w);
void dom0_bury(struct world *w);
bool dom0_limits(const struct front *f); /* its rate */

/* vif_ours.c: the link thread of our front end. */
void ours_begin(struct front *f);
void ours_end(struct front *f); /* kill -9; nothing if there is nothing */
void ours_check_rest(struct front *f);
/* vif_threads.c */
void threads_start(struct front *f);
void threads_kill(struct front *f);
bool senders_are_parked(const struct front *f);
bool threads_are_parked(const struct front *f);

/* vif_foreign.c: foreign and hostile front ends */
void foreign_step(struct front *f, bool sends);
bool foreign_has_reason(const struct front *f);
/* vif_hostile.c */
void hostile_lies(struct front *f);

/* vif_nodes.c: what front ends write and read in the store */
void nodes_write(struct front *f, const char *directory, const char *node, uint32_t value);
/* Another of a few rates in the node of the back end; 4: none. */
void nodes_change_rate(struct front *f, uint32_t which);
uint64_t nodes_read(struct front *f, const char *node, uint64_t absent); /* of the back end */
enum xenbus_state nodes_back_state(const struct front *f);

/* vif_oracle.c */
/* Makes a frame that the front end may send. Returns its length, and what it says of itself. */
uint32_t oracle_make(struct front *f, uint32_t queue, bool large, uint8_t *bytes,
                     struct sent_frame *out);
/* The number of the last frame made. */
void oracle_unsent(struct world *w, uint32_t id);
/* A frame has come. takes_*: what the front end has said that it takes. */
struct got_frame {
    const uint8_t *data;
    uint32_t length;
    bool blank, takes_blank, takes_gso;
    bool late; /* its thread may have taken it before the present connection began */
    uint8_t gso_type;
};
void oracle_judge(struct front *f, const struct got_frame *got);

/* vif_laws.c */
void laws_hook_bridge(struct world *w, struct net_bridge *bridge);
void laws_device_begins(struct front *f);
/* At any time; and when nothing is under way. */
void laws_check(struct world *w);
void laws_check_rest(struct world *w);

#endif
