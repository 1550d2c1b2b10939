/* SPDX-License-Identifier: MIT */
/*
 * vub: a front end of vhost-user-blk that reads random sectors: what a user could take instead of
 * splitdom, with memory shared as well. One queue a thread; the threads block, or spin, for
 * answers.
 *
 *   vub SOCKET [--threads T] [--depth D] [--seconds S] [--hot SECTORS] [--spin] [--cpu N]
 *       [--verify IMAGE]
 *
 * --depth: reads in flight of each thread. --hot: of the first SECTORS sectors only. --cpu: all
 * threads on that processor. --verify compares every sector with the image.
 *
 * Prints: reads=N per_second=X mean_ns=Y p50_ns=.. p99_ns=.. kicks_per_read=.. cpu_us=.. bad=N
 * cpu_us is this process's alone. Exit status 1 if a sector was wrong or a read failed.
 */
#include <err.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/virtio_config.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "arguments.h"
#include "base/clock.h"
#include "base/prng.h"
#include "client/lat_stats.h"
#include "placement.h"
#include "vhost_user.h"
#include "virtqueue.h"

enum { THREADS_MAX = 256 };

struct run {
    const char *socket_path, *image_path;
    unsigned threads, depth;
    double seconds;
    uint64_t sector_count; /* of the device, or the hot ones */
    int cpu;
    bool spin;
    int image_fd; /* -1: nothing is compared */
    uint32_t stop;
};

struct reader {
    struct run *run;
    pthread_t thread;
    struct prng prng;
    struct virtqueue queue;
    uint64_t sector[VIRTQUEUE_SLOTS_MAX];
    uint64_t put_ns[VIRTQUEUE_SLOTS_MAX];
    struct lat_stats stats;
    uint64_t bad;
};

/* ---- reading ----------------------------------------------------------------------------------
 */

static void put(struct reader *reader, unsigned slot, uint64_t now_ns)
{
    reader->sector[slot] = prng_below(&reader->prng, reader->run->sector_count);
    reader->put_ns[slot] = now_ns;
    virtqueue_put(&reader->queue, slot, reader->sector[slot]);
}

static void check(struct reader *reader, unsigned slot)
{
    const struct virtqueue_slot *answer = &reader->queue.slots[slot];
    unsigned char expected[VIRTQUEUE_SECTOR_BYTES];

    if (answer->status != VIRTIO_BLK_S_OK) {
        reader->bad++;
        return;
    }
    if (reader->run->image_fd < 0)
        return;
    if (pread(reader->run->image_fd, expected, sizeof(expected),
              (off_t)(reader->sector[slot] * VIRTQUEUE_SECTOR_BYTES)) != sizeof(expected))
        err(1, "%s", reader->run->image_path);
    if (memcmp(expected, answer->data, sizeof(expected)) != 0)
        reader->bad++;
}

static void publish(struct reader *reader)
{
    const int rc = virtqueue_publish(&reader->queue);

    if (rc < 0)
        errx(1, "cannot kick the device: %s", strerror(-rc));
}

static void wait_for_answer(struct reader *reader)
{
    int rc = 0;

    if (virtqueue_has_answer(&reader->queue))
        return;
    if (reader->run->spin)
        virtqueue_spin(&reader->queue);
    else
        rc = virtqueue_sleep(&reader->queue);
    if (rc < 0)
        errx(1, "cannot wait for the device: %s", strerror(-rc));
}

/* The clock is read once for all answers that are there together. */
static void *read_sectors(void *argument)
{
    struct reader *reader = argument;
    struct run *run = reader->run;
    unsigned in_flight = run->depth;
    uint64_t now_ns = clock_monotonic_ns();
    const int rc = placement_bind(run->cpu);

    if (rc < 0)
        errx(1, "cannot go to processor %d: %s", run->cpu, strerror(-rc));
    for (unsigned slot = 0; slot < run->depth; slot++)
        put(reader, slot, now_ns);
    publish(reader);
    while (in_flight > 0) {
        wait_for_answer(reader);
        now_ns = clock_monotonic_ns();
        while (virtqueue_has_answer(&reader->queue)) {
            const unsigned slot = virtqueue_take(&reader->queue);

            check(reader, slot);
            lat_stats_add(&reader->stats, now_ns - reader->put_ns[slot]);
            if (load_relaxed_u32(&run->stop) == 0)
                put(reader, slot, now_ns);
            else
                in_flight--;
        }
        publish(reader);
    }
    return NULL;
}

/* ---- connecting -------------------------------------------------------------------------------
 */

static void must(int rc, const struct run *run, const char *what)
{
    if (rc < 0)
        errx(1, "%s: %s: %s", run->socket_path, what, strerror(-rc));
}

