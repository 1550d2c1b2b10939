/* SPDX-License-Identifier: MIT */
/*
 * relay: the least that any block service between two processes has to do, without what makes it
 * one. A second process reads the disk for threads of this one. They ask by a bit in a shared word
 * and are woken by a futex of their own; the sector goes straight into shared memory. No ring, no
 * grants, no checks, no cache, no other clients. What this costs more than reading without a
 * service is the price of the second process. A service does all this and more; it can still be
 * faster where it matters who wakes whom, and when.
 *
 *   relay IMAGE [--threads T | --depth D] [--lot N] [--cpus CLIENT,SERVER | none] [--mib M]
 *               [--seconds S]
 *
 *   --threads  T threads that read one sector at a time (default: 1)
 *   --depth    one thread with D reads in flight
 *   --lot      the server gives the kernel at most N reads at once (default: 2)
 *   --mib      read in the first M MiB of IMAGE (default: 500)
 *
 * Prints: reads=N per_second=X cpu_us=Y, the processor time of both processes for a read.
 */
#include <err.h>
#include <stdio.h>

#ifdef HAVE_LIBURING

#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arguments.h"
#include "base/clock.h"
#include "base/prng.h"
#include "relay_server.h"

struct reader {
    struct relay *relay;
    pthread_t thread;
    uint32_t slot;
    uint64_t reads;
};

static void ask(struct relay *relay, uint64_t slots)
{
    struct shared *shared = relay->shared;

    fetch_or_full_u64(&shared->asked, slots);
    if (load_full_u32(&shared->server_sleeps) != 0 &&
        exchange_full_u32(&shared->server_sleeps, 0) != 0 &&
        eventfd_write(relay->doorbell_fd, 1) != 0)
        err(1, "eventfd");
}

static void wait_for_slot(uint32_t *state)
{
    uint32_t asked = SLOT_ASKED;

    if (!compare_exchange_full_u32(state, &asked, SLOT_SLEEPING))
        return;
    while (load_acquire_u32(state) == SLOT_SLEEPING)
        futex_wait(state, SLOT_SLEEPING, -1, FUTEX_SCOPE_SHARED);
}

static void *read_blocking(void *argument)
{
    struct reader *reader = argument;
    struct relay *relay = reader->relay;
    struct slot *slot = &relay->shared->slots[reader->slot];
    unsigned char sector[SECTOR_BYTES];
    struct prng prng;

    prng_init(&prng, clock_monotonic_ns(), reader->slot);
    while (load_relaxed_u32(&relay->shared->stop) == 0) {
        slot->sector = prng_below(&prng, relay->sector_count);
        store_release_u32(&slot->state, SLOT_ASKED);
        ask(relay, UINT64_C(1) << reader->slot);
        wait_for_slot(&slot->state);
        memcpy(sector, relay->shared->data[reader->slot], SECTOR_BYTES);
        __asm__ volatile("" : : "r"(sector) : "memory"); /* the copy counts */
        reader->reads++;
    }
    return NULL;
}

static uint64_t wait_for_any(struct shared *shared)
{
    for (;;) {
        const uint64_t done = exchange_full_u64(&shared->done, 0);

        if (done != 0)
            return done;
        store_full_u32(&shared->client_sleeps, 1);
        if (load_full_u64(&shared->done) == 0)
            futex_wait(&shared->client_sleeps, 1, -1, FUTEX_SCOPE_SHARED);
        store_full_u32(&shared->client_sleeps, 0);
    }
}

static void *read_deep(void *argument)
{
    struct reader *reader = argument;
    struct relay *relay = reader->relay;
    struct shared *shared = relay->shared;
    uint64_t idle = relay->depth == SLOTS ? UINT64_MAX : (UINT64_C(1) << relay->depth) - 1;
    unsigned char sector[SECTOR_BYTES];
    struct prng prng;

    prng_init(&prng, clock_monotonic_ns(), 0);
    while (load_relaxed_u32(&shared->stop) == 0) {
        for (uint64_t left = idle; left != 0; left &= left - 1)
            shared->slots[__builtin_ctzll(left)].sector = prng_below(&prng, relay->sector_count);
        ask(relay, idle);
        idle = wait_for_any(shared);
        for (uint64_t left = idle; left != 0; left &= left - 1) {
            memcpy(sector, shared->data[__builtin_ctzll(left)], SECTOR_BYTES);
            __asm__ volatile("" : : "r"(sector) : "memory");
            reader->reads++;
        }
    }
    return NULL;
}

