/* SPDX-License-Identifier: MIT */
/*
 * tap_pair: frames from one tap device to another one over whatever joins them, by two processes:
 * the rival of two domains over a bridge of Dom0.
 *
 *     tap_pair FROM TO SIZE SECONDS
 *
 * The tap devices are there, in the present network namespace. A name with a slash is the directory
 * of a vde_switch in the place of a tap device: a port of it is opened. Prints one line: frames
 * received, and CPU time of both processes for each.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "ring/barrier.h"

enum { FRAME_MAX = 65535, WAIT_MS = 10 };

struct message {
    struct virtio_net_hdr header;
    uint8_t data[FRAME_MAX];
};

/* What vde_switch is asked for at its ctl socket (vde2's datasock.c: request_v3). It answers with
 * the address that frames are to be sent to. */
struct vde_request {
    uint32_t magic, version, type;
    struct sockaddr_un from;
} __attribute__((packed));

enum { VDE_VERSION = 3 };
#define VDE_MAGIC 0xfeedface

/* Where frames go in and out. */
struct end {
    int fd;
    size_t header_bytes; /* of message.header that it has */
};

struct shared {
    uint64_t received; /* atomic */
    uint32_t ends;     /* atomic */
};

static const uint8_t sender[6] = {2, 0, 0, 0, 0, 1}, receiver[6] = {2, 0, 0, 0, 0, 2};
static struct message message;

/* The connection to the ctl socket is the port's life: it is left open. */
static int open_vde(const char *directory, int number)
{
    struct vde_request request = {VDE_MAGIC, VDE_VERSION, 0, {.sun_family = AF_UNIX}};
    struct sockaddr_un control = {.sun_family = AF_UNIX}, to;
    int control_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    snprintf(control.sun_path, sizeof(control.sun_path), "%s/ctl", directory);
    snprintf(request.from.sun_path, sizeof(request.from.sun_path), "%s/.pair-%d-%d", directory,
             (int)getpid(), number);
    const struct sockaddr_un from = request.from;
    if (control_fd < 0 || fd < 0 ||
        connect(control_fd, (const struct sockaddr *)&control, sizeof(control)) < 0 ||
        bind(fd, (const struct sockaddr *)&from, sizeof(from)) < 0 ||
        send(control_fd, &request, sizeof(request), 0) < 0 ||
        recv(control_fd, &to, sizeof(to), MSG_WAITALL) != sizeof(to) ||
        connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
        err(1, "the switch at %s", directory);
    return fd;
}

static int open_tap(const char *name)
{
    const int header_bytes = sizeof(struct virtio_net_hdr);
    struct ifreq ifreq = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    snprintf(ifreq.ifr_name, sizeof(ifreq.ifr_name), "%s", name);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &ifreq) < 0 || ioctl(fd, TUNSETVNETHDRSZ, &header_bytes) < 0)
        err(1, "tap device %s", name);
    return fd;
}

static struct end open_end(const char *name, int number)
{
    return strchr(name, '/') != NULL ? (struct end){open_vde(name, number), 0}
                                     : (struct end){open_tap(name), sizeof(struct virtio_net_hdr)};
}

/* Where a message of this end begins. */
static uint8_t *start_of(struct message *whole, const struct end *end)
{
    return whole->data - end->header_bytes;
}

static void fill(void)
{
    memcpy(message.data, receiver, 6);
    memcpy(message.data + 6, sender, 6);
    memcpy(message.data + 12, "\x88\xb5", 2);
}

static void receive(const struct end *end, struct shared *shared, uint32_t size)
{
    struct pollfd ready = {.fd = end->fd, .events = POLLIN};
    uint8_t *start = start_of(&message, end);
    while (load_full_u32(&shared->ends) == 0) {
        if (poll(&ready, 1, WAIT_MS) < 1)
            continue;
        ssize_t n;
        while ((n = read(end->fd, start, end->header_bytes + FRAME_MAX)) > 0) {
            if ((size_t)n == end->header_bytes + size)
                (void)fetch_add_relaxed_u64(&shared->received, 1);
        }
    }
}

static double cpu_us(int who)
{
    struct rusage usage;
    getrusage(who, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static uint64_t send_for(const struct end *end, uint32_t size, uint64_t ns)
{
    const uint8_t *start = start_of(&message, end);
    const uint64_t end_ns = clock_monotonic_ns() + ns;
    uint64_t sent = 0;
    while (clock_monotonic_ns() < end_ns) {
        if (write(end->fd, start, end->header_bytes + size) > 0)
            sent++;
        else if (errno != EAGAIN && errno != ENOBUFS)
            err(1, "write");
    }
    return sent;
}

/* The bridge learns where the receiver is. */
static void announce(const struct end *end)
{
    struct message hello = {.header.flags = 0};
    memset(hello.data, 0xff, 6);
    memcpy(hello.data + 6, receiver, 6);
    memcpy(hello.data + 12, "\x88\xb5", 2);
    if (write(end->fd, start_of(&hello, end), end->header_bytes + 60) < 0)
        err(1, "write");
}

int main(int argc, char **argv)
{
    if (argc != 5)
        errx(2, "usage: tap_pair FROM TO SIZE SECONDS");
    const uint32_t size = (uint32_t)strtoul(argv[3], NULL, 10);
    const double seconds = strtod(argv[4], NULL);
    if (size < 60 || size > FRAME_MAX || seconds <= 0)
        errx(2, "a size from 60 to %d, and some seconds", FRAME_MAX);
    const struct end from = open_end(argv[1], 0), to = open_end(argv[2], 1);
    struct shared *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        err(1, "mmap");
    announce(&to);
    pid_t child = fork();
    if (child < 0)
        err(1, "fork");
    if (child == 0) {
        receive(&to, shared, size);
        _exit(0);
    }
    fill();
    const uint64_t sent = send_for(&from, size, (uint64_t)(seconds * 1e9));
    const uint64_t received = load_full_u64(&shared->received);
    store_full_u32(&shared->ends, 1);
    if (waitpid(child, NULL, 0) < 0)
        err(1, "waitpid");
    const double cpu = cpu_us(RUSAGE_SELF) + cpu_us(RUSAGE_CHILDREN);
    printf("sent=%llu received=%llu per_second=%.1f cpu_us=%.4f\n", (unsigned long long)sent,
           (unsigned long long)received, (double)received / seconds,
           received == 0 ? 0 : cpu / (double)received);
    return 0;
}
