/* SPDX-License-Identifier: MIT */
/*
 * blkfront_private: struct blkfront, for the files that implement splitdom/blkfront.h:
 *   blkfront.c        open, close, geometry, clock, statistics
 *   blkfront_link.c   what the device has of its domain; what the domain's link thread calls
 *   blkfront_queues.c  the queues, and which one is a thread's
 *   blkfront_backlog.c  requests that wait for a slot of the ring
 *   blkfront_limits.c  what the disk can do, and what may be asked of it
 *   blkfront_request.c  an entry as a request on the ring, and its data
 *   blkfront_ring.c   responses off the ring
 *   blkfront_wait.c   how threads wait: spin, lead, sleep
 *   blkfront_sleep.c  threads that Dom0 wakes, each on a word of its own
 *   blkfront_call.c   the calls that block
 *   blkfront_io.c     the asynchronous calls
 *   blkfront_abandon.c  requests that timed out or were cancelled
 *   blkfront_fd.c     the descriptor to poll
 *   blkfront_view.c   hits without a hand-over
 *   blkfront_trace.c  the domain's half of the lives of its requests
 */
#ifndef SPLITDOM_DOMU_BLKFRONT_BLKFRONT_PRIVATE_H
#define SPLITDOM_DOMU_BLKFRONT_BLKFRONT_PRIVATE_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "domu/blkfront/blkfront_trace.h"
#include "domu/blkfront/cache_view.h"
#include "domu/blkfront/hit_queue.h"
#include "domu/blkfront/shadow.h"
#include "domu/blkfront/vbd_front.h"
#include "domu/domu_private.h"
#include "domu/due.h"
#include "ring/barrier.h"
#include "ring/blkif_front_ring.h"
#include "ring/spin_budget.h"
#include "splitdom/blkfront.h"

enum {
    BLKFRONT_DEPTH_DEFAULT = 32,
    BLKFRONT_DEPTH_MAX = BLKIF_RING_ENTRIES_MAX,
    BLKFRONT_SECTORS_DEFAULT = BLKIF_SECTORS_PER_PAGE,
    BLKFRONT_WAKES_MAX = 64,
    BLKFRONT_LARGE_PAGES = 4096, /* of large requests, by default */
};

/* What Dom0 lets us do with the disk; bits of blkfront.features. */
enum { BLKFRONT_CAN_WRITE = 1, BLKFRONT_CAN_FLUSH = 2, BLKFRONT_CAN_DISCARD = 4 };

enum { BLKFRONT_ASK_ELSEWHERE = -ESTALE };

/* Values of read_waiter.word, a futex. SLEEPING is stored with the lock held; whoever stores
 * another value over it owes a futex_wake. DONE is final. */
enum { WAITER_AWAKE = 0, WAITER_SLEEPING = 1, WAITER_DONE = 2 };

/*
 * A thread that waits, on its own stack. Whoever takes its response stores status, then word; from
 * that store on the thread may have returned: only the address of word may still be used, to wake
 * it (a futex_wake at an address where nobody waits does nothing).
 */
struct read_waiter {
    uint32_t word;
    int status;
    bool any;    /* waits for no response of its own, but for a condition: nudged at progress */
    bool listed; /* on blkfront.sleepers, until it is answered or leaves */
    bool lies;   /* asleep until Dom0 wakes it, or about to */
    struct shadow_entry *entry; /* what it waits for, if that is one request; else NULL */
    uint64_t deadline_ns;       /* CLOCK_MONOTONIC; 0: it waits for ever */
    struct trace_record *life;  /* of its request, while that is traced; NULL: of none */
    struct read_waiter *next, *prev;
};

struct transfer;

struct waiter_list {
    struct read_waiter *head, *tail;
};

/* Futex words of threads to be woken once the lock is released. */
struct wake_batch {
    uint32_t *word[BLKFRONT_WAKES_MAX];
    uint32_t count;
};

/*
 * A ring, and all that goes with it. Threads are spread over the queues of a disk, so that they do
 * not wait for each other's locks; asynchronous requests are the first queue's, because one thread
 * asks for all of them.
 */
