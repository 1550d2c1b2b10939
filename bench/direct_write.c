/* SPDX-License-Identifier: MIT */
/*
 * direct_write: what a write to a file with O_DIRECT costs who waits for it in pwrite, and who has
 * given it to an io_uring, one at a time and without a service. The first is woken by the disk's
 * interrupt, the second by a thread of the kernel that the interrupt has woken. Reads are compared,
 * too: both ways of them end with the interrupt. The file's contents stay: blocks are written back
 * as they were read.
 *
 *   direct_write FILE [SECONDS]
 *
 * Prints, of 5 turns, medians: write_ratio=X read_ratio=X (io_uring over pwrite or pread, requests
 * per second) pwrite_per_second=N pread_per_second=N. SECONDS (default: 0.3) is for each of the
 * four in each turn.
 */
#include <err.h>
#include <stdio.h>

#ifdef HAVE_LIBURING

#include <fcntl.h>
#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arguments.h"
#include "base/clock.h"
#include "base/prng.h"

enum { BLOCK_BYTES = 4096, BLOCKS = 256, TURNS = 5 };

struct subject {
    int fd;
    struct io_uring ring;
    uint8_t *data; /* of BLOCKS blocks all over the file */
    uint64_t stride_blocks;
    struct prng prng;
};

static ssize_t by_ring(struct subject *s, bool writes, uint8_t *data, uint64_t at)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&s->ring);
    struct io_uring_cqe *cqe;
    if (writes)
        io_uring_prep_write_fixed(sqe, 0, data, BLOCK_BYTES, at, 0);
    else
        io_uring_prep_read_fixed(sqe, 0, data, BLOCK_BYTES, at, 0);
    sqe->flags |= IOSQE_FIXED_FILE;
    io_uring_submit_and_wait(&s->ring, 1);
    if (io_uring_wait_cqe(&s->ring, &cqe) < 0)
        return -1;
    ssize_t bytes = cqe->res;
    io_uring_cqe_seen(&s->ring, cqe);
    return bytes;
}

static void transfer(struct subject *s, bool writes, bool ring, uint64_t block)
{
    uint8_t *data = s->data + block * BLOCK_BYTES;
    uint64_t at = block * s->stride_blocks * BLOCK_BYTES;
    ssize_t bytes = ring     ? by_ring(s, writes, data, at)
                    : writes ? pwrite(s->fd, data, BLOCK_BYTES, (off_t)at)
                             : pread(s->fd, data, BLOCK_BYTES, (off_t)at);
    if (bytes != BLOCK_BYTES)
        errx(1, "a %s gave %zd", writes ? "write" : "read", bytes);
}

static double per_second(struct subject *s, bool writes, bool ring, double seconds)
{
    uint64_t start_ns = clock_monotonic_ns(), now_ns = start_ns, count = 0;
    while (now_ns - start_ns < (uint64_t)(seconds * 1e9)) {
        transfer(s, writes, ring, prng_below(&s->prng, BLOCKS));
        count++;
        now_ns = clock_monotonic_ns();
    }
    return (double)count * 1e9 / (double)(now_ns - start_ns);
}

static void set_up(struct subject *s, const char *path)
{
    struct io_uring_params params = {.flags =
                                         IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
    struct stat st;
    s->fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
    if (s->fd < 0 || fstat(s->fd, &st) < 0)
        err(1, "%s", path);
    s->stride_blocks = (uint64_t)st.st_size / BLOCK_BYTES / BLOCKS;
    if (s->stride_blocks == 0)
        errx(1, "%s: at least 1 MiB is needed", path);
    s->data = aligned_alloc(BLOCK_BYTES, BLOCKS * BLOCK_BYTES);
    struct iovec buffer = {s->data, BLOCKS * BLOCK_BYTES};
    if (s->data == NULL || io_uring_queue_init_params(4, &s->ring, &params) != 0 ||
        io_uring_register_files(&s->ring, &s->fd, 1) != 0 ||
        io_uring_register_buffers(&s->ring, &buffer, 1) != 0)
        errx(1, "cannot set up an io_uring");
    for (uint64_t i = 0; i < BLOCKS; i++)
        transfer(s, false, false, i);
    prng_init(&s->prng, clock_monotonic_ns(), 0);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, TURNS, sizeof(*values), compare);
    return values[TURNS / 2];
}

int main(int argc, char **argv)
{
    struct subject s = {.fd = -1};
    double ratio[2][TURNS], blocking[2][TURNS];
    if (argc < 2 || argc > 3)
        errx(2, "usage: direct_write FILE [SECONDS]");
    double seconds = argc > 2 ? argument_seconds("SECONDS", argv[2]) : 0.3;
    set_up(&s, argv[1]);
    for (int turn = 0; turn < TURNS; turn++) {
        for (int writes = 0; writes < 2; writes++) {
            blocking[writes][turn] = per_second(&s, writes, false, seconds);
            ratio[writes][turn] = per_second(&s, writes, true, seconds) / blocking[writes][turn];
        }
    }
    printf("write_ratio=%.2f read_ratio=%.2f pwrite_per_second=%.0f pread_per_second=%.0f\n",
           median(ratio[1]), median(ratio[0]), median(blocking[1]), median(blocking[0]));
    return 0;
}

#else

int main(void)
{
    errx(1, "built without liburing: make deps, then make bench-programs");
}

#endif