static void negotiate(struct run *run, int socket_fd)
{
    const uint64_t wanted = 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_RING_F_EVENT_IDX |
                            1ULL << VHOST_USER_F_PROTOCOL_FEATURES;
    const uint64_t wanted_protocol =
        1ULL << VHOST_USER_PROTOCOL_F_CONFIG | 1ULL << VHOST_USER_PROTOCOL_F_MQ;
    uint64_t offered = 0, capacity = 0;

    must(vhost_user_get_u64(socket_fd, VHOST_USER_GET_FEATURES, &offered), run, "GET_FEATURES");
    if ((offered & wanted) != wanted)
        errx(1, "%s: not all of VERSION_1, EVENT_IDX and PROTOCOL_FEATURES: offers %#" PRIx64,
             run->socket_path, offered);
    must(vhost_user_get_u64(socket_fd, VHOST_USER_GET_PROTOCOL_FEATURES, &offered), run,
         "GET_PROTOCOL_FEATURES");
    if ((offered & wanted_protocol) != wanted_protocol)
        errx(1, "%s: no CONFIG or no MQ: offers %#" PRIx64, run->socket_path, offered);
    must(vhost_user_set_u64(socket_fd, VHOST_USER_SET_PROTOCOL_FEATURES, wanted_protocol, -1), run,
         "SET_PROTOCOL_FEATURES");
    must(vhost_user_send(socket_fd, VHOST_USER_SET_OWNER, NULL, 0, -1), run, "SET_OWNER");
    must(vhost_user_set_u64(socket_fd, VHOST_USER_SET_FEATURES, wanted | 1ULL << VIRTIO_BLK_F_MQ,
                            -1),
         run, "SET_FEATURES");
    /* The first member of struct virtio_blk_config. */
    must(vhost_user_get_config(socket_fd, &capacity, sizeof(capacity)), run, "GET_CONFIG");
    if (run->sector_count == 0)
        run->sector_count = capacity;
    if (run->sector_count == 0 || run->sector_count > capacity)
        errx(1, "%s: the device has %" PRIu64 " sectors", run->socket_path, capacity);
}

static void *share_memory(const struct run *run, int socket_fd, size_t bytes)
{
    const int fd = memfd_create("vub", MFD_CLOEXEC);
    void *memory;

    if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0)
        err(1, "memory of %zu bytes", bytes);
    memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (memory == MAP_FAILED)
        err(1, "memory of %zu bytes", bytes);
    const struct vhost_user_memory table = {
        .region_count = 1, .regions = {{.bytes = bytes, .user_address = (uintptr_t)memory}}};
    const uint32_t table_bytes = (uint32_t)offsetof(struct vhost_user_memory, regions[1]);
    must(vhost_user_send(socket_fd, VHOST_USER_SET_MEM_TABLE, &table, table_bytes, fd), run,
         "SET_MEM_TABLE");
    close(fd);
    return memory;
}

static void start_queue(const struct run *run, int socket_fd, unsigned index,
                        struct virtqueue *queue)
{
    const struct vhost_user_vring_addr addr = {.index = index,
                                               .descriptors = (uintptr_t)queue->ring.desc,
                                               .used = (uintptr_t)queue->ring.used,
                                               .available = (uintptr_t)queue->ring.avail};

    must(vhost_user_set_state(socket_fd, VHOST_USER_SET_VRING_NUM, index, queue->ring.num), run,
         "SET_VRING_NUM");
    must(vhost_user_set_state(socket_fd, VHOST_USER_SET_VRING_BASE, index, 0), run,
         "SET_VRING_BASE");
    must(vhost_user_send(socket_fd, VHOST_USER_SET_VRING_ADDR, &addr, sizeof(addr), -1), run,
         "SET_VRING_ADDR");
    must(vhost_user_set_u64(socket_fd, VHOST_USER_SET_VRING_CALL, index, queue->call_fd), run,
         "SET_VRING_CALL");
    must(vhost_user_set_u64(socket_fd, VHOST_USER_SET_VRING_KICK, index, queue->kick_fd), run,
         "SET_VRING_KICK");
    must(vhost_user_set_state(socket_fd, VHOST_USER_SET_VRING_ENABLE, index, 1), run,
         "SET_VRING_ENABLE");
}

