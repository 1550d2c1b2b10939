/* SPDX-License-Identifier: MIT */
/*
 * store: how many requests a second xenstore answers.
 *
 *   store socket [options]   over the Unix socket, as the stock tools do (privileged)
 *   store ring [options]     over a domain's ring page, as front ends do
 *     --socket PATH          of the store; default $XENSTORED_PATH
 *     --operation write|read of one node
 *     --watches N            socket: another connection watches N other nodes of the directory
 *     --pipeline N           socket: requests sent before their replies are read (default 1)
 *     --seconds S
 *
 * Prints: operations=N per_second=X mean_ns=Y. The ring's service is found through SPLITDOM_RUNDIR
 * and SPLITDOM_NAME.
 */
#include <err.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "arguments.h"
#include "base/clock.h"
#include "base/rundir.h"
#include "base/unix_socket.h"
#include "domu/life.h"
#include "placement.h"
#include "splitdom/xen/xs_wire.h"

enum { RING_PAGES = 64, WHY_BYTES = 256, PIPELINE_MAX = 1024 };

struct setup {
    const char *socket_path;
    const char *name; /* of the node, within its directory */
    uint32_t watches, pipeline;
    bool write;
    double seconds;
};

struct tally {
    uint64_t operations, started_ns, ended_ns;
};

static bool time_is_up(const struct setup *setup, struct tally *tally)
{
    tally->ended_ns = clock_monotonic_ns();
    return (double)(tally->ended_ns - tally->started_ns) >= setup->seconds * 1e9;
}

static void transfer(int fd, void *data, size_t bytes, bool out)
{
    char *at = data;

    while (bytes > 0) {
        const ssize_t n = out ? write(fd, at, bytes) : read(fd, at, bytes);
        if (n <= 0)
            errx(1, "the store closed the connection");
        at += n;
        bytes -= (size_t)n;
    }
}

static int connect_store(const char *path)
{
    if (path == NULL)
        errx(2, "name the store's socket: --socket, or XENSTORED_PATH (eval \"$(service env)\")");
    const int fd = unix_socket_connect(path, SOCK_STREAM, 0);
    if (fd < 0)
        errx(1, "cannot connect to %s: %s", path, strerror(-fd));
    return fd;
}

static void send_request(int fd, uint32_t type, const void *payload, size_t bytes)
{
    char message[sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX];
    const struct xsd_sockmsg header = {.type = type, .len = (uint32_t)bytes};

    memcpy(message, &header, sizeof(header));
    memcpy(message + sizeof(header), payload, bytes);
    transfer(fd, message, sizeof(header) + bytes, true);
}

/* The next message that is no watch event; it must answer a request of that type. */
static void take_reply(int fd, uint32_t type)
{
    char payload[XENSTORE_PAYLOAD_MAX];
    struct xsd_sockmsg header;

    do {
        transfer(fd, &header, sizeof(header), false);
        if (header.len > sizeof(payload))
            errx(1, "the store broke the protocol");
        transfer(fd, payload, header.len, false);
    } while (header.type == XS_WATCH_EVENT);
    if (header.type != type)
        errx(1, "the store refused request %u: %.*s", type, (int)header.len, payload);
}

/* A connection that watches nodes beside the one in use. */
static int watch_neighbours(const struct setup *setup)
{
    const int fd = connect_store(setup->socket_path);
    char payload[64];

    for (uint32_t i = 0; i < setup->watches; i++) {
        const int path = snprintf(payload, 32, "/bench/neighbour/%u", i) + 1;
        const int token = snprintf(payload + path, 16, "%u", i) + 1;

        send_request(fd, XS_WATCH, payload, (size_t)(path + token));
        take_reply(fd, XS_WATCH);
    }
    return fd;
}

static size_t put_request(const struct setup *setup, char *payload, uint64_t n)
{
    size_t bytes = (size_t)sprintf(payload, "/bench/%s", setup->name) + 1;

    if (setup->write)
        bytes += (size_t)sprintf(payload + bytes, "%" PRIu64, n);
    return bytes;
}

