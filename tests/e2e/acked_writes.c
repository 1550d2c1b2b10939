/* SPDX-License-Identifier: MIT */
/*
 * acked_writes: writes to a disk and keeps, outside of Dom0, what was acknowledged; or looks into
 * the image file whether all of that is there.
 *
 *   acked_writes write LOG FIRST COUNT SEED [reconnect] [volatile]
 *       Random writes, reads and flushes of COUNT sectors from FIRST on, at depth 48, until SIGTERM
 * (exit 0) or the death of the device (exit 3). volatile: this run begins with a disk that has lost
 * what was not flushed. acked_writes check LOG IMAGE [flushed] Each sector holds a write that is
 * not older than the last one acknowledged (flushed: the last one that was acknowledged before a
 * flush that was), nor newer than the last one asked for. Exit 1: it does not. acked_writes count
 * LOG: the number of sectors whose writes were acknowledged.
 *
 * LOG is mapped by all, a record for each sector of the disk. A sector has at most one request in
 * flight.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "splitdom/blkfront.h"

enum { SECTOR_BYTES = 512, WORDS = SECTOR_BYTES / 8, DEPTH = 48, SECTORS_MAX = 300 };

/* Sequence numbers of writes of a sector. Written by its one writer; read by check in another
 * process. */
struct record {
    uint64_t asked, acked, flushed, writes;
};

struct request {
    enum blkfront_operation operation;
    uint64_t sector, count;
    bool busy;
    uint64_t *data;
    uint64_t *covered; /* of a flush: what was acknowledged when it was asked for */
};

struct writer {
    struct blkfront *bf;
    struct record *log;
    uint64_t first, count, random;
    bool *busy; /* of each sector from first on */
    struct request requests[DEPTH];
    uint32_t in_flight;
    bool flushing;
    bool dead; /* the device is, for good */
};

static volatile sig_atomic_t ended;
static void on_term(int signal_number)
{
    (void)signal_number;
    ended = 1;
}

