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
 *     blkfront_write(bf, sector, 1, buffer);     // blocks until the disk has it
 *     blkfront_flush(bf);                        // blocks until what it has will survive
 *     blkfront_close(bf);
 *
 * Units: sectors of 512 bytes. Functions return 0 (or a count) or -errno and print nothing.
 * Threads: blkfront_read, _readv, _write, _writev, _flush, _discard, blkfront_geometry,
 * blkfront_now_ns, blkfront_clock_ns, blkfront_begin_ns, blkfront_stats, blkfront_queues and
 * blkfront_failure may be called from any number of threads, the three clock calls from signal
 * handlers too; blkfront_submit, blkfront_submit_io, blkfront_submit_many, blkfront_kick,
 * blkfront_reap, blkfront_cancel and blkfront_fd from one thread at a time; blkfront_close when no
 * other call is running. No call is a cancellation point (pthread_cancel). fork: the child must not
 * use an inherited handle.
 *
 * Order: requests that are in flight together may be done in any order, and parts of one in any
 * order among those of others. Who writes a sector while another request for it is in flight does
 * not know which of them comes last, nor what a read sees of the write: callers wait for the one
 * before they ask for the other. A request that begins after another one was answered sees all that
 * the other one did.
 *
 * What lasts: a write that was answered with 0 is at the device, and outlives Dom0's death. It
 * outlives a power failure once a flush, asked for after the write was answered, has been answered
 * with 0. A write that ended with an error may have been done in full, in part or not at all.
 *
 * Size: a read or write may be of any size. One larger than a request of the ring
 * (sectors_per_request, and what Dom0 allows) is split by the library: there is one answer, once
 * all parts are answered, and an error of a part is the error of the whole. What of the others has
 * been read or written is undefined then.
 *
 * Errors that any call on a handle can return:
 *
 *   -ENOTCONN   Dom0 is gone or closed the device; with .reconnect calls wait for the next Dom0,
 *               and return this only when there was none for a minute
 *   -EPROTO     Dom0 broke the protocol: the device is disabled for good, with .reconnect too
 *
 * From the first of them on every call returns the same one. Asynchronous requests that were in
 * flight come back first, each once, with that error as their status (blkfront_reap).
 */
#ifndef SPLITDOM_BLKFRONT_H
#define SPLITDOM_BLKFRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "splitdom/domu.h"
#include "splitdom/version.h"