struct blkfront_queue {
    struct blkfront *bf;
    /* Constant once connected: */
    uint32_t first_page; /* of its data: of those of bf->data */
    uint32_t ring_pfn;
    uint32_t vcpu;     /* where its threads sleep; 0: none yet */
    uint32_t depth;    /* of asynchronous requests; 0: all but the first queue */
    uint32_t first_id; /* of the shadow */
    bool has_words;    /* of the domain's, for the ids from first_id on (splitdom/sleepers.h) */

    pthread_mutex_t lock; /* for everything below */
    struct blkif_front_ring
        ring;        /* a spinning thread looks without the lock: front_ring_has_hint */
    bool stamped;    /* completion in virtual time: answers have a time */
    uint32_t *words; /* one for each entry; NULL: this Dom0 wakes nobody by its word */
    struct shadow shadow;
    struct list unasked;    /* transfers that wait for entries of the shadow, in turn */
    struct list backlog;    /* entries that wait for a slot, oldest first (shadow_entry.backlog) */
    struct heap held;       /* answers that came before their time (shadow_entry.held) */
    uint64_t batch_ns;      /* our clock when the present answers were taken; 0: unread */
    struct due_looks looks; /* at our clock, when last waiting for one */
    bool kick_owed;         /* pushed, and Dom0 asked for the doorbell */
    bool leader;            /* a thread sleeps on the ring's vCPU on behalf of all */
    uint32_t lying;         /* threads that sleep on words */
    struct waiter_list sleepers;      /* threads that sleep, or have just been nudged */
    struct waiter_list answered;      /* asleep though their answer has come: the next to wake */
    struct transfer *transfers;       /* depth of them, for asynchronous requests */
    struct blkfront_completion *done; /* finished asynchronous ones: a circular queue of depth */
    uint32_t done_head, done_count;
    uint32_t async_pending; /* asynchronous requests in flight */
    struct blkfront_stats stats;
    struct spin_budget spin;
    int failed;        /* 0, or the -errno that all calls return from now on */
    bool tell_others;  /* it has failed first: the other queues are to fail, too */
    bool without_ring; /* the present Dom0 takes fewer queues: nothing can be asked here */
    bool linking;      /* being re-linked: the ring is not to be used */
    pthread_cond_t link_changed;
    int ready_fd;     /* to poll; -1: nobody has asked for it. Opened, and read without the lock,
                       * by the thread that submits */
    bool ready_shown; /* it is readable */
    bool watch_ends;  /* the thread that waits for it is to end */

    void *trace; /* atomic: struct blkfront_trace; written with the lock; NULL: nobody traces */
    struct blkfront_trace *trace_memory; /* what trace was, or will be */
    /* Of the requests that are traced: how many there are (atomic: read without the lock); put and
     * not shown to Dom0; shown while the doorbell is owed for them. */
    uint32_t traced, traced_fresh, traced_unrung;
    uint64_t woken_ns; /* a thread woke, and has not looked at the ring since; or 0 */
};

struct blkfront {
    struct blkfront_options options;
    struct domu *domu;
    bool owns_domu;         /* made by blkfront_connect: the domain ends with the device */
    struct vbd_front front; /* of whoever has claimed the domain */
    /* Constant once connected; addresses and the doorbell are those of all lives of the domain: */
    uint32_t nr_queues;       /* no later Dom0 is asked for more */
    uint32_t page_order;      /* of each ring: no later one is larger */
    uint32_t nr_entries;      /* of each shadow: not more than the first rings' */
    uint32_t pages_per_entry; /* data, and if it has more than fit a direct request, segments */
    /* What we have of the domain: the queues' data, then their rings. */
    uint32_t first_pfn, nr_pages;
    uint32_t nr_data_pages;
    uint8_t *data; /* entry i of the first queue's shadow has pages_per_entry pages from here */
    grant_ref_t data_ref; /* of the first page, read-write; those of the next ones follow */
    grant_ref_t ro_ref;   /* the same pages, read-only */
    int doorbell_fd;
    struct hints *hints;
    struct shared_info *shared_info;
    struct domain_clock *clock;
    struct shared_cache_claims *claims; /* where hits in the view are noted */
    pthread_key_t turn_key;             /* with several queues: which is a thread's */
    bool has_turn_key;

    struct blkfront_queue queue[BLKFRONT_QUEUES_MAX];

