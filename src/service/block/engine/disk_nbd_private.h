/* SPDX-License-Identifier: MIT */
/* disk_nbd_private: one disk, for the files of its engine: disk_nbd.c has its operations,
 * disk_nbd_link.c its connection, disk_nbd_silence.c a connection that says nothing. */
#ifndef SPLITDOM_SERVICE_BLOCK_ENGINE_DISK_NBD_PRIVATE_H
#define SPLITDOM_SERVICE_BLOCK_ENGINE_DISK_NBD_PRIVATE_H

#include <stdint.h>

#include "base/log.h"
#include "service/block/engine/disk_nbd.h"
#include "service/block/engine/nbd_patience.h"

struct image_opener;
struct poller_watch;

/* Operations in the order in which they came. */
struct disk_nbd_list {
    struct disk_io *first, **last;
    uint32_t count;
};

struct disk_nbd {
    struct disk base;
    struct poller *poller;
    struct disk_nbd_options options;
    struct image *image; /* the attached one; its nbd is the connection. NULL: none is */
    /* disk_nbd.c */
    int wake_fd; /* for what ends without an event of the connection's */
    struct poller_watch *wake_watch;
    struct disk_nbd_list ended; /* done is to be called */
    struct disk_nbd_list held;
    uint32_t commands; /* at the server */
    uint32_t changes;  /* writes and discards that were answered */
    uint32_t flushed;  /* those that a flush has covered */
    /* disk_nbd_link.c */
    enum disk_nbd_state state;
    int fd; /* of the connection, a duplicate: libnbd closes its own by itself */
    struct poller_watch *watch;
    int timer_fd; /* -1: it is never connected to again */
    struct poller_watch *timer_watch;
    int can_flush, can_trim;     /* of the first connection, as libnbd says it */
    uint64_t timer_ns;           /* what it is set to; 0: it is not */
    struct image_opener *opener; /* a try is under way */
    struct poller_watch *opener_watch;
    struct nbd_patience patience;
    bool over_told; /* of this outage: that its operations fail now */
    bool fail_told; /* and that a try has failed */
    uint64_t heard, heard_before, silent_since_ns; /* has the server said anything? */
    uint64_t cut_silent_ns; /* the connection is being cut: it has said nothing since; or 0 */
    bool was_asked;         /* something was sent on this connection */
    bool fell_silent;       /* so this outage began */
    uint64_t reconnections;
    struct log_limit log_limit;
};

/* disk_nbd_link.c. Errors of the first: those of timerfd_create(2) and poller_add. */
int disk_nbd_link_init(struct disk_nbd *dn);
void disk_nbd_link_fini(struct disk_nbd *dn);
/* The image is attached, and connected to. */
void disk_nbd_link_begin(struct disk_nbd *dn);
void disk_nbd_link_end(struct disk_nbd *dn);
/* Has the connection ended? */
void disk_nbd_link_look(struct disk_nbd *dn);
/* All that the server says now, and all that can be said to it. */
void disk_nbd_link_step(struct disk_nbd *dn);
/* The connection ends: nothing comes of it any more. */
void disk_nbd_link_cut(struct disk_nbd *dn);
/* A line of the log about it. */
void disk_nbd_link_tell(struct disk_nbd *dn, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* By CLOCK_MONOTONIC; 0: no timer. */
void disk_nbd_link_set_timer(struct disk_nbd *dn, uint64_t due_ns);
/* From now on nothing waits for a server that goes. */
void disk_nbd_link_give_up(struct disk_nbd *dn);
/* Whether an operation that can't be at the server waits for it. */
bool disk_nbd_link_waits(const struct disk_nbd *dn);

/* disk_nbd_silence.c */
/* Something is at the server: it must say something. */
void disk_nbd_silence_expect(struct disk_nbd *dn);
/* The timer has come, and there is a connection: has it said anything? */
void disk_nbd_silence_look(struct disk_nbd *dn, uint64_t now_ns);
/* Since when what is lost now has waited. */
uint64_t disk_nbd_silence_lost_ns(const struct disk_nbd *dn, uint64_t now_ns);

/* disk_nbd.c */
/* done of what has ended. Not within libnbd, nor within submit. */
void disk_nbd_deliver(struct disk_nbd *dn);
void disk_nbd_wake(struct disk_nbd *dn);
/* What is held is sent. */
void disk_nbd_send_held(struct disk_nbd *dn);
/* What is held, and has been for long enough or must not be any more, ends. */
void disk_nbd_fail_held(struct disk_nbd *dn);

#endif
