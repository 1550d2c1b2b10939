/* SPDX-License-Identifier: MIT */
/*
 * blkfront: a DomU's view of its virtual disk. The product's API.
 *
 *     struct blkfront *bf;
 *     struct blkfront_error why;
 *     struct blkfront_options options = {.size = sizeof(options), .depth = 8};
 *     if (blkfront_connect(&options, &bf, &why) < 0)
 *         errx(1, "%s", why.text);
 *     blkfront_read(bf, sector, 1, buffer);      // any thread, blocks
 *     blkfront_close(bf);
 *
 * Units: sectors of 512 bytes. Functions return 0 (or a count) or -errno and print nothing.
 * Threads: blkfront_read, blkfront_geometry, blkfront_now_ns, blkfront_clock_ns, blkfront_stats and
 * blkfront_failure may be called from any number of threads, the two clock calls from signal
 * handlers too; blkfront_submit and blkfront_reap from one thread at a time; blkfront_close when no
 * other call is running. fork: the child must not use an inherited handle.
 *
 * Errors that any call on a handle can return:
 *
 *   -ENOTCONN   Dom0 is gone or closed the device. With .reconnect calls wait for the next Dom0,
 * and return this only when there was none for a minute. -EPROTO     Dom0 broke the protocol: the
 * device is disabled for good, with .reconnect too.
 *
 * From the first of them on every call returns the same one. Asynchronous reads that were in flight
 * come back first, each once, with that error as their status (blkfront_reap).
 */
#ifndef SPLITDOM_BLKFRONT_H
#define SPLITDOM_BLKFRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "splitdom/version.h"