    pthread_mutex_t lock; /* for the next ones; taken after a queue's, never before it */
    int failed;           /* 0, or the first queue's that failed */
    char failure[256];
    struct cache_view *old_views; /* somebody may still be in them */
    uint32_t learnt_absent;       /* of features: what the present Dom0 offered and could not do */
    int geometry_fd;              /* eventfd: the disk is another; -1: nobody has asked for it */

    /* Atomic, without the lock; written with it: */
    uint64_t sectors;
    uint32_t sector_size, physical_sector_size;
    uint32_t features; /* BLKFRONT_CAN_* */
    uint32_t discard_granularity, discard_alignment;
    uint32_t request_sectors; /* of the largest read or write on the ring to this Dom0 */

    /* Atomic: */
    uint32_t closing;
    uint32_t queues_in_use; /* the first so many have rings to the present Dom0 */
    uint32_t threads;       /* that have come by, for turn_key */
    void *view;             /* struct cache_view: where hits come from; NULL: from Dom0 only */
    struct cache_notes_watch watch; /* of the hits there */

    /* Of the thread that submits, cancels and reaps, without a lock: */
    struct hit_queue hits;
    uint32_t unreaped; /* submitted and not reaped, hits included: never exceeds the depth */

    pthread_t watch_thread; /* runs if the first queue's ready_fd is open */
};

/* blkfront_link.c */
/* Connects the device in bf->domu, which follows it from then on. Errors: -errno, why. */
int blkfront_link_start(struct blkfront *bf, char *why, size_t why_bytes);
/* Closes the device and gives back what it has of its domain; ends a domain that it owns. Accepts
 * half-built ones. */
void blkfront_link_stop(struct blkfront *bf);

/* blkfront_view.c */
/* By whoever has claimed the domain; the device is connected: maps the disk's cache, where that was
 * agreed on. Where it can't, all reads go to Dom0. */
void blkfront_view_start(struct blkfront *bf);
/* With the device's lock held: no read that begins now is served from the view, if there is one. */
void blkfront_view_stop(struct blkfront *bf);
/* Frees all views. No other call runs. */
void blkfront_view_free(struct blkfront *bf);
/* Reads what io asks for, BLKIF_SECTORS_MAX sectors at most, from the view, if there is one, all
 * sectors are there and Dom0 is not known to be dead. Any thread, without the lock. */
bool blkfront_view_read(struct blkfront *bf, const struct blkfront_io *io, uint32_t at);
/* ios are submitted next, in this order. Returns where the view may have the first one: for
 * blkfront_view_read. */
uint32_t blkfront_view_expect(struct blkfront *bf, const struct blkfront_io *ios, uint32_t count);

/* blkfront_backlog.c: with the lock held. The ring has as many slots as the shadow has entries,
 * until we are re-linked and the next service grants a smaller one. */
/* Puts entry on the ring, invisible until blkfront_push, or at the end of the backlog, if no slot
 * is free. asked_ns: our clock, for its stamp. Returns whether the entry is on the ring. */
bool blkfront_ask(struct blkfront_queue *queue, struct shadow_entry *entry, uint64_t asked_ns);
/* Slots have become free: as many of the backlog as there is room for, shown to Dom0. */
void blkfront_ask_waiting(struct blkfront_queue *queue);
/*
 * On a new ring: all that was asked and not answered, in the order in which it was asked. All of it
 * can be repeated, and each request is completed once: by the ring that we listen to now.
 *   write    the data are taken from the caller's memory again: nobody has been told that it may
 *            change. A write of ours that Dom0 had done and not answered is done twice, with the
 *            same data; between the two nobody has been told of any later one to these sectors.
 *   flush    covers the writes answered before it. They are at the device, which outlived that
 *            Dom0, and a flush of the next one covers all that the device has, whoever wrote it.
 *   discard  like a write
 * What nobody waits for any more is not asked again. An answer that came before its time has been
 * held back and still is: nobody is told a time that our clock has not reached.
 */
void blkfront_ask_again(struct blkfront_queue *queue);

/* blkfront_io.c: with the lock held, by the thread that submits */
/* Moves hits to done[], where other threads see them. */
void blkfront_show_hits(struct blkfront_queue *queue);