#ifdef __cplusplus
extern "C" {
#endif

struct blkfront;

enum {
    BLKFRONT_CLOSE_MS = 1000,                /* how long blkfront_close waits for Dom0, in all */
    BLKFRONT_SECTORS_PER_REQUEST_MAX = 2048, /* 1 MiB: 256 pages, as Xen's back ends allow */
    BLKFRONT_QUEUES_MAX = 8,
};

/* What is asked of a disk, by Xen's numbers (BLKIF_OP_*). */
enum blkfront_operation {
    BLKFRONT_READ = 0,
    BLKFRONT_WRITE = 1,
    BLKFRONT_FLUSH = 3,
    BLKFRONT_DISCARD = 5,
};

/*
 * New members come at the end, and zero means what was before them. So a program works with a later
 * library, and with an earlier one as long as it sets no member that this does not know.
 */
struct blkfront_options {
    size_t size;        /* sizeof(struct blkfront_options), as the caller was compiled */
    const char *rundir; /* the domain's, as in domu_options: NULL for blkfront_open */
    const char *name;   /* the domain's */
    uint32_t depth;     /* asynchronous requests in flight; 0 = 32, at most 512. The ring is made
                         * large enough for them. A service may grant a smaller one (its
                         * --max-ring-page-order): then the depth is what that ring holds, see
                         * blkfront_stats.depth */
    /* The largest request on the ring, for which memory is set aside; larger ones are split. 0 = 8,
     * at most BLKFRONT_SECTORS_PER_REQUEST_MAX. Up to 88 there is memory for as many as the ring
     * holds; from 89 on (Xen's indirect requests, where Dom0 takes them) for depth of them, and
     * depth 0 = as many of 32 as take 16 MiB. */
    uint32_t sectors_per_request;
    /* The domain's: false for blkfront_open. After a Dom0 restart what is unanswered is asked again
     * of the next Dom0, in each queue in the order in which it was asked: reads, writes, flushes
     * and discards can all be repeated as long as nobody has been told that they are done. What was
     * answered is not asked again, and need not be: the writes are at the device, where a flush of
     * the next Dom0 finds them. Where the next service grants a smaller ring, or smaller requests,
     * those that find no room in it wait here until there is some. */
    bool reconnect;
    bool real_completion;      /* no completion in virtual time, also where Dom0 offers it */
    bool no_spin;              /* always sleep at once when an answer is not there yet */
    uint64_t tdf_num, tdf_den; /* the domain's: 0 for blkfront_open */
    uint32_t vdev; /* which disk, by Xen's number: 51712 is xvda, 51728 xvdb; 0 = xvda */
    /* How long a call that blocks waits, in nanoseconds of real time (CLOCK_MONOTONIC), and not of
     * the domain's clock, which Dom0 can stop; 0 = as long as it takes. Times that Dom0 is away for
     * (.reconnect) count. */
    uint64_t timeout_ns;
    /* Every read goes to Dom0, also where the disk's cache is shared (splitdom/shared_cache.h). */
    bool no_shared_cache;
    const char *domain_name; /* the domain's: NULL for blkfront_open */
    uint64_t weight;         /* the domain's: 0 for blkfront_open */
    /*
     * Rings to Dom0: 0 = 1, at most BLKFRONT_QUEUES_MAX; no more than Dom0 offers are used
     * (blkfront_queues). Threads that block are spread over them, in the order in which they come
     * to the disk, and stay where they are: threads of different queues do not wait for each
     * other's locks, nor wake each other. Asynchronous requests all are on the first one. Each ring
     * has as many entries and as much memory as the only one would have. Where the next Dom0 takes
     * fewer (.reconnect), the threads are spread over those.
     */
    uint32_t queues;
};

struct blkfront_error {
    char text[256]; /* one line: what failed, on what, what to do */
};

struct blkfront_geometry {
    uint64_t first_sector;
    uint64_t last_sector;          /* inclusive */
    uint32_t sector_size;          /* alignment that Dom0 reports for the device, bytes */
    uint32_t physical_sector_size; /* bytes */
    bool read_only;                /* writes and discards: -EROFS */
    bool flush;                    /* blkfront_flush works; else -EOPNOTSUPP. Without it Dom0 does
                                    * not say when what was written outlives a power failure */
    bool discard;                  /* blkfront_discard works; else -EOPNOTSUPP */
    uint32_t discard_granularity;  /* bytes that the device gives back together: smaller pieces of
                                    * a discard, at its ends, may do nothing. 0: no discard */
    uint32_t discard_alignment;    /* bytes from sector 0 to the first boundary of those */
    uint32_t sectors_per_request;  /* the largest request on the ring to the present Dom0; larger
                                    * ones are split */
};

/* An asynchronous request, of any operation. Members that an operation does not use are ignored. */
struct blkfront_io {
    enum blkfront_operation operation;
    uint32_t iov_count;      /* READ, WRITE: of iov; 0: the data are in buffer */
    uint64_t sector;         /* all but FLUSH */
    uint64_t sector_count;   /* all but FLUSH: 1 or more */
    void *buffer;            /* READ, WRITE: sector_count * 512 bytes; a write only reads them */
    const struct iovec *iov; /* READ, WRITE: together sector_count * 512 bytes, in pieces of any
                              * length; the array is the library's as long as the data are */
    void *cookie;            /* comes back with the completion */
};

struct blkfront_completion {
    uint64_t sector; /* 0 for a flush, as is sector_count */
    uint64_t sector_count;
    enum blkfront_operation operation;
    int32_t status;        /* 0; -EIO: the disk failed; -EOPNOTSUPP: Dom0 does not do that;
                            * -ECANCELED: taken back by blkfront_cancel; -ENOTCONN, -EPROTO: the
                            * device died before the answer came */
    void *buffer;          /* as given with the request, the caller's again; that of a read is
                            * filled when status is 0, else its contents are undefined */
    void *cookie;          /* as given with the request */
    uint64_t submitted_ns; /* this domain's clock, as blkfront_begin_ns shows it */
    uint64_t completed_ns; /* this domain's clock: when the answer was taken off the ring, or, with
                            * completion in virtual time, when the model disk had it done; of a hit
                            * in the shared cache, when the next requests were submitted, or this
                            * one first could be reaped; or when the device died. Never before
                            * submitted_ns, never later than the clock shows by now */
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
    uint32_t ring_entries; /* requests that a ring holds: less after a reconnect to a service that
                            * grants less */
    uint32_t depth;        /* asynchronous requests that may be submitted and not reaped:
                            * options.depth or the first ring's entries, whichever is smaller; never
                            * changes */
    /* Hints of Dom0, which may be wrong: */
    uint32_t dom0_cpu;     /* on which it last served this domain; UINT32_MAX: unknown */
    uint32_t busy_domains; /* how many have requests, this one included */
};

/* How many pages of its domain (domu_options.pages) a disk with these options takes, at most; 0 if
 * they are out of range. */
uint32_t blkfront_pages(const struct blkfront_options *options);

/*
 * Connects a disk of a domain, through xenstore and the xenbus states. Blocks until connected; with
 * .reconnect of the domain, also for a next Dom0. On success *out is owned by the caller
 * (blkfront_close), who closes all devices of a domain before the domain. On failure *out is NULL,
 * and why->text (why may be NULL) says what failed and what to do.
 * Errors: -EINVAL options out of range, or their size is not set, or those of the domain are set;
 * -E2BIG options are set that this library is too old for; -EBUSY the disk is open in this domain;
 * -ENOSPC the domain has too little memory, also as long as the device is at work on that of a disk
 * which was taken away, or as many rings as it can have, 31 with those of interfaces; -ENODEV it
 * has no such disk; -ENOTCONN Dom0 is gone; -ECONNREFUSED Dom0 refused the ring; -EPROTO;
 * -ETIMEDOUT; others from the system.
 */
int blkfront_open(struct domu *domu, const struct blkfront_options *options, struct blkfront **out,
                  struct blkfront_error *why);

/*
 * domu_open and blkfront_open in one: a domain with this disk alone, which ends with it.
 * Errors: those of both. -ENOENT: no service runs there.
 */
int blkfront_connect(const struct blkfront_options *options, struct blkfront **out,
                     struct blkfront_error *why);

/* The disk's present size; follows a resize by Dom0. Never blocks. */
int blkfront_geometry(struct blkfront *bf, struct blkfront_geometry *out);

/*
 * A descriptor for poll, select or epoll: readable when the disk is another than before, as after
 * a resize, or when there is a next Dom0; until blkfront_geometry is called, which says what holds
 * then. Only to be polled, not read, written or closed; the same one at each call, until
 * blkfront_close. One thread calls both. Errors: -EMFILE, -ENFILE, -ENOMEM no descriptor is to be
 * had.
 */
int blkfront_geometry_fd(struct blkfront *bf);

/*
 * Reads sector_count sectors (1 or more) from sector on into buffer (sector_count * 512 bytes).
 * Blocks the calling thread only. Errors: -EINVAL out of range, or not aligned to the sector size
 * of the disk; -EIO the disk failed; -ETIMEDOUT no answer within timeout_ns of the options. On an
 * error nothing is written to buffer any more: it is the caller's, whatever Dom0 does later. A
 * request that timed out keeps its slot of the ring until Dom0 answers.
 */
int blkfront_read(struct blkfront *bf, uint64_t sector, uint32_t sector_count, void *buffer);

/*
 * Writes sector_count sectors (1 or more) from sector on; blocks until the device has them. Errors:
 * those of blkfront_read, after which the sectors may have been written or not, and after
 * -ETIMEDOUT may still be; -EROFS the disk is read-only.
 */
int blkfront_write(struct blkfront *bf, uint64_t sector, uint32_t sector_count, const void *buffer);

/* The same with the data in iov_count pieces, whose bytes together are a multiple of 512, 512 or
 * more. Errors: -EINVAL if they are not, too. */
int blkfront_readv(struct blkfront *bf, uint64_t sector, const struct iovec *iov,
                   uint32_t iov_count);
int blkfront_writev(struct blkfront *bf, uint64_t sector, const struct iovec *iov,
                    uint32_t iov_count);

/*
 * Blocks until all writes and discards of this disk that were answered before the call outlive a
 * power failure. Errors: -EOPNOTSUPP the disk has no flush; -EIO; -ETIMEDOUT.
 */
int blkfront_flush(struct blkfront *bf);

/*
 * Tells the device that the contents of these sectors are not needed any more. What is read from
 * them afterwards is undefined until they are written; a device may do nothing, above all with less
 * than discard_granularity. Blocks. Errors: -EOPNOTSUPP the disk has no discard, or has found out
 * now that it has none; -EROFS; -EINVAL; -EIO; -ETIMEDOUT.
 */
int blkfront_discard(struct blkfront *bf, uint64_t sector, uint64_t sector_count);

/*
 * Starts a request and returns at once; its data and iov belong to the library until it is reaped.
 * A write's data must not change meanwhile. Several submits may share one doorbell: it is rung by
 * blkfront_reap, or at once by blkfront_kick.
 * A request counts as one, of whatever size. What does not fit the ring now, because it is large,
 * or because blocking calls and requests that were cancelled have taken the rest, is asked in turn
 * as answers are taken: by blkfront_reap, by a call that blocks, or by blkfront_fd's thread.
 * Errors: -EAGAIN as many as blkfront_stats.depth were submitted and not reaped: reap first;
 * -EINVAL; -EROFS, -EOPNOTSUPP as above.
 */
int blkfront_submit_io(struct blkfront *bf, const struct blkfront_io *io);

/*
 * Starts count requests in their order, as blkfront_submit_io would, with one look at the clock for
 * all of them: so reads that are in the shared cache cost less. Returns how many were started;
 * fewer than count, if the next one cannot be: a call that begins with that one returns why.
 * Errors: those of blkfront_submit_io, for the first one. Same thread as blkfront_submit.
 */
int blkfront_submit_many(struct blkfront *bf, const struct blkfront_io *ios, uint32_t count);

/* blkfront_submit_io of a read into buffer. */
int blkfront_submit(struct blkfront *bf, uint64_t sector, uint32_t sector_count, void *buffer,
                    void *cookie);

/* Makes submitted requests visible to Dom0 now. */
int blkfront_kick(struct blkfront *bf);

/*
 * Takes up to max finished requests into out, in order of completion; waits until there are at
 * least min (fewer only if fewer are in flight). Returns the number taken, or -EINVAL: min is more
 * than max. When the device has died, the requests that were in flight are finished, with its error
 * as their status; once all are taken, returns that -errno. So each request that was submitted is
 * reaped exactly once.
 */
int blkfront_reap(struct blkfront *bf, struct blkfront_completion *out, uint32_t max, uint32_t min);

/*
 * Takes back all asynchronous requests in flight that have this cookie: each comes back by
 * blkfront_reap, once, with status -ECANCELED, and its data are not touched any more. Dom0 may be
 * at work on such a request: its slot of the ring is taken until Dom0 answers, and what it was to
 * write may be written, wholly or in part, until then. Returns how many there were; 0: none is in
 * flight (any more). Same thread as blkfront_submit.
 */
int blkfront_cancel(struct blkfront *bf, void *cookie);

/*
 * A descriptor for poll, select or epoll: readable while blkfront_reap has something to tell
 * without waiting: finished requests, or the death of the device. Only to be polled, not read,
 * written or closed; the same one at each call, until blkfront_close. From the first call on a
 * thread of the library waits for answers.
 *
 *     struct pollfd ready = {.fd = blkfront_fd(bf), .events = POLLIN};
 *     blkfront_submit(bf, ...);
 *     blkfront_kick(bf);                                // poll does not show requests to Dom0
 *     poll(&ready, 1, -1);
 *     int count = blkfront_reap(bf, done, max, 0);      // takes what there is, and does not wait
 *
 * Same thread as blkfront_submit. Errors: -EMFILE, -ENFILE, -ENOMEM, -EAGAIN no descriptor or no
 * thread is to be had.
 */
int blkfront_fd(struct blkfront *bf);

/* The clock of the device's domain: domu_now_ns and domu_clock_ns (splitdom/domu.h). */
uint64_t blkfront_now_ns(struct blkfront *bf);
int blkfront_clock_ns(struct blkfront *bf, uint64_t *now_ns);
/*
 * The clock for the beginning of what is to be timed, where it counts: half the price of
 * blkfront_now_ns. It may be early by what the processor reorders, some tens of nanoseconds, and so
 * below what another thread has read; never late. What ends is timed by blkfront_now_ns, which
 * never shows less.
 */
uint64_t blkfront_begin_ns(struct blkfront *bf);

void blkfront_stats(struct blkfront *bf, struct blkfront_stats *out);

/* How many rings it has: options.queues, or what the first service offered if that was less. */
uint32_t blkfront_queues(struct blkfront *bf);

/* The library's SPLITDOM_VERSION_NUMBER, which may be another one than the header's. */
uint32_t blkfront_version(void);

/* Why calls fail now ("Dom0 is gone …"); empty while connected. Valid until blkfront_close. */
const char *blkfront_failure(struct blkfront *bf);

/*
 * Closes the device; ends the domain too if blkfront_connect has made it. NULL is allowed. All that
 * the device has is released. Requests that were submitted and not reaped are dropped; their data
 * are the caller's again. What of them is written is undefined: reap first. Dom0 is told, and
 * waited for. In a domain that ends with the device that takes BLKFRONT_CLOSE_MS at most, in real
 * time: a Dom0 that is stopped or hangs finds out by itself that the domain has ended. In one that
 * goes on Dom0 has as long as for any other step.
 */
void blkfront_close(struct blkfront *bf);

#ifdef __cplusplus
}
#endif

#endif
