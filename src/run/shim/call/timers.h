/* SPDX-License-Identifier: MIT */
/*
 * timers: the kernel timers that this process has armed, with the time of the domain's clock at
 * which each is due, so that they can be armed anew when the rate changes.
 *
 * A record is used by one thread at a time (busy). A kick that finds one busy leaves it: who has it
 * looks at the generation again when he lets it go.
 */
#ifndef SPLITDOM_RUN_SHIM_CALL_TIMERS_H
#define SPLITDOM_RUN_SHIM_CALL_TIMERS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "run/shim/call/timer_signal.h"

enum timers_kind {
    TIMERS_NONE,
    TIMERS_FD,     /* number: the descriptor; survives fork, but a child arms none anew */
    TIMERS_POSIX,  /* number: the kernel's timer id */
    TIMERS_ITIMER, /* number: ITIMER_REAL */
};

/* The clock of a timerfd that came from elsewhere, where nothing tells of it: a span is armed as
 * one, and a time is taken for one of CLOCK_MONOTONIC. No timer has this clock. */
enum { TIMERS_CLOCK_UNTOLD = CLOCK_MONOTONIC_COARSE };

struct timers_record {
    uint64_t key;  /* kind, process, number; 0: free */
    uint32_t busy; /* the process of the thread that has it; 0: nobody */
    int32_t pid;
    int32_t clock_id;
    uint32_t generation; /* by which it is armed */
    bool armed;
    struct timer_signal signal; /* of a POSIX timer */
    uint64_t deadline_ns;       /* CLOCK_MONOTONIC of the domain, for which it is armed */
    uint64_t interval_ns;       /* the domain's; 0: once */
    uint64_t real_deadline_ns;  /* the kernel's CLOCK_MONOTONIC, of the first expiry, */
    uint64_t real_slack_ns;     /* or up to so much later: so long did the arming take */
    uint64_t real_interval_ns;
};

enum timers_kind timers_kind_of(const struct timers_record *record);

/* The record of a timer, taken for the caller until timers_release. create: one is made where there
 * is none. NULL: none there, or no room. */
struct timers_record *timers_take(enum timers_kind kind, int number, bool create);
void timers_release(struct timers_record *record);
void timers_forget(struct timers_record *record);

/* A new timerfd has the number of that record. */
void timers_made(struct timers_record *record, int clock_id);

/* Arms it, interval and all, for record->deadline_ns. flags: of the kernel's call but for
 * TIMER_ABSTIME, which is dropped. Where the rate has changed meanwhile timers_release arms it
 * again. 0 or -errno. */
long timers_arm(struct timers_record *record, long flags);

/* What is left, in the domain's time; zero if it is not armed. */
struct itimerspec timers_left(const struct timers_record *record);

/* After a kick: each armed timer of this process by the rate of now. */
void timers_rearm(void);

/* The same at a call that is caught, where the kick of a change has not been here yet: one that is
 * sent while the call's own SIGSYS is pending never comes. */
void timers_look(void);

/* Makes room for what the kernel keeps through an exec. */
void timers_adopt_itimer(void);

#endif
