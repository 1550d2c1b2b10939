/* SPDX-License-Identifier: MIT */
/*
 * world: Dom0 and its domains in one thread, made of the product's own parts, moved step by step by
 * sim.c. Nothing sleeps: who would is marked as asleep, and wakes only by what would wake it.
 *
 *   Dom0     store, toolstack, back ends, ring loop, disk queue, cache; a disk whose operations end
 *            when the scheduler says so, in any order, with errors. Its loop is cut into pieces, so
 *            that front ends act between any two of them. Each next one may take fewer queues or
 *            smaller rings, be read-only, do no flush or discard, or have a smaller disk.
 *   disk     outlives Dom0. An oracle knows what each sector may hold, and judges every read.
 *   front    the front end's half: xenbus states, one to four queues with a front_ring, shadow,
 *            grants and event channel each; reads, writes, discards, flushes and barriers, also in
 *            many segments and by indirect requests, whose lists it rewrites once they are copied
 *   time     moved by hand; every domain has a clock whose rate changes
 */
#ifndef SPLITDOM_TESTS_SIM_WORLD_H
#define SPLITDOM_TESTS_SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/prng.h"
#include "domu/blkfront/shadow.h"
#include "fakes/fake_oracle.h"
#include "fakes/fake_vdisk.h"
#include "ring/blkif_front_ring.h"
#include "ring/gnttab.h"
#include "ring/segment.h"
#include "service/back/evtchn_table.h"
#include "service/back/vbd/vbd_back.h"
#include "service/block/queue.h"
#include "service/loop/pollables.h"
#include "tdf/clock.h"
#include "xenstore/server/xs_server.h"

enum {
    SIM_FRONTS = 3,
    SIM_ORDER_MAX = 1,
    SIM_QUEUES_MAX = 4,
    SIM_FIRST_REF = GNTTAB_NR_RESERVED_ENTRIES, /* of a domain's rings; data pages follow */
    SIM_IMAGE_SECTORS = 4096,
    SIM_CACHE_SECTORS = 40,
    SIM_DATA_PAGES = 768,       /* of a domain, for the data of its requests */
    SIM_LIST_PAGES = 32,        /* likewise, for the lists of indirect requests */
    SIM_SEGMENTS_MAX = 600,     /* of a request, which is more than is offered */
    SIM_SEGMENTS_OFFERED = 256, /* by the back end's node */
    SIM_LISTS_MAX = 2,          /* pages that name so many */
    SIM_DISCARD_SECTORS_MAX = 40,
    SIM_SECTORS_LEAST = 80, /* of a small disk */
    SIM_ENTRIES_MAX = 64,   /* of a ring */
    SIM_WHY_MAX = 200,
};

enum front_phase {
    FRONT_ABSENT,  /* no domain */
    FRONT_WAITS,   /* for the back end's InitWait */
    FRONT_OFFERED, /* its ring; waits for Connected */
    FRONT_CONNECTED,
    FRONT_CLOSING, /* waits for the back end's Closing or Closed */
    FRONT_CLOSED,  /* waits for Closed */
};

struct domain_memory;
struct world;

enum { RING_NONE = -1 };

/* A front end's request, as the oracle knows it; by its entry of the shadow. */
struct ask {
    struct queue *queue; /* whose entry it is of */
    struct shadow_entry *entry;
    int ring;                  /* the queue where Dom0 is asked; RING_NONE: it waits for a slot */
    bool repeated;             /* asked of an earlier Dom0, which may have been able to do more */
    uint64_t number;           /* among all that were put on rings */
    struct list_node of_world; /* while it is on a ring */

    struct oracle_change change; /* a write, discard, or flush or barrier with data */
    struct oracle_read read;
    struct oracle_sector *was;

    /* data.c: */
    bool is_indirect;
    struct blkif_request_segment *segment;
    uint32_t segment_count;
    uint32_t list_page[SIM_LISTS_MAX];
    uint32_t list_count;

    /* order.c, by the disk's clock: */
    bool *ended;            /* of what is written: each sector; NULL: nothing is */
    uint64_t ended_left;    /* sectors that have not */
    uint64_t ended_at;      /* when the last one had */
    uint64_t must_be_there; /* a flush or barrier: what had ended by then */
};

/* The front end's own. The shadow outlives Dom0, as with --reconnect. */
struct queue {
    struct front *front;
    uint32_t index;
    struct shadow shadow;
    struct ask ask[SIM_ENTRIES_MAX];
    struct blkif_front_ring ring;
    uint32_t on_ring; /* requests, also those of queues without a ring */
    evtchn_port_t port;
    bool asleep;
};

/* What can be done with the disk: of the present Dom0, or as a front end was told. */
struct abilities {
    uint64_t sectors;
    uint32_t block_sectors; /* of a logical block */
    uint32_t indirect;      /* segments of an indirect request */
    bool writable, flush, discard;
};

