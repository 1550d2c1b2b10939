/* SPDX-License-Identifier: MIT */
/*
 * mediate: a program, unmodified, and all its descendants on a domain's clock (x86-64).
 *
 *     struct mediate *m;
 *     mediate_prepare(&(struct mediate_config){.clock_fd = fd, .clock_offset_bytes = 0,
 *                         .shim_path = path, .tdf = tdf}, &m, &why)
 *     pid = fork();
 *     if (pid == 0)
 *         _exit(mediate_exec(m, argv[0], argv, environ));  // comes back only if it failed
 *     ... after each change of the domain's rate, a pause or a resume:
 *     mediate_changed(m, tdf);
 *     mediate_close(m);
 *
 * How: in place of the program its child executes the shim (src/run/shim/), a static program at a
 * fixed address, which sets a seccomp filter, catches SIGSYS, redirects the vDSO, then loads the
 * program as the kernel would have and leaves. The filter is inherited for ever; at each execve of
 * a descendant the shim is executed again. So it makes no difference whether a program is static or
 * dynamic, in which language it is written, or which environment it passes on.
 *
 * The programs keep four descriptors open: at the top of what RLIMIT_NOFILE allows,
 * and closing them fails.
 *
 * Threads: one thread calls these; mediate_exec is for a child of one thread right after fork.
 */
#ifndef SPLITDOM_RUN_MEDIATE_H
#define SPLITDOM_RUN_MEDIATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "splitdom/tdf.h"

struct mediate;

struct mediate_config {
    int clock_fd;             /* of memory; stays the caller's, may be closed after the call */
    off_t clock_offset_bytes; /* where in there the domain's shared_info lies; whole pages */
    const char *shim_path;    /* the program bin/domu-shim */
    struct tdf tdf;           /* in force now; num 0: paused */
    /* rdtsc and rdtscp are dilated, too: each of them, and each reading of a clock, takes some ten
     * microseconds then. Else programs read the real TSC. */
    bool tsc;
    /* Called by the watcher's thread: ready for what the line of that version announces
     * (domu_clock_ready); once with 0, before the first. NULL: nobody announces anything. */
    void (*ready)(void *ctx, uint32_t version);
    void *ctx;
};

struct mediate_why {
    char text[256]; /* one line: what failed, on what, what to do */
};

/*
 * Makes the session's memory and opens the shim. Takes about a millisecond, 20 with .tsc (the
 * counter's rate is measured, asleep). *out is the caller's (mediate_close). why may be NULL.
 * -EINVAL: the offset is no whole page; -ENOTSUP: not on this machine, or .tsc where the domain's
 * clock does not run by the TSC; -ENOENT: no shim there; -EBUSY: this process is on a domain's
 * clock itself; others from the system.
 */
int mediate_prepare(const struct mediate_config *config, struct mediate **out,
                    struct mediate_why *why);

/* NULL is allowed. Programs go on as they are. */
void mediate_close(struct mediate *m);

/*
 * In the child, in the place of execvpe: replaces the process by the program, looked up in PATH if
 * its name has no slash. Signal dispositions, mask, terminal, descriptors are the caller's matter,
 * but SIGSYS. Returns only when it failed: 127 (not found) or 126, as a shell's exit code; the
 * reason has been printed to standard error. Later failures (a setuid program, one of another
 * architecture) end the process with the same codes.
 */
int mediate_exec(const struct mediate *m, const char *program, char *const argv[],
                 char *const envp[]);

/*
 * Starts a thread that sees changes in the clock's page, if Dom0 wakes who sleeps (futex(2)) at
 * vCPU 0's version after it: does what mediate_changed does, with what the page tells of the rate,
 * until mediate_changed says it exactly. Before the clock becomes slower, as far as that is
 * announced, it has the programs arm their timers by the slower rate (config.ready). Errors:
 * -EAGAIN, -ENOMEM: no more threads.
 */
int mediate_watch(struct mediate *m);

/* NULL is allowed. Ends that thread; mediate_close does it, too. */
void mediate_unwatch(struct mediate *m);

/*
 * The domain's clock has another rate now: wakes every wait and every timer of its programs, which
 * take the new rate then. Call it as soon as the page shows the new line, from the process that
 * called mediate_prepare and whose descendants the programs are; takes some microseconds a sleeping
 * thread. The first time that the clock leaves real time it takes some milliseconds more, to tell
 * every process (run/reach.h). A rate that the page no longer shows is taken for one of before, and
 * nothing happens. tdf: as config.tdf.
 */
void mediate_changed(struct mediate *m, struct tdf tdf);

#endif