static uint64_t mixed(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static uint64_t random_below(struct writer *w, uint64_t bound)
{
    w->random += 0x9e3779b97f4a7c15u;
    return mixed(w->random) % bound;
}

static uint64_t word_of(uint64_t sector, uint64_t sequence, uint64_t i)
{
    return i == 0 ? sequence : mixed(sector * 0x10001 + sequence * 64 + i);
}

/* The sequence number of a sector's contents, 0 for zeros; UINT64_MAX: they are no write's. */
static uint64_t sequence_of(const uint64_t *data, uint64_t sector)
{
    uint64_t sequence = data[0];
    for (uint64_t i = 1; i < WORDS; i++) {
        if (data[i] != (sequence == 0 ? 0 : word_of(sector, sequence, i)))
            return UINT64_MAX;
    }
    return sequence;
}

static struct record *map_log(const char *path, size_t *bytes)
{
    struct stat st;
    int fd = open(path, O_RDWR);
    if (fd < 0 || fstat(fd, &st) != 0)
        err(2, "%s", path);
    struct record *log = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (log == MAP_FAILED)
        err(2, "%s", path);
    close(fd);
    *bytes = (size_t)st.st_size;
    return log;
}

/* How many sectors from sector on have no request in flight, at most limit. */
static uint64_t idle_run(const struct writer *w, uint64_t sector, uint64_t limit)
{
    uint64_t n = 0;
    while (n < limit && sector + n < w->first + w->count && w->busy[sector + n - w->first] == false)
        n++;
    return n;
}

/* false: no sectors without a request were found; there are some once another one is answered. */
static bool choose(struct writer *w, struct request *request)
{
    uint64_t dice = random_below(w, 100);
    request->operation = dice < 70 ? BLKFRONT_WRITE : BLKFRONT_READ;
    if (dice >= 97 && w->flushing == false) {
        request->operation = BLKFRONT_FLUSH;
        request->sector = request->count = 0;
        return true;
    }
    request->count = 0;
    for (int tries = 0; tries < 100 && request->count == 0; tries++) {
        request->sector = w->first + random_below(w, w->count);
        request->count = idle_run(w, request->sector,
                                  1 + random_below(w, random_below(w, 40) == 0 ? SECTORS_MAX : 16));
    }
    return request->count > 0;
}

static void ask(struct writer *w, struct request *request)
{
    if (!choose(w, request))
        return;
    for (uint64_t i = 0; i < request->count; i++) {
        uint64_t sector = request->sector + i;
        w->busy[sector - w->first] = true;
        if (request->operation != BLKFRONT_WRITE)
            continue;
        uint64_t sequence = w->log[sector].asked + 1;
        for (uint64_t word = 0; word < WORDS; word++)
            request->data[i * WORDS + word] = word_of(sector, sequence, word);
        __atomic_store_n(&w->log[sector].asked, sequence, __ATOMIC_SEQ_CST);
    }
    if (request->operation == BLKFRONT_FLUSH) {
        w->flushing = true;
        for (uint64_t i = 0; i < w->count; i++)
            request->covered[i] = w->log[w->first + i].acked;
    }
    int rc = blkfront_submit_io(w->bf, &(struct blkfront_io){.operation = request->operation,
                                                             .sector = request->sector,
                                                             .sector_count = request->count,
                                                             .buffer = request->data,
                                                             .cookie = request});
    if (rc < 0 && rc != -ENOTCONN)
        errx(1, "submit: %s", strerror(-rc));
    request->busy = rc == 0;
    w->in_flight += rc == 0;
    w->dead |= rc < 0;
}

static void check_read(const struct writer *w, const struct request *request)
{
    for (uint64_t i = 0; i < request->count; i++) {
        uint64_t sector = request->sector + i;
        uint64_t found = sequence_of(&request->data[i * WORDS], sector);
        if (found < w->log[sector].acked || found > w->log[sector].asked)
            errx(1,
                 "read of sector %" PRIu64 ": write %" PRIu64 " instead of %" PRIu64 " to %" PRIu64,
                 sector, found, w->log[sector].acked, w->log[sector].asked);
    }
}

static void answered(struct writer *w, const struct blkfront_completion *done)
{
    struct request *request = done->cookie;
    request->busy = false;
    w->in_flight--;
    if (done->status == -ENOTCONN) {
        w->dead = true; /* and this as if it had never been answered */
        return;
    }
    if (done->status < 0)
        errx(1, "request for sector %" PRIu64 ": %s", request->sector, strerror(-done->status));
    if (request->operation == BLKFRONT_READ)
        check_read(w, request);
    for (uint64_t i = 0; i < request->count; i++) {
        struct record *record = &w->log[request->sector + i];
        w->busy[request->sector + i - w->first] = false;
        if (request->operation != BLKFRONT_WRITE)
            continue;
        __atomic_store_n(&record->acked, record->asked, __ATOMIC_SEQ_CST);
        record->writes++;
    }
    if (request->operation == BLKFRONT_FLUSH) {
        w->flushing = false;
        for (uint64_t i = 0; i < w->count; i++)
            __atomic_store_n(&w->log[w->first + i].flushed, request->covered[i], __ATOMIC_SEQ_CST);
    }
}

static void write_for_ever(struct writer *w)
{
    struct blkfront_completion done[DEPTH];
    do {
        for (uint32_t i = 0; i < DEPTH && ended == 0 && w->dead == false; i++) {
            if (w->requests[i].busy == false)
                ask(w, &w->requests[i]);
        }
        int count = blkfront_reap(w->bf, done, DEPTH, 1);
        if (count < 0 && count != -ENOTCONN)
            errx(1, "reap: %s", strerror(-count));
        w->dead |= count < 0;
        for (int i = 0; i < count; i++)
            answered(w, &done[i]);
    } while (w->in_flight > 0 || (ended == 0 && w->dead == false));
}

/* The word that is among the arguments from the sixth on. */
static bool has_word(char **words, const char *word)
{
    for (; *words != NULL; words++) {
        if (strcmp(*words, word) == 0)
            return true;
    }
    return false;
}

/* What a writer does its work with. */
static void open_writer(struct writer *w)
{
    w->busy = calloc(w->count, sizeof(*w->busy));
    for (int i = 0; i < DEPTH; i++) {
        w->requests[i].data = aligned_alloc(4096, (size_t)SECTORS_MAX * SECTOR_BYTES + 2048);
        w->requests[i].covered = calloc(w->count, sizeof(uint64_t));
        if (w->busy == NULL || w->requests[i].data == NULL || w->requests[i].covered == NULL)
            err(2, "memory");
    }
}

static void close_writer(struct writer *w)
{
    blkfront_close(w->bf);
    for (int i = 0; i < DEPTH; i++) {
        free(w->requests[i].data);
        free(w->requests[i].covered);
    }
    free(w->busy);
}

/* A Dom0 that is killed while we connect has died like any other: the device is dead. */
static int connect_writer(struct writer *w, const struct blkfront_options *options)
{
    struct blkfront_error why;
    int rc = blkfront_connect(options, &w->bf, &why);
    if (rc < 0)
        warnx("%s (%s)", why.text, strerror(-rc));
    w->dead = rc == -ENOTCONN || rc == -ENOENT;
    return w->dead ? 0 : rc;
}

static int write_main(char **argv)
{
    size_t bytes;
    struct writer w = {.log = map_log(argv[2], &bytes),
                       .first = strtoull(argv[3], NULL, 10),
                       .count = strtoull(argv[4], NULL, 10),
                       .random = strtoull(argv[5], NULL, 10)};
    struct blkfront_options options = {.size = sizeof(options),
                                       .depth = DEPTH,
                                       .sectors_per_request = 256,
                                       .reconnect = has_word(argv + 6, "reconnect")};
    open_writer(&w);
    for (uint64_t i = 0; has_word(argv + 6, "volatile") && i < w.count; i++)
        w.log[w.first + i].acked = w.log[w.first + i].flushed;
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_term}, NULL);
    int rc = connect_writer(&w, &options);
    if (w.bf != NULL)
        write_for_ever(&w);
    close_writer(&w);
    return rc < 0 ? 1 : w.dead ? 3 : 0;
}

