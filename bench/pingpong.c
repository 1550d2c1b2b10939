/* SPDX-License-Identifier: MIT */
/*
 * pingpong: what a round trip between two processes costs at least, by the way they wait.
 *
 *   pingpong MODE [--cpus A,B | --cpus none] [--seconds S]
 *
 *   spin      both sides poll a word in shared memory
 *   spin512   the same, and each answer carries a sector: the server copies 512 bytes out of a pool
 *             of its own into shared memory, the client copies them out again, as a cached read
 *             does
 *   futex     both sides sleep on a shared futex and wake each other
 *   eventfd   both sides sleep in read(2) of an eventfd and write the other's
 *
 * Prints: round_trips=N mean_ns=X best_ns=Y, where best is the best mean of a block of 1000 round
 * trips (100 where both sleep).
 */
#include <err.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arguments.h"
#include "base/clock.h"
#include "placement.h"
#include "ring/barrier.h"
#include "ring/futex.h"

enum { SECTOR_BYTES = 512, POOL_SECTORS = 5120, LINE_BYTES = 128 };

enum mode { MODE_SPIN, MODE_SPIN512, MODE_FUTEX, MODE_EVENTFD, MODE_COUNT };
static const char *const mode_names[MODE_COUNT] = {"spin", "spin512", "futex", "eventfd"};

/* Each word on lines of its own. The client writes ping, the server pong. */
struct shared {
    _Alignas(LINE_BYTES) uint32_t ping;
    _Alignas(LINE_BYTES) uint32_t pong;
    _Alignas(LINE_BYTES) unsigned char sector[SECTOR_BYTES];
};

struct side {
    enum mode mode;
    struct shared *shared;
    unsigned char *pool; /* server */
    unsigned char sector[SECTOR_BYTES];
    int to_client_fd, to_server_fd;
};

static void wait_change(const struct side *side, const uint32_t *word, uint32_t old, int fd)
{
    uint64_t count;

    switch (side->mode) {
    case MODE_FUTEX:
        while (load_full_u32(word) == old)
            futex_wait(word, old, -1, FUTEX_SCOPE_SHARED);
        return;
    case MODE_EVENTFD:
        if (read(fd, &count, sizeof(count)) != sizeof(count))
            err(1, "eventfd");
        return;
    default:
        while (load_acquire_u32(word) == old)
            cpu_relax();
    }
}

static void change(const struct side *side, uint32_t *word, uint32_t value, int fd)
{
    store_full_u32(word, value);
    if (side->mode == MODE_FUTEX)
        futex_wake(word, 1, FUTEX_SCOPE_SHARED);
    else if (side->mode == MODE_EVENTFD && eventfd_write(fd, 1) != 0)
        err(1, "eventfd");
}

/* Until it is killed with its parent. */
static void serve(struct side *side)
{
    struct shared *shared = side->shared;

    for (uint32_t n = 0;; n++) {
        wait_change(side, &shared->ping, n, side->to_server_fd);
        if (side->mode == MODE_SPIN512)
            memcpy(shared->sector, side->pool + (size_t)(n * 2654435761U % POOL_SECTORS) * 512,
                   SECTOR_BYTES);
        change(side, &shared->pong, n + 1, side->to_client_fd);
    }
}

static void ask(struct side *side, uint32_t n)
{
    struct shared *shared = side->shared;

    change(side, &shared->ping, n + 1, side->to_server_fd);
    wait_change(side, &shared->pong, n, side->to_client_fd);
    if (side->mode == MODE_SPIN512) {
        memcpy(side->sector, shared->sector, SECTOR_BYTES);
        /* The copy counts although nobody looks at it. */
        __asm__ volatile("" : : "r"(side->sector) : "memory");
    }
}

static void measure(struct side *side, double seconds)
{
    const uint32_t block = side->mode == MODE_SPIN || side->mode == MODE_SPIN512 ? 1000 : 100;
    const uint64_t limit_ns = (uint64_t)(seconds * 1e9);
    uint64_t started_ns, block_ns, best_ns = UINT64_MAX, now_ns;
    uint32_t n = 0, warm;

    for (; n < 10 * block; n++)
        ask(side, n);
    warm = n;
    started_ns = block_ns = clock_monotonic_ns();
    do {
        for (uint32_t i = 0; i < block; i++)
            ask(side, n++);
        now_ns = clock_monotonic_ns();
        if (now_ns - block_ns < best_ns)
            best_ns = now_ns - block_ns;
        block_ns = now_ns;
    } while (now_ns - started_ns < limit_ns);
    printf("round_trips=%" PRIu32 " mean_ns=%.1f best_ns=%.1f\n", n - warm,
           (double)(now_ns - started_ns) / (n - warm), (double)best_ns / block);
}

static enum mode parse_mode(const char *text)
{
    for (int mode = 0; text != NULL && mode < MODE_COUNT; mode++)
        if (strcmp(text, mode_names[mode]) == 0)
            return (enum mode)mode;
    errx(2, "usage: pingpong spin|spin512|futex|eventfd [--cpus A,B|none] [--seconds S]");
}

static void bind_to(int cpu)
{
    const int rc = placement_bind(cpu);

    if (rc != 0)
        errx(1, "cannot run on CPU %d: %s", cpu, strerror(-rc));
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"cpus", required_argument, NULL, 'c'},
                                            {"seconds", required_argument, NULL, 's'},
                                            {NULL, 0, NULL, 0}};
    struct placement placement = {{-1, -1}};
    struct side side = {.mode = MODE_SPIN};
    double seconds = 1;
    int option;
    pid_t server;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'c' && placement_parse(optarg, &placement) != 0)
            errx(2, "--cpus must be A,B or none, not '%s'", optarg);
        if (option == 's')
            seconds = argument_seconds("--seconds", optarg);
        if (option == '?')
            return 2;
    }
    side.mode = parse_mode(argv[optind]);
    side.shared =
        mmap(NULL, sizeof(*side.shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    side.pool = malloc((size_t)POOL_SECTORS * SECTOR_BYTES);
    side.to_client_fd = eventfd(0, 0);
    side.to_server_fd = eventfd(0, 0);
    if (side.shared == MAP_FAILED || side.pool == NULL || side.to_client_fd < 0 ||
        side.to_server_fd < 0)
        err(1, "cannot set up");
    memset(side.pool, 1, (size_t)POOL_SECTORS * SECTOR_BYTES);
    server = fork();
    if (server < 0)
        err(1, "fork");
    if (server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        bind_to(placement.cpu[1]);
        serve(&side);
    }
    bind_to(placement.cpu[0]);
    measure(&side, seconds);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    free(side.pool);
    return 0;
}
