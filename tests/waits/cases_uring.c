/* SPDX-License-Identifier: MIT */
/* Time-outs that travel through io_uring. Without the library: the ring is a system call's. */
#include <errno.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/waits/waits.h"

struct ring {
    int fd;
    unsigned *tail, *mask, *array;
    struct io_uring_sqe *sqes;
};

static struct ring set_up(void)
{
    struct io_uring_params params;
    struct ring ring;
    memset(&params, 0, sizeof(params));
    ring.fd = (int)syscall(SYS_io_uring_setup, 4, &params);
    if (ring.fd < 0)
        absent("no io_uring");
    size_t bytes = params.sq_off.array + params.sq_entries * sizeof(unsigned);
    char *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, IORING_OFF_SQ_RING);
    ring.sqes = mmap(NULL, params.sq_entries * sizeof(*ring.sqes), PROT_READ | PROT_WRITE,
                     MAP_SHARED, ring.fd, IORING_OFF_SQES);
    if (base == MAP_FAILED || ring.sqes == MAP_FAILED)
        broken("mmap of a ring");
    ring.tail = (unsigned *)(base + params.sq_off.tail);
    ring.mask = (unsigned *)(base + params.sq_off.ring_mask);
    ring.array = (unsigned *)(base + params.sq_off.array);
    return ring;
}

static void put(struct ring *ring, const struct io_uring_sqe *sqe)
{
    unsigned index = *ring->tail & *ring->mask;
    ring->sqes[index] = *sqe;
    ring->array[index] = index;
    __atomic_store_n(ring->tail, *ring->tail + 1, __ATOMIC_RELEASE);
}

static void timeout(struct timespec at, unsigned flags)
{
    long long spec[2] = {at.tv_sec, at.tv_nsec};
    struct ring ring = set_up();
    struct io_uring_sqe sqe = {.opcode = IORING_OP_TIMEOUT,
                               .fd = -1,
                               .addr = (uintptr_t)spec,
                               .len = 1,
                               .timeout_flags = flags};
    put(&ring, &sqe);
    begin();
    long rc = syscall(SYS_io_uring_enter, ring.fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
    if (rc < 0 && (errno == EOPNOTSUPP || errno == EPERM))
        absent("io_uring's time-outs are refused");
    must(rc, "io_uring_enter");
    end(0);
}

static void uring_relative(void)
{
    timeout(wait_timespec(), 0);
}
static void uring_monotonic(void)
{
    timeout(wait_until(CLOCK_MONOTONIC), IORING_TIMEOUT_ABS);
}

static void uring_realtime(void)
{
    timeout(wait_until(CLOCK_REALTIME), IORING_TIMEOUT_ABS | IORING_TIMEOUT_REALTIME);
}

static void uring_enter(void)
{
    struct timespec at = wait_timespec();
    long long spec[2] = {at.tv_sec, at.tv_nsec};
    struct io_uring_getevents_arg argument = {.ts = (uintptr_t)spec};
    struct ring ring = set_up();
    begin();
    (void)syscall(SYS_io_uring_enter, ring.fd, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG,
                  &argument, sizeof(argument));
    end(0);
}

const struct wait_case cases_uring[] = {
    {"io_uring TIMEOUT", KIND_WAIT, uring_relative, 0, 0, 0, 0, 0},
    {"io_uring TIMEOUT until MONOTONIC", KIND_WAIT, uring_monotonic, 0, 0, 0, 0, 0},
    {"io_uring TIMEOUT until REALTIME", KIND_WAIT, uring_realtime, 0, 0, 0, 0, 0},
    {"io_uring_enter with a time-out", KIND_WAIT, uring_enter, 0, 0, 0, 0, 0},
    {.name = NULL},
};