static void run_socket(const struct setup *setup, struct tally *tally)
{
    const uint32_t type = setup->write ? XS_WRITE : XS_READ;
    const int watcher = watch_neighbours(setup);
    const int fd = connect_store(setup->socket_path);
    char payload[128];
    size_t bytes;

    send_request(fd, XS_WRITE,
                 "/bench/node\0"
                 "1",
                 sizeof("/bench/node\0"
                        "1") -
                     1);
    take_reply(fd, XS_WRITE);
    tally->started_ns = clock_monotonic_ns();
    do {
        for (uint32_t i = 0; i < setup->pipeline; i++) {
            bytes = put_request(setup, payload, tally->operations + i);
            send_request(fd, type, payload, bytes);
        }
        for (uint32_t i = 0; i < setup->pipeline; i++)
            take_reply(fd, type);
        tally->operations += setup->pipeline;
    } while (!time_is_up(setup, tally));
    send_request(fd, XS_RM, "/bench", sizeof("/bench"));
    take_reply(fd, XS_RM);
    close(fd);
    close(watcher);
}

static void run_ring(const struct setup *setup, struct tally *tally)
{
    struct life domu = {0};
    struct rundir rundir;
    char why[WHY_BYTES] = "", value[64];
    int rc = rundir_resolve(NULL, NULL, false, &rundir, why, sizeof(why));

    if (rc == 0)
        rc = life_create(&domu, &rundir, RING_PAGES, (struct tdf){1, 1}, NULL, why, sizeof(why));
    if (rc != 0)
        errx(1, "%s", why);
    rc = xs_client_write(domu.store, 0, "data/bench", "1");
    tally->started_ns = clock_monotonic_ns();
    while (rc >= 0 && !time_is_up(setup, tally)) {
        if (setup->write)
            rc = xs_client_writef(domu.store, 0, "data/bench", "%" PRIu64, tally->operations);
        else
            rc = xs_client_read(domu.store, 0, "data/bench", value, sizeof(value));
        tally->operations++;
    }
    if (rc < 0)
        errx(1, "the store refused a request: %s", strerror(-rc));
    life_destroy(&domu);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"socket", required_argument, NULL, 'p'},   {"operation", required_argument, NULL, 'o'},
        {"watches", required_argument, NULL, 'w'},  {"seconds", required_argument, NULL, 's'},
        {"pipeline", required_argument, NULL, 'n'}, {NULL, 0, NULL, 0}};
    struct setup setup = {getenv("XENSTORED_PATH"), "node", 0, 1, true, 1};
    struct tally tally = {0};
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'p')
            setup.socket_path = optarg;
        else if (option == 'w')
            setup.watches = argument_u32("--watches", optarg, 0, 1000000);
        else if (option == 'n')
            setup.pipeline = argument_u32("--pipeline", optarg, 1, PIPELINE_MAX);
        else if (option == 's')
            setup.seconds = argument_seconds("--seconds", optarg);
        else if (option == 'o' && !(setup.write = strcmp(optarg, "write") == 0) &&
                 strcmp(optarg, "read") != 0)
            errx(2, "--operation must be write or read, not '%s'", optarg);
        else if (option == '?')
            return 2;
    }
    if (optind + 1 == argc && strcmp(argv[optind], "socket") == 0)
        run_socket(&setup, &tally);
    else if (optind + 1 == argc && strcmp(argv[optind], "ring") == 0)
        run_ring(&setup, &tally);
    else
        errx(2, "usage: store socket|ring [options]");
    const double elapsed_ns = (double)(tally.ended_ns - tally.started_ns);
    printf("operations=%" PRIu64 " per_second=%.0f mean_ns=%.1f\n", tally.operations,
           (double)tally.operations * 1e9 / elapsed_ns, elapsed_ns / (double)tally.operations);
    return 0;
}