static int check_main(char **argv)
{
    size_t bytes;
    uint64_t data[WORDS], lost = 0;
    struct record *log = map_log(argv[2], &bytes);
    bool flushed = has_word(argv + 4, "flushed");
    int fd = open(argv[3], O_RDONLY);
    if (fd < 0)
        err(2, "%s", argv[3]);
    for (uint64_t sector = 0; sector < bytes / sizeof(*log); sector++) {
        uint64_t *floor = flushed ? &log[sector].flushed : &log[sector].acked;
        uint64_t least = __atomic_load_n(floor, __ATOMIC_SEQ_CST);
        if (pread(fd, data, sizeof(data), (off_t)(sector * SECTOR_BYTES)) != (ssize_t)sizeof(data))
            err(2, "%s", argv[3]);
        uint64_t most = __atomic_load_n(&log[sector].asked, __ATOMIC_SEQ_CST);
        uint64_t found = sequence_of(data, sector);
        if (found >= least && found <= most)
            continue;
        lost++;
        warnx("sector %" PRIu64 ": write %" PRIu64 " instead of %" PRIu64 " to %" PRIu64, sector,
              found, least, most);
    }
    return lost == 0 ? 0 : 1;
}

static int count_main(char **argv)
{
    size_t bytes;
    uint64_t sum = 0;
    struct record *log = map_log(argv[2], &bytes);
    for (uint64_t sector = 0; sector < bytes / sizeof(*log); sector++)
        sum += log[sector].writes;
    printf("%" PRIu64 "\n", sum);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc >= 6 && strcmp(argv[1], "write") == 0)
        return write_main(argv);
    if (argc >= 4 && strcmp(argv[1], "check") == 0)
        return check_main(argv);
    if (argc == 3 && strcmp(argv[1], "count") == 0)
        return count_main(argv);
    errx(2, "usage: acked_writes write LOG FIRST COUNT SEED [WORD...] | check LOG IMAGE [flushed] "
            "| count LOG");
}