static double cpu_us(int who)
{
    struct rusage usage;

    getrusage(who, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void bind_to(int cpu)
{
    const int rc = placement_bind(cpu);

    if (rc != 0)
        errx(1, "cannot run on CPU %d: %s", cpu, strerror(-rc));
}

static void measure(struct relay *relay, double seconds, pid_t server)
{
    const uint32_t count = relay->depth > 0 ? 1 : relay->threads;
    struct reader readers[SLOTS];
    uint64_t reads = 0, started_ns, elapsed_ns;

    while (load_acquire_u32(&relay->shared->ready) == 0) {
        if (waitpid(server, NULL, WNOHANG) != 0)
            exit(1); /* it has said why */
        usleep(1000);
    }
    started_ns = clock_monotonic_ns();
    for (uint32_t i = 0; i < count; i++) {
        readers[i] = (struct reader){.relay = relay, .slot = i};
        if (pthread_create(&readers[i].thread, NULL, relay->depth > 0 ? read_deep : read_blocking,
                           &readers[i]) != 0)
            errx(1, "cannot start thread %u", i + 1);
    }
    usleep((useconds_t)(seconds * 1e6));
    store_full_u32(&relay->shared->stop, 1);
    if (waitpid(server, NULL, WNOHANG) != 0)
        exit(1); /* it has said why, and nobody would wake the threads that wait */
    for (uint32_t i = 0; i < count; i++) {
        pthread_join(readers[i].thread, NULL);
        reads += readers[i].reads;
    }
    elapsed_ns = clock_monotonic_ns() - started_ns;
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    printf("reads=%" PRIu64 " per_second=%.0f cpu_us=%.3f\n", reads,
           (double)reads * 1e9 / (double)elapsed_ns,
           (cpu_us(RUSAGE_SELF) + cpu_us(RUSAGE_CHILDREN)) / (double)reads);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"threads", required_argument, NULL, 't'},
                                            {"depth", required_argument, NULL, 'd'},
                                            {"lot", required_argument, NULL, 'l'},
                                            {"cpus", required_argument, NULL, 'c'},
                                            {"mib", required_argument, NULL, 'm'},
                                            {"seconds", required_argument, NULL, 's'},
                                            {NULL, 0, NULL, 0}};
    struct relay relay = {.threads = 1, .lot = 2, .placement = {{-1, -1}}};
    uint32_t mib = 500;
    double seconds = 1;
    pid_t server;

    for (int option, index; (option = getopt_long(argc, argv, "", options, &index)) != -1;) {
        if (option == 't')
            relay.threads = argument_u32("--threads", optarg, 1, SLOTS);
        else if (option == 'd')
            relay.depth = argument_u32("--depth", optarg, 1, SLOTS);
        else if (option == 'l')
            relay.lot = argument_u32("--lot", optarg, 1, SLOTS);
        else if (option == 'm')
            mib = argument_u32("--mib", optarg, 1, 1U << 20);
        else if (option == 'c' && placement_parse(optarg, &relay.placement) != 0)
            errx(2, "--cpus must be CLIENT,SERVER or none, not '%s'", optarg);
        else if (option == 's')
            seconds = argument_seconds("--seconds", optarg);
        else if (option == '?')
            return 2;
    }
    if (optind != argc - 1)
        errx(2, "usage: relay IMAGE [--threads T | --depth D] [--lot N] [--cpus CLIENT,SERVER|none]"
                " [--mib M] [--seconds S]");
    relay.sector_count = (uint64_t)mib * ((1 << 20) / SECTOR_BYTES);
    relay.doorbell_fd = eventfd(0, EFD_CLOEXEC);
    relay.shared = mmap(NULL, sizeof(*relay.shared), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (relay.doorbell_fd < 0 || relay.shared == MAP_FAILED)
        err(1, "cannot set up");
    server = fork();
    if (server < 0)
        err(1, "fork");
    if (server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        bind_to(relay.placement.cpu[1]);
        serve(&relay, argv[optind]);
    }
    bind_to(relay.placement.cpu[0]);
    measure(&relay, seconds, server);
    return 0;
}

#else

int main(void)
{
    errx(1, "built without liburing: make deps, then make bench-programs");
}

#endif