/* One region of memory for all queues, from the guest's address 0 on. */
static void connect_readers(struct run *run, struct reader *readers, int socket_fd)
{
    const size_t bytes = virtqueue_bytes(run->depth);
    char *memory;

    negotiate(run, socket_fd);
    memory = share_memory(run, socket_fd, bytes * run->threads);
    for (unsigned i = 0; i < run->threads; i++) {
        const int kick_fd = eventfd(0, EFD_CLOEXEC), call_fd = eventfd(0, EFD_CLOEXEC);

        if (kick_fd < 0 || call_fd < 0)
            err(1, "eventfd");
        readers[i].run = run;
        prng_init(&readers[i].prng, clock_monotonic_ns(), i);
        lat_stats_init(&readers[i].stats);
        virtqueue_init(&readers[i].queue, memory + i * bytes, i * bytes, run->depth, kick_fd,
                       call_fd);
        start_queue(run, socket_fd, i, &readers[i].queue);
    }
}

/* ---- the run ----------------------------------------------------------------------------------
 */

static double cpu_us(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static int report(const struct run *run, const struct reader *readers, uint64_t elapsed_ns)
{
    static struct lat_stats all;
    uint64_t bad = 0, kicks = 0;

    lat_stats_init(&all);
    for (unsigned i = 0; i < run->threads; i++) {
        lat_stats_merge(&all, &readers[i].stats);
        bad += readers[i].bad;
        kicks += readers[i].queue.kicks;
    }
    printf("reads=%" PRIu64 " per_second=%.0f mean_ns=%.1f p50_ns=%" PRIu64 " p99_ns=%" PRIu64
           " kicks_per_read=%.4f cpu_us=%.3f bad=%" PRIu64 "\n",
           all.count, (double)all.count * 1e9 / (double)elapsed_ns, lat_stats_mean(&all),
           lat_stats_percentile(&all, 50), lat_stats_percentile(&all, 99),
           (double)kicks / (double)all.count, cpu_us() / (double)all.count, bad);
    return bad == 0 ? 0 : 1;
}

static void parse(int argc, char **argv, struct run *run)
{
    static const struct option options[] = {
        {"threads", required_argument, NULL, 't'}, {"depth", required_argument, NULL, 'd'},
        {"seconds", required_argument, NULL, 's'}, {"hot", required_argument, NULL, 'h'},
        {"cpu", required_argument, NULL, 'c'},     {"verify", required_argument, NULL, 'v'},
        {"spin", no_argument, NULL, 'p'},          {NULL, 0, NULL, 0}};
    int option;

    *run = (struct run){.threads = 1, .depth = 1, .seconds = 1, .cpu = -1, .image_fd = -1};
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 't':
            run->threads = argument_u32("--threads", optarg, 1, THREADS_MAX);
            break;
        case 'd':
            run->depth = argument_u32("--depth", optarg, 1, VIRTQUEUE_SLOTS_MAX);
            break;
        case 's':
            run->seconds = argument_seconds("--seconds", optarg);
            break;
        case 'h':
            run->sector_count = argument_u32("--hot", optarg, 1, UINT32_MAX);
            break;
        case 'c':
            run->cpu = (int)argument_u32("--cpu", optarg, 0, CPU_SETSIZE - 1);
            break;
        case 'v':
            run->image_path = optarg;
            break;
        case 'p':
            run->spin = true;
            break;
        default:
            exit(2);
        }
    }
    if (optind + 1 != argc)
        errx(2,
             "usage: vub SOCKET [--threads 1..%d] [--depth 1..%d] [--seconds S] [--hot SECTORS] "
             "[--spin] [--cpu N] [--verify IMAGE]",
             THREADS_MAX, VIRTQUEUE_SLOTS_MAX);
    run->socket_path = argv[optind];
    if (run->image_path != NULL) {
        run->image_fd = open(run->image_path, O_RDONLY | O_CLOEXEC);
        if (run->image_fd < 0)
            err(1, "%s", run->image_path);
    }
}

int main(int argc, char **argv)
{
    struct run run;
    struct reader *readers;
    uint64_t started_ns;
    int socket_fd, status;

    parse(argc, argv, &run);
    socket_fd = vhost_user_connect(run.socket_path);
    must(socket_fd, &run, "connecting");
    readers = calloc(run.threads, sizeof(*readers));
    if (readers == NULL)
        err(1, "memory");
    connect_readers(&run, readers, socket_fd);
    started_ns = clock_monotonic_ns();
    for (unsigned i = 0; i < run.threads; i++)
        if (pthread_create(&readers[i].thread, NULL, read_sectors, &readers[i]) != 0)
            errx(1, "cannot start thread %u", i + 1);
    usleep((useconds_t)(run.seconds * 1e6));
    store_full_u32(&run.stop, 1);
    for (unsigned i = 0; i < run.threads; i++)
        pthread_join(readers[i].thread, NULL);
    status = report(&run, readers, clock_monotonic_ns() - started_ns);
    free(readers);
    close(socket_fd); /* the back end stops the queues and lets go of the memory */
    return status;
}
