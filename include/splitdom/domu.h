/* SPDX-License-Identifier: MIT */
/*
 * domu: this process as a domain of a running service (Dom0). Its devices are opened on it:
 * splitdom/blkfront.h: blkfront_open, splitdom/netfront.h: netfront_open. A process may be several
 * domains.
 *
 *     struct domu *domu;
 *     struct domu_error why;
 *     struct domu_options options = {.size = sizeof(options), .pages = 256};
 *     if (domu_open(&options, &domu, &why) < 0)
 *         errx(1, "%s", why.text);
 *     ... blkfront_open(domu, ...), blkfront_close(...)
 *     domu_close(domu);
 *
 * Functions return 0 (or what they say) or -errno and print nothing. Threads: any, at any time,
 * but domu_close when no other call on the domain or one of its devices is running. domu_now_ns
 * and domu_clock_ns may be called from signal handlers too. fork: the child must not use an
 * inherited handle. Cancellation (pthread_cancel): no call of the library is a cancellation point;
 * a thread that is cancelled in one ends at its next such point behind it. A domain ends when it is
 * closed, or else with its process and all children that have inherited the handle and neither
 * ended nor executed a program.
 */
#ifndef SPLITDOM_DOMU_H
#define SPLITDOM_DOMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct domu;

enum {
    DOMU_PAGES_DEFAULT = 256,
    DOMU_WEIGHT_MAX = 65535,
};

/*
 * New members come at the end, and zero means what was before them. So a program works with a later
 * library, and with an earlier one as long as it sets no member that this does not know.
 */
struct domu_options {
    size_t size;        /* sizeof(struct domu_options), as the caller was compiled */
    const char *rundir; /* NULL: SPLITDOM_RUNDIR, else the default of the user */
    const char *name;   /* NULL: SPLITDOM_NAME, else "default" */
    uint32_t pages;     /* memory for its devices, pages of 4096 bytes: the sum of blkfront_pages,
                         * netfront_pages of those that will be open at a time; 0 =
                         * DOMU_PAGES_DEFAULT */
    /* Outlive a Dom0 restart: become a domain of the next Dom0, with all devices. To begin with a
     * service must be there; one that ends while we connect counts. A domain all of whose devices
     * have failed does not come back. */
    bool reconnect;
    uint64_t tdf_num, tdf_den; /* time dilation factor num/den of its clock; 0/0 = 1 */
    /* The program takes events (domu_take_events). Then a request to shut down is an event, too,
     * and not the domain's end; a program that does not take events ends its domain at such a
     * request: all calls fail. */
    bool events;
    /* The domain's name at Dom0, up to 63 letters, digits or _-.+:@ of ASCII; NULL: "DomU-" and its
     * number. No two domains have the same, and none may begin with "DomU-". */
    const char *domain_name;
    /* The program itself keeps to a share of the CPU, and begins with num/den: 1/1000 to 1. People
     * can change the share then, which is an event. 0/0: it does not. Needs events. */
    uint64_t cpu_share_num, cpu_share_den;
    /* Its share of the disks while others want them too, 1 to DOMU_WEIGHT_MAX; 0: the service's
     * default, 256. People can change the weight later (service set); after a reconnect the domain
     * has this one again. */
    uint64_t weight;
};

struct domu_error {
    char text[256]; /* one line: what failed, on what, what to do */
};

/*
 * Creates a domain at the running service. Blocks until Dom0 has made it. On success *out is owned
 * by the caller (domu_close). On failure *out is NULL, and why->text (why may be NULL) says what
 * failed and what to do.
 * Errors: -ENOENT no service runs there; -EINVAL options out of range, or their size is not
 * set; -EEXIST another domain has that name; -E2BIG options are set that this library is too old
 * for; -ENOTCONN Dom0 has ended, or given up this connection, before it had made the domain;
 * -EAGAIN or -ENOSPC a limit of the service is reached; -EPROTO the service's answer or memory
 * is invalid; -EBADFD the memory or the doorbell that it sent is not what it must be; -ETIMEDOUT;
 * others from the system.
 */
int domu_open(const struct domu_options *options, struct domu **out, struct domu_error *why);

/* Ends the domain. All of its devices have been closed. NULL is allowed. Does not wait for Dom0.
 * All memory and threads are released. */