#ifdef __cplusplus
extern "C" {
#endif

struct blkfront;

enum {
    BLKFRONT_CLOSE_MS = 1000, /* how long blkfront_close waits for Dom0, in all */
};

/*
 * New members come at the end, and zero means what was before them. So a program works with a later
 * library, and with an earlier one as long as it sets no member that this does not know.
 */
struct blkfront_options {
    size_t size;        /* sizeof(struct blkfront_options), as the caller was compiled */
    const char *rundir; /* NULL: SPLITDOM_RUNDIR, else the default of the user */
    const char *name;   /* NULL: SPLITDOM_NAME, else "default" */
    uint32_t depth;     /* asynchronous reads in flight; 0 = 32, at most 512. The ring is made large
                         * enough for them. A service may grant a smaller one (its
                         * --max-ring-page-order): then the depth is what that ring holds, see
                         * blkfront_stats.depth */
    uint32_t sectors_per_request; /* largest read that will be asked for; 0 = 8, at most 88 */
    /* Outlive a Dom0 restart: re-connect, re-issue what is unanswered. To begin with a service must
     * be there; one that ends while we connect counts. Where the next service grants a smaller
     * ring, the requests that find no room in it wait here until there is some. */
    bool reconnect;
    bool real_completion;      /* no completion in virtual time, also where Dom0 offers it */
    bool no_spin;              /* always sleep at once when an answer is not there yet */
    uint64_t tdf_num, tdf_den; /* time dilation factor num/den for this domain; 0/0 = 1 */
};

struct blkfront_error {
    char text[256]; /* one line: what failed, on what, what to do */
};

struct blkfront_geometry {
    uint64_t first_sector;
    uint64_t last_sector;          /* inclusive */
    uint32_t sector_size;          /* alignment that Dom0 reports for the device, bytes */
    uint32_t physical_sector_size; /* bytes */
    bool read_only;
};

struct blkfront_completion {
    uint64_t sector;
    uint32_t sector_count;
    int32_t status;        /* 0; -EIO: the disk failed; -EOPNOTSUPP: Dom0 does not read; -ENOTCONN,
                            * -EPROTO: the device died before the answer came */
    void *buffer;          /* as given to blkfront_submit, the caller's again; filled when status is
                            * 0, else its contents are undefined */
    void *cookie;          /* as given to blkfront_submit */
    uint64_t submitted_ns; /* this domain's clock */
    uint64_t completed_ns; /* this domain's clock: when the answer was taken off the ring, or, with
                            * completion in virtual time, when the model disk had it done; or when
                            * the device died. Never before submitted_ns, never later than the
                            * clock shows by now */
};

struct blkfront_stats {
    uint64_t requests;   /* put on the ring */
    uint64_t responses;  /* taken off the ring */
    uint64_t errors;     /* responses with a status other than OKAY */
    uint64_t kicks;      /* doorbells rung */
    uint64_t upcalls;    /* wake-ups from sleep */
    uint64_t spins_won;  /* waits that ended while spinning */
    uint64_t spins_lost; /* waits that spun, and went on without spinning */
    uint64_t reconnects;
    uint16_t domid;
    uint32_t ring_entries; /* requests that the ring holds: less after a reconnect to a service that
                            * grants less */
    uint32_t depth;        /* asynchronous reads that may be submitted and not reaped: options.depth
                            * or the first ring's entries, whichever is smaller; never changes */
    /* Hints of Dom0, which may be wrong: */
    uint32_t dom0_cpu;     /* on which it last served this domain; UINT32_MAX: unknown */
    uint32_t busy_domains; /* how many have requests, this one included */
};

/*
 * Creates a domain at the running service and connects its disk through xenstore and the xenbus
 * states. Blocks until connected. On success *out is owned by the caller (blkfront_close). On
 * failure *out is NULL, and why->text (why may be NULL) says what failed and what to do.
 * Errors: -ENOENT no service runs there; -EINVAL options out of range, or their size is not set;
 * -E2BIG options are set that this library is too old for; -EAGAIN or -ENOSPC a limit
 * of the service is reached; -EPROTO the service's answer or memory makes no sense; -EBADFD the
 * memory or the doorbell that it sent is not what it must be; -ETIMEDOUT;
 * others from the system.
 */
int blkfront_connect(const struct blkfront_options *options, struct blkfront **out,
                     struct blkfront_error *why);

/* The disk's present size; follows a resize by Dom0. Never blocks. */
int blkfront_geometry(struct blkfront *bf, struct blkfront_geometry *out);

/*
 * Reads sector_count sectors (1..sectors_per_request of the options) from sector on into buffer
 * (sector_count * 512 bytes). Blocks the calling thread only. Errors: -EINVAL out of range or
 * count; -EIO the disk failed.
 */
int blkfront_read(struct blkfront *bf, uint64_t sector, uint32_t sector_count, void *buffer);

/*
 * Starts a read and returns at once; buffer belongs to the library until the read is reaped.
 * Several submits may share one doorbell: it is rung by blkfront_reap, or at once by blkfront_kick.
 * Errors: -EAGAIN as many as blkfront_stats.depth were submitted and not reaped, or blocking reads
 * have taken the rest of the ring: reap first; -EINVAL.
 */
int blkfront_submit(struct blkfront *bf, uint64_t sector, uint32_t sector_count, void *buffer,
                    void *cookie);

/* Makes submitted requests visible to Dom0 now. */
int blkfront_kick(struct blkfront *bf);

/*
 * Takes up to max finished reads into out, in order of completion; waits until there are at least
 * min (fewer only if fewer are in flight). Returns the number taken. When the device has died, the
 * reads that were in flight are finished, with its error as their status; once all are taken,
 * returns that -errno. So each read that was submitted is reaped exactly once.
 */
int blkfront_reap(struct blkfront *bf, struct blkfront_completion *out, uint32_t max, uint32_t min);

/*
 * This domain's clock in nanoseconds, dilated by its TDF. It begins at CLOCK_MONOTONIC when the
 * domain is made, and at TDF 1 stays there as long as that Dom0 lives.
 *
 * It never steps back: whoever knows of a reading, of this thread or told by another one, of this
 * process or by way of another one, never reads less, whatever happens to Dom0: changes of rate,
 * pauses, death or a stop at any instruction, a new Dom0 with .reconnect. It may stand still for a
 * while and then catch up at once.
 *
 *   Dom0 lives                       the time that it publishes
 *   Dom0 was stopped, or died, while time stands still until it goes on or is known to be dead
 *   it replaced the published time
 *   Dom0 is dead                     time goes on at the last rate
 *   the next Dom0 has the domain     time goes on from there, at the rate of the options
 *
 * No lock, no system call (if the kernel does not keep its own time by the TSC: none that
 * clock_gettime does not make), no waiting for anybody: a look at a clock that stands still costs
 * what any other costs.
 *
 * blkfront_clock_ns stores the same time in *now_ns, always, and tells why it is not that of a
 * living Dom0: -ETIMEDOUT, it stands still in the middle of an update; -ENOTCONN, Dom0 is dead;
 * -EAGAIN, the clock is just being changed and stands for some microseconds.
 */
uint64_t blkfront_now_ns(struct blkfront *bf);
int blkfront_clock_ns(struct blkfront *bf, uint64_t *now_ns);

void blkfront_stats(struct blkfront *bf, struct blkfront_stats *out);

/* The library's SPLITDOM_VERSION_NUMBER, which may be another one than the header's. */
uint32_t blkfront_version(void);

/* Why calls fail now ("Dom0 is gone …"); empty while connected. Valid until blkfront_close. */
const char *blkfront_failure(struct blkfront *bf);

/*
 * Closes the device and ends the domain. NULL is allowed. All memory and threads are released.
 * Reads that were submitted and not reaped are dropped; their buffers are the caller's again. Dom0
 * is told, and waited for, for BLKFRONT_CLOSE_MS at most, in real time: a Dom0 that is stopped or
 * hangs finds out by itself that the domain has ended.
 */
void blkfront_close(struct blkfront *bf);

#ifdef __cplusplus
}
#endif

#endif