/* blkfront_abandon.c: with the lock held */
/* Nobody waits for entry any more: its answer is dropped, whenever it comes. Its waiter is in no
 * list. */
void blkfront_abandon(struct blkfront_queue *queue, struct shadow_entry *entry,
                      struct wake_batch *wakes);

/* blkfront_fd.c */
/* With the lock held, ready_fd open: makes it readable or not, as there is something to reap. */
void blkfront_show_ready(struct blkfront_queue *queue);
/* Ends the thread and closes the descriptor. Accepts one that nobody has asked for. */
void blkfront_fd_stop(struct blkfront *bf);

/* blkfront_queues.c */
/* Makes the queues, of which there is one at first. */
void blkfront_queues_init(struct blkfront *bf);
void blkfront_queues_fini(struct blkfront *bf);
/* Connected, with nr_queues rings of nr_entries: makes what they need. Errors: -EAGAIN no key is
 * left to tell threads apart by; -ENOMEM; with why. */
int blkfront_queues_make(struct blkfront *bf, char *why, size_t why_bytes);
/* That of the calling thread, always the same as long as Dom0 takes as many. */
struct blkfront_queue *blkfront_queue_here(struct blkfront *bf);

/* blkfront_limits.c */
/* Of the options, checked: how many entries the shadow has if the ring has so many, and the pages
 * of each. */
uint32_t blkfront_default_depth(uint32_t sectors_per_request);
uint32_t blkfront_entries(const struct blkfront_options *options, uint32_t ring_entries);
uint32_t blkfront_pages_per_entry(uint32_t sectors_per_request);
/* What Dom0 has told of the disk is what counts from now on; but what this Dom0 has turned out not
 * to do it still does not. The first limits are those of a Dom0 of which nothing is known. */
void blkfront_take_limits(struct blkfront *bf);
void blkfront_take_first_limits(struct blkfront *bf);
/* May this be asked? Without the lock. Errors: -EINVAL, -EROFS, -EOPNOTSUPP. */
int blkfront_check(struct blkfront *bf, enum blkfront_operation operation, uint64_t sector,
                   uint64_t sector_count);
/* Dom0 has answered that it does not do this. */
void blkfront_cannot(struct blkfront *bf, uint8_t operation);

static inline bool blkfront_has_data(enum blkfront_operation operation)
{
    return operation <= BLKFRONT_WRITE;
}

static inline uint32_t blkfront_request_sectors(const struct blkfront *bf)
{
    return load_relaxed_u32(&bf->request_sectors);
}

/* Are these sectors on the disk, and whole blocks of it? */
static inline bool blkfront_has_sectors(const struct blkfront *bf, uint64_t sector,
                                        uint64_t sector_count)
{
    uint64_t sectors = load_relaxed_u64(&bf->sectors);
    uint32_t unit_mask = load_relaxed_u32(&bf->sector_size) / BLKIF_SECTOR_SIZE - 1;
    return sector_count > 0 && sector_count <= sectors && sector <= sectors - sector_count &&
           ((sector | sector_count) & unit_mask) == 0;
}

/* Does it fit one request on the ring? */
static inline bool blkfront_fits(const struct blkfront *bf, enum blkfront_operation operation,
                                 uint64_t sector_count)
{
    return sector_count <= blkfront_request_sectors(bf) || !blkfront_has_data(operation);
}

/* Is it a read of what Dom0's cache has, and done by that? Large requests leave the cache alone. */
static inline bool blkfront_hits_view(struct blkfront *bf, const struct blkfront_io *io,
                                      uint32_t at)
{
    return io->operation == BLKFRONT_READ && io->iov_count == 0 &&
           io->sector_count <= BLKIF_SECTORS_MAX && blkfront_view_read(bf, io, at);
}

/* blkfront_request.c: with the lock held */
/* Puts entry on the ring, where a slot is free: as much as fits one request of what is not done
 * yet. For blkfront_backlog.c. */
void blkfront_put_request(struct blkfront_queue *queue, struct shadow_entry *entry,
                          uint64_t asked_ns);
/* Where Dom0 puts what it reads for the entry. */
const uint8_t *blkfront_data_of(const struct blkfront_queue *queue,
                                const struct shadow_entry *entry);