void domu_close(struct domu *domu);

/* Its number at Dom0; another one after a reconnect. Never blocks. */
uint16_t domu_domid(struct domu *domu);

/*
 * The domain's clock in nanoseconds, dilated by its TDF. It begins at CLOCK_MONOTONIC when the
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
 * domu_clock_ns stores the same time in *now_ns, always, and tells why it is not that of a living
 * Dom0: -ETIMEDOUT, it stands still in the middle of an update; -ENOTCONN, Dom0 is dead; -EAGAIN,
 * the clock is just being changed and stands for some microseconds.
 */
uint64_t domu_now_ns(struct domu *domu);
int domu_clock_ns(struct domu *domu, uint64_t *now_ns);

/* What has happened to a domain; several may have. */
enum domu_event {
    DOMU_EVENT_CLOCK = 1 << 0,     /* its clock has another rate, or is paused, or goes on */
    DOMU_EVENT_SHUTDOWN = 1 << 1,  /* it is asked to end */
    DOMU_EVENT_CPU_SHARE = 1 << 2, /* it is to keep to another share of the CPU */
    DOMU_EVENT_DESTROYED = 1 << 3, /* somebody has ended it: what lives in it is to end now */
};

/* New members come at the end. */
struct domu_events {
    size_t size;               /* sizeof(struct domu_events), as the caller was compiled */
    uint32_t happened;         /* enum domu_event, since the last call */
    uint64_t tdf_num, tdf_den; /* in force; num 0: paused. The clock shows it already */
    uint64_t cpu_share_num, cpu_share_den;
    char shutdown[16]; /* the last request: "poweroff", "reboot", "halt"; others that Xen knows */
};

/*
 * A descriptor for poll, select or epoll that is readable while there are events to be taken. Only
 * to be polled, not read, written or closed; the same one until domu_close. -EINVAL: the domain was
 * opened without .events.
 */
int domu_event_fd(struct domu *domu);

/* What has happened since the last call, and what holds now. Never blocks for long. out->size is
 * set by the caller. Errors: -EINVAL no size, or the domain was opened without .events. */
int domu_take_events(struct domu *domu, struct domu_events *out);

/*
 * The memory of the domain's clock, for other processes to read: a descriptor that can be mapped,
 * but not for writing, and where in there the page lies that is Xen's shared_info. A reader follows
 * the version protocol of struct vcpu_time_info; after Dom0's death the page stays as it is, and so
 * time goes on at the last rate. After a reconnect the memory is another one.
 * The caller closes *fd. Errors: -errno of opening it.
 */
int domu_clock_memory(struct domu *domu, int *fd, uint64_t *offset_bytes);

/*
 * For a domain with timers that run by another clock than the domain's, and would ring too early
 * after the domain's clock has become slower. Once this was called, Dom0 announces a slower rate,
 * or a pause, in the page (PVCLOCK_SLOWER_UNIT in splitdom/tdf.h) and wakes who sleeps (futex(2))
 * at vCPU 0's version. The rate changes when this was called with the version of the line that
 * tells of it, or 50 ms later. version 0: ready for nothing yet. Any thread; never blocks. After a
 * reconnect the domain has to call it again.
 */
void domu_clock_ready(struct domu *domu, uint32_t version);

/* Why the domain is of no use any more ("Dom0 is gone ..."); empty as long as it is. Never blocks.
 * Valid until domu_close. */
const char *domu_failure(struct domu *domu);

/*
 * A descriptor for poll, select or epoll that becomes readable when the domain is of no use any
 * more (domu_failure), and stays so. Only to be polled, not read, written or closed; the same one
 * at each call, until domu_close. Errors: -EMFILE, -ENFILE, -ENOMEM no descriptor is to be had.
 */
int domu_fd(struct domu *domu);

/*
 * For a program that is told to end, before it closes its devices and the domain: from now on
 * nothing in this domain waits for steps of Dom0 for longer than ms, in real time, all of them
 * together; what is not done by then is left out. A Dom0 that is stopped or hangs finds out by
 * itself that the domain has ended. Requests wait for their answers as before. Any thread; never
 * blocks.
 */
void domu_hurry(struct domu *domu, uint32_t ms);

#ifdef __cplusplus
}
#endif

#endif
