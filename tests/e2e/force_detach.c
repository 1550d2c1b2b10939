/* SPDX-License-Identifier: MIT */
/*
 * force_detach SOCKET TIMES SPEC: a disk, SPEC (all words by name, vdev=xvdc, writable, of 16 MiB
 * or more), is attached to a domain and opened; requests of 1 MiB and of parts of blocks are
 * submitted, writes, reads and discards, until as many are under way as there can be; then the disk
 * is taken away by force, TIMES times. Each request must come back once, and the next disk must
 * open. Prints forced N answered A lost L: how many requests were answered, how many died with
 * their disk. Exit 1: something failed.
 */
#include <err.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/prng.h"
#include "service/cli/control_client.h"
#include "splitdom/blkfront.h"

enum {
    XVDC = 51744,
    SECTOR_BYTES = 512,
    DEPTH = 8,
    LARGE = 2048, /* sectors: 256 segments */
    SPAN = 32768,
    TIMEOUT_S = 30,
    DEPTHS_OF_PAGES = 3, /* what a disk that has gone may leave in use */
};

struct storm {
    struct domu *domu;
    struct blkfront *bf;
    struct prng prng;
    uint8_t *data;
    uint32_t under_way;
    uint64_t answered, lost;
};

static void submit(struct storm *s)
{
    static const enum blkfront_operation operations[] = {BLKFRONT_WRITE, BLKFRONT_WRITE,
                                                         BLKFRONT_READ, BLKFRONT_DISCARD};
    uint32_t count = prng_below(&s->prng, 3) == 0 ? 1 + (uint32_t)prng_below(&s->prng, 60) : LARGE;
    const struct blkfront_io io = {.operation = operations[prng_below(&s->prng, 4)],
                                   .sector = prng_below(&s->prng, SPAN - count + 1),
                                   .sector_count = count,
                                   .buffer = s->data + (size_t)s->under_way * LARGE * SECTOR_BYTES};
    int rc = blkfront_submit_io(s->bf, &io);
    if (rc < 0)
        errx(1, "submit: %s", strerror(-rc));
    s->under_way++;
}

static void take_answers(struct storm *s, uint32_t least)
{
    struct blkfront_completion done[DEPTH];
    int count = blkfront_reap(s->bf, done, DEPTH, least);
    if (count < 0 || (uint32_t)count > s->under_way || (uint32_t)count < least)
        errx(1, "%d answers to %u requests", count, s->under_way);
    for (int i = 0; i < count; i++) {
        bool dead = done[i].status == -ENOTCONN;
        if (done[i].status != 0 && !dead)
            errx(1, "an answer says: %s", strerror(-done[i].status));
        s->lost += dead;
        s->answered += !dead;
    }
    s->under_way -= (uint32_t)count;
}

static void tell(const struct storm *s, const char *socket, enum control_op op, const char *text)
{
    struct why why;
    if (control_client_tell(socket, op, domu_domid(s->domu), text, TIMEOUT_S, &why) < 0)
        errx(1, "%s: %s", text, why.text);
}

/* What the disks before had may be in use for as long as the device takes. */
static void open_disk(struct storm *s)
{
    const struct blkfront_options options = {
        .size = sizeof(options), .vdev = XVDC, .depth = DEPTH, .sectors_per_request = LARGE};
    const struct timespec pause = {.tv_nsec = 1000000};
    uint64_t end_ns = clock_monotonic_ns() + (uint64_t)TIMEOUT_S * 1000000000;
    struct blkfront_error why;
    int rc;
    while ((rc = blkfront_open(s->domu, &options, &s->bf, &why)) == -ENOSPC &&
           clock_monotonic_ns() < end_ns)
        (void)nanosleep(&pause, NULL);
    if (rc < 0)
        errx(1, "open: %s", why.text);
}

static void force(struct storm *s, const char *socket, const char *spec)
{
    tell(s, socket, CONTROL_BLOCK_ATTACH, spec);
    open_disk(s);
    for (uint64_t rounds = prng_below(&s->prng, 4); rounds > 0; rounds--) {
        while (s->under_way < DEPTH)
            submit(s);
        take_answers(s, DEPTH);
    }
    while (s->under_way < DEPTH)
        submit(s);
    int rc = blkfront_kick(s->bf);
    if (rc < 0)
        errx(1, "kick: %s", strerror(-rc));
    tell(s, socket, CONTROL_BLOCK_DESTROY, "xvdc");
    while (s->under_way > 0)
        take_answers(s, 1);
    blkfront_close(s->bf);
}

int main(int argc, char **argv)
{
    const struct blkfront_options disk = {
        .size = sizeof(disk), .vdev = XVDC, .depth = DEPTH, .sectors_per_request = LARGE};
    struct storm s = {.data = calloc(DEPTH, (size_t)LARGE * SECTOR_BYTES)};
    struct domu_error why;
    if (argc != 4 || s.data == NULL)
        errx(2, "usage: force_detach SOCKET TIMES SPEC");
    uint32_t times = (uint32_t)strtoul(argv[2], NULL, 10);
    const struct domu_options domain = {.size = sizeof(domain),
                                        .pages = 64 + DEPTHS_OF_PAGES * blkfront_pages(&disk)};
    prng_init(&s.prng, 20261130, times);
    if (domu_open(&domain, &s.domu, &why) < 0)
        errx(1, "%s", why.text);
    for (uint32_t i = 0; i < times; i++)
        force(&s, argv[1], argv[3]);
    domu_close(s.domu);
    free(s.data);
    printf("forced %u answered %llu lost %llu\n", times, (unsigned long long)s.answered,
           (unsigned long long)s.lost);
    return 0;
}
