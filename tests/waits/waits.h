/* SPDX-License-Identifier: MIT */
/*
 * waits: a conformance test of dilated time, for any program that dilates others.
 *
 * The judge lives in real time. It starts this program once more, by the command that dilates
 * (inside), and asks it for one case after the other, each in a process of its own. A case tells
 * over a socket where it is (struct mark); the judge takes the time of what it hears by the real
 * clock, and knows by the factor what that should be.
 */
#ifndef TESTS_WAITS_WAITS_H
#define TESTS_WAITS_WAITS_H

#include <stdint.h>
#include <time.h>

enum kind {
    KIND_WAIT,    /* from BEGIN to END: wait * TDF of real time */
    KIND_READ,    /* the value at END is the real time between BEGIN and END, over TDF; the judge
                   * lets wait * TDF pass in between */
    KIND_REMAIN,  /* the value at END is wait less the real time between BEGIN and END over TDF; the
                   * judge lets half of wait * TDF pass, then says go */
    KIND_SIGNAL,  /* the same, but the judge sends SIGUSR1 instead of saying go */
    KIND_EQUAL,   /* the value is 0: a difference between two clocks of the domain */
    KIND_CPU,     /* the value is the CPU time that the case used between BEGIN and END, over TDF */
    KIND_CPUWAIT, /* from BEGIN to END the case uses wait * TDF of CPU time */
    KIND_TICKS,   /* the value is in ticks of the TSC; else as KIND_READ */
    KIND_COUNT,   /* wait * TDF * 4 pass; the value is the number of periods of `wait` that ended */
};

struct wait_case {
    const char *name;
    enum kind kind;
    void (*run)(void);
    int64_t grain_ns;      /* of the domain's time: what the interface itself rounds by */
    int64_t grain_real_ns; /* of real time */
    int waits;             /* of KIND_WAIT: it lasts so many times `wait`; 0: once */
    int whole_seconds;     /* lasts a second of the domain's time instead of `wait` */
    int percent;           /* what else the kernel's own counting may be off by */
};

/* The tables end with a case without a name. */
extern const struct wait_case cases_read[], cases_relative[], cases_absolute[], cases_timer[],
    cases_output[], cases_process[], cases_stamp[], cases_cpu[], cases_uring[], cases_signal[],
    cases_kernel[], cases_handler[], cases_shown[], cases_rare[], cases_terminal[], cases_odd[],
    cases_kept[], cases_shared[];

/* For cases. The time that a case waits, of the domain. */
extern int64_t wait_ns;
struct timespec wait_timespec(void);
struct timeval wait_timeval(void);
int wait_ms(void);
/* Now plus wait, by a clock. Where the time is only known to clock_gettime. */
struct timespec wait_until(clockid_t clock);

void begin(void);              /* BEGIN; for KIND_CPU and its like: and waits until it was heard */
void end(int64_t value);       /* END, and ends the process */
void go(void);                 /* waits until the judge says go, or for a signal */
int told_to_stop(void);        /* without waiting: has the judge said go? */
void absent(const char *what); /* the case can't be run here: skipped; ends the process */
void broken(const char *what); /* a call failed that must not: ends the process */
void must(long rc, const char *what);
int64_t timespec_ns(struct timespec at);
int64_t clock_ns(clockid_t clock);
void burn(void); /* some CPU time */
/* For a case that goes on in another program or process: the socket that marks go to. */
int mark_fd(void);
void waits_exec_case(const char *name, char *const environment[]);

#endif