struct front {
    struct world *world;
    domid_t domid;
    enum front_phase phase;
    uint32_t page_order, queue_count; /* for good: the most */
    uint32_t life_order, life_queues; /* what the present Dom0 takes of that */
    struct abilities told;
    bool queues_share_vcpu;
    struct queue queue[SIM_QUEUES_MAX];
    uint64_t seen_ns; /* of its clock */
    uint64_t asked, answered, failed;
    uint32_t free_data[SIM_DATA_PAGES], free_data_count; /* pages, by number */
    uint32_t free_list[SIM_LIST_PAGES], free_list_count;
    /* Dom0's. */
    struct domain_memory *memory; /* may outlive the domain: segment is a copy */
    struct segment segment;
    int fd;
    struct evtchn_table evtchn;
    struct back_settings settings;
    struct back_domain seen; /* what the back end sees of the domain */
    struct xenbus_back *back;
    struct poll_peer peer;
    struct tdf_clock clock;
    struct tdf tdf;
    bool doorbell; /* rung, and not looked at */
};

enum dom0_piece { PIECE_EVENTS, PIECE_RINGS, PIECE_DISPATCH, PIECE_STORE, PIECE_SETTLE };

struct world {
    struct prng random;
    struct tdf_source source;
    uint64_t now_ns;
    struct log *log;
    struct front front[SIM_FRONTS];
    /* Dom0 */
    bool dom0_lives, dom0_asleep;
    enum dom0_piece piece;
    uint32_t work; /* of this round */
    struct xs_server *store;
    struct fake_vdisk disk;
    uint8_t content[SIM_IMAGE_SECTORS * BLOCK_SECTOR_BYTES]; /* of the disk */
    struct oracle oracle;
    uint64_t next_number;      /* of a write */
    uint64_t changes_answered; /* when by the disk's clock the last one was */
    struct list asks;          /* on rings */
    uint64_t asks_put;
    struct pollables loop;
    struct log_limit log_limit;
    struct back_host host;
    uint32_t depth, block_size_bytes;
    struct abilities can;
    bool image_can; /* the image can do more than the domains' disks of it */
    uint32_t max_queues, max_page_order;
    uint32_t disk_ready; /* operations that the disk has done and Dom0 has not heard of */
    /* what happened */
    uint64_t steps, dom0_deaths, front_deaths, connections, queues, disk_errors;
    uint64_t narrowed;           /* connections that take less than the front end has */
    uint64_t indirect, barriers; /* answered */
    bool verbose;
    char why[SIM_WHY_MAX]; /* the first thing that must not be */
};

/* Below bound, from the seed. */
uint32_t world_pick(struct world *w, uint32_t bound);
/* Notes that an invariant does not hold; the first one counts. */
void world_fail(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void world_say(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* dom0.c */
void dom0_birth(struct world *w);
void dom0_death(struct world *w);            /* kill -9: all domains end with it */
bool dom0_has_reason(const struct world *w); /* to run */
void dom0_step(struct world *w);             /* the next piece of its loop */
void disk_step(struct world *w);             /* one operation ends; Dom0 hears of it in its loop */
void domain_birth(struct front *f);
void domain_death(struct front *f);

/* front.c */
void front_birth(struct front *f);
void front_death(struct front *f); /* kill -9: what it asked for goes with it; as another */
void front_fini(struct front *f);
uint32_t front_ring_pages(const struct front *f); /* of a queue */
uint32_t front_pages(const struct front *f);      /* that are granted */
void front_alloc_ports(struct front *f);
bool front_has_reason(const struct front *f);
void front_step(struct front *f,
                bool asks); /* whatever it may do next; new requests only if asks */
void front_turn_clock(struct front *f);

/* queue.c */
void queue_submit(struct queue *q);
bool queue_waits(struct queue *q); /* for a slot of its ring */
/* Is it something that this disk does? */
bool can_do(const struct abilities *can, const struct ask *ask);
void queue_push(struct queue *q);
void queue_reap(struct queue *q);
void queue_forget(struct queue *q);
void queue_unask(struct queue *q); /* there is another Dom0, or another ring */
void queue_repeat(struct queue *q);

/* data.c: what a request's data lies in. Page numbers of a domain's data, and of lists. */
uint32_t data_pages(const struct front *f);
void data_grant(struct front *f);           /* all of them */
void data_reset(struct front *f);           /* none is in use */
bool data_is_in_use(const struct front *f); /* by Dom0 or the disk */
/* Draws segments for up to so many sectors, of whole pages or of any of their sectors. Returns how
 * many sectors they are: 0, there is no page left. */
uint64_t data_choose(struct ask *ask, uint64_t sectors_max, bool whole_pages);
void data_release(struct ask *ask);
/* The segments as they go into a request; an indirect one's into its lists. */
void data_put_lists(const struct ask *ask, struct blkif_request_indirect *req);
/* From, or into, sectors that lie side by side. */
void data_scatter(const struct ask *ask, const uint8_t *bytes);
void data_gather(const struct ask *ask, uint8_t *bytes);

/* order.c: what must be on the disk, and in which order requests may be answered. */
bool order_is_write(const struct ask *ask);  /* it brings data to the disk */
bool order_is_change(const struct ask *ask); /* or takes some away */
void order_begin(struct ask *ask);           /* it is chosen, and has its sectors */
void order_put(struct ask *ask, struct queue *ring);
void order_judge(struct ask *ask, bool succeeded); /* it is answered */
void order_unask(struct ask *ask);
void order_release(struct ask *ask);
void order_disk_wrote(void *world, const struct disk_io *io);

/* check.c: after every step; and when nothing is under way any more. */
void world_check(struct world *w);
void world_check_disk(struct world *w);
extern const struct cache_policy checked_lru; /* the product's, beside a naive one */

#endif