/* Copies what Dom0 has read for the entry to the caller. */
void blkfront_take_data(struct blkfront_queue *queue, const struct shadow_entry *entry);

/* What is asked with an entry. Its owner (waiter, transfer, cookie) is set by whoever took it. */
static inline void blkfront_fill_entry(struct shadow_entry *entry,
                                       enum blkfront_operation operation, uint64_t sector,
                                       uint64_t sector_count, void *buffer)
{
    entry->operation = (uint8_t)operation;
    entry->sector = sector;
    entry->sector_count = sector_count;
    entry->done_count = 0;
    entry->buffer = buffer;
}

/* blkfront_ring.c: with the lock held, except blkfront_wake */
/* Shows requests to Dom0; remembers when the doorbell must be rung. */
void blkfront_push(struct blkfront_queue *queue);
/* Takes all responses that are there. Returns how many. */
uint32_t blkfront_reap_ring(struct blkfront_queue *queue, struct wake_batch *wakes);
/* Makes all calls fail from now on; what is in flight is finished with the error. The first reason
 * stays. */
void blkfront_fail(struct blkfront_queue *queue, int error, const char *why,
                   struct wake_batch *wakes);
/* Without a lock: the disk has failed, and its other queues are to do so. */
void blkfront_fail_others(struct blkfront_queue *queue);
/* The present Dom0 takes fewer queues. All that is in flight here, none of it asynchronous, is
 * finished with BLKFRONT_ASK_ELSEWHERE, which no caller of the library sees. */
void blkfront_leave_ring(struct blkfront_queue *queue, struct wake_batch *wakes);
/* An asynchronous request is finished: it waits on the done queue for blkfront_reap. */
void blkfront_finish_async(struct blkfront_queue *queue, const struct blkfront_completion *done);
/* The same of one that is an entry, which is the caller's to give back. */
void blkfront_finish_entry(struct blkfront_queue *queue, const struct shadow_entry *entry,
                           int32_t status, uint64_t completed_ns);
/* The thread's answer is there: from here on it may return, unless it sleeps. */
void blkfront_finish_waiter(struct blkfront_queue *queue, struct read_waiter *waiter, int status);
/* Wakes the sleepers that wait for a condition (all of them: every sleeper). */
void blkfront_nudge(struct blkfront_queue *queue, bool all, struct wake_batch *wakes);
void blkfront_unlist(struct blkfront_queue *queue, struct read_waiter *waiter);
void waiter_list_append(struct waiter_list *list, struct read_waiter *waiter);
void waiter_list_remove(struct waiter_list *list, struct read_waiter *waiter);
void blkfront_wake(struct wake_batch *wakes);

/* blkfront_wait.c */
/*
 * Releases the lock: rings the doorbell if that is owed, wakes the batch, wakes the next thread
 * that is answered, and makes sure that somebody leads as long as anybody waits. Every release goes
 * through here.
 */
void blkfront_unlock(struct blkfront_queue *queue, struct wake_batch *wakes);
/*
 * One step of waiting, with the lock held and the ring reaped. Returns true when waiter is DONE
 * (the lock is NOT held), else false with the lock held: reap and look again.
 */
bool blkfront_wait_step(struct blkfront_queue *queue, struct read_waiter *waiter,
                        struct wake_batch *wakes);
/* What a thread that spins waits for. */
struct spin_target {
    uint32_t request_index; /* position of the request on the ring */
    const uint8_t *data;    /* where Dom0 puts what was read; NULL: in several places */
    uint32_t data_bytes;
};

/*
 * Looks at the ring for a while instead of sleeping. Called without the lock, returns with it and
 * with the ring reaped.
 */
void blkfront_spin(struct blkfront_queue *queue, struct read_waiter *waiter,
                   const struct spin_target *target, uint32_t limit_ns, struct wake_batch *wakes);
/* How long this waiter may sleep, -1: for ever; has its time run out? */
int64_t blkfront_left_ns(const struct read_waiter *waiter);
bool blkfront_is_late(const struct read_waiter *waiter);
/* With the lock held: for how long may this wait begin with a spin? 0: it must not. */
uint32_t blkfront_may_spin(struct blkfront_queue *queue);

#endif
