/* SPDX-License-Identifier: MIT */
/*
 * shared_oracle SECONDS SEED [private [torn]]: four domains, each a process with two threads, read,
 * write, discard and flush the same sectors of one disk, overlapping; each read is compared with
 * what the sector may hold. private: reads of every second domain go to Dom0, also where the cache
 * is shared. torn: a sector may be read half old and half new while it is being changed, as a
 * server that goes through the page cache reads it. At the end the disk is read once more. Exit 1:
 * a sector held what it could not.
 *
 * What a sector may hold is a set of changes: those under way, and those that have ended and were
 * not superseded, that is, no write has ended that began after their end. A discard supersedes
 * nothing: the disk may do nothing. A read may find what the set had at its beginning, or what
 * began since. Where nothing was under way meanwhile, the set is what was found.
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "splitdom/blkfront.h"

enum {
    DOMAINS = 4,
    THREADS = 2,
    SECTOR_BYTES = 512,
    WORDS = SECTOR_BYTES / 8,
    SECTORS = 2048,
    HOT_SECTORS = 96, /* most requests are for these: the cache holds them */
    REQUEST_MAX = 300,
    CHANGES = 32,
};

struct change {
    uint64_t id;       /* what the sector's words hold; of a discard they are 0 */
    uint64_t ended_at; /* 0: under way */
    bool is_discard;
};

struct sector {
    uint32_t count, under_way;
    struct change changes[CHANGES];
    uint64_t last_begun_at, last_discard_at; /* changes of this sector */
};

/* In memory that all processes share. */
struct model {
    pthread_mutex_t mutex;
    uint64_t now; /* ticks at each begin and end of a request; ids of changes are its values */
    uint64_t requests, checked;
    bool may_tear; /* constant */
    struct sector sectors[SECTORS];
};

struct thread {
    struct model *model;
    struct blkfront *bf;
    uint64_t random, end_ns;
    uint64_t data[REQUEST_MAX * WORDS];
    struct sector before[REQUEST_MAX];
    pthread_t id;
};

static uint64_t clock_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t random_below(struct thread *t, uint64_t bound)
{
    t->random += 0x9e3779b97f4a7c15u;
    uint64_t x = t->random;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return (x ^ (x >> 31)) % bound;
}

/* Each word says which change it is of, which sector and which word. */
static uint64_t word_of(uint64_t id, uint64_t sector, uint64_t i)
{
    return id << 24 | sector << 8 | i;
}

/* The change that a sector's bytes are of; 0: none, zeros; UINT64_MAX: nothing that was ever
 * written there. */
static uint64_t id_of(const uint64_t *data, uint64_t sector)
{
    uint64_t id = data[0] >> 24;
    for (uint64_t i = 0; i < WORDS; i++) {
        if (data[i] != (id == 0 ? 0 : word_of(id, sector, i)))
            return UINT64_MAX;
    }
    return id;
}

static void begin_change(struct model *model, uint64_t first, uint64_t count, bool is_discard,
                         uint64_t id)
{
    for (uint64_t s = first; s < first + count; s++) {
        struct sector *sector = &model->sectors[s];
        if (sector->count == CHANGES)
            errx(2, "sector %" PRIu64 ": more changes than the model holds", s);
        sector->changes[sector->count++] = (struct change){.id = id, .is_discard = is_discard};
        sector->under_way++;
        sector->last_begun_at = id;
        if (is_discard)
            sector->last_discard_at = id;
    }
}

/* A write has ended that began after their end: they are gone. */
static void supersede(struct sector *sector, uint64_t begun_at)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < sector->count; i++) {
        const struct change *change = &sector->changes[i];
        if (change->ended_at == 0 || change->ended_at > begun_at)
            sector->changes[kept++] = *change;
    }
    sector->count = kept;
}

static void end_change(struct model *model, uint64_t first, uint64_t count, uint64_t id)
{
    uint64_t now = ++model->now;
    for (uint64_t s = first; s < first + count; s++) {
        struct sector *sector = &model->sectors[s];
        bool is_discard = false;
        for (uint32_t i = 0; i < sector->count; i++) {
            if (sector->changes[i].id != id)
                continue;
            sector->changes[i].ended_at = now;
            is_discard = sector->changes[i].is_discard;
        }
        sector->under_way--;
        if (!is_discard)
            supersede(sector, id);
    }
}

static bool may_be(const struct sector *sector, uint64_t found)
{
    for (uint32_t i = 0; i < sector->count; i++) {
        const struct change *change = &sector->changes[i];
        if ((change->is_discard ? 0 : change->id) == found)
            return true;
    }
    return false;
}

static void tell_wrong(const struct sector *before, uint64_t sector, uint64_t found)
{
    fprintf(stderr, "shared_oracle: sector %" PRIu64 " holds %" PRIu64 ", and not one of:", sector,
            found);
    for (uint32_t i = 0; i < before->count; i++)
        fprintf(stderr, " %s%" PRIu64 "%s", before->changes[i].is_discard ? "discard " : "",
                before->changes[i].id, before->changes[i].ended_at == 0 ? " (under way)" : "");
    fprintf(stderr, "; last change begun: %" PRIu64 "\n", before->last_begun_at);
    exit(1);
}

/* Nothing was under way, so the disk holds this alone. */
static void settle(struct sector *sector, uint64_t found)
{
    for (uint32_t i = 0; i < sector->count; i++) {
        if ((sector->changes[i].is_discard ? 0 : sector->changes[i].id) != found)
            continue;
        sector->changes[0] = sector->changes[i];
        sector->count = 1;
        return;
    }
}

/* A read of sector from begun_at on has found data; the set was before. */
static void judge(struct thread *t, uint64_t s, const struct sector *before, uint64_t begun_at,
                  const uint64_t *data)
{
    struct sector *sector = &t->model->sectors[s];
    uint64_t found = id_of(data, s);
    /* A change that began since, wherever it is by now: its id is in the bytes, or they are 0 of a
     * discard. */
    bool began_since = found == 0 ? sector->last_discard_at > begun_at
                                  : found > begun_at && found <= sector->last_begun_at;
    bool was_quiet = before->under_way == 0 && sector->last_begun_at < begun_at;
    bool is_torn = t->model->may_tear && found == UINT64_MAX && !was_quiet;
    if (!may_be(before, found) && !began_since && !is_torn)
        tell_wrong(before, s, found);
    if (was_quiet)
        settle(sector, found);
    t->model->checked++;
}

static void read_and_judge(struct thread *t, uint64_t first, uint64_t count)
{
    struct model *model = t->model;
    pthread_mutex_lock(&model->mutex);
    uint64_t begun_at = ++model->now;
    memcpy(t->before, &model->sectors[first], count * sizeof(t->before[0]));
    pthread_mutex_unlock(&model->mutex);
    int rc = blkfront_read(t->bf, first, (uint32_t)count, t->data);
    if (rc < 0)
        errx(1, "read: %s", strerror(-rc));
    pthread_mutex_lock(&model->mutex);
    model->requests++;
    for (uint64_t i = 0; i < count; i++)
        judge(t, first + i, &t->before[i], begun_at, &t->data[i * WORDS]);
    pthread_mutex_unlock(&model->mutex);
}

/* Whether all sectors have room for one more discard: nothing but a write makes it smaller. */
static bool has_room(const struct model *model, uint64_t first, uint64_t count)
{
    for (uint64_t s = first; s < first + count; s++) {
        if (model->sectors[s].count > 3)
            return false;
    }
    return true;
}

static void change(struct thread *t, uint64_t first, uint64_t count, bool is_discard)
{
    struct model *model = t->model;
    pthread_mutex_lock(&model->mutex);
    if (is_discard && !has_room(model, first, count)) {
        pthread_mutex_unlock(&model->mutex);
        return;
    }
    uint64_t id = ++model->now;
    begin_change(model, first, count, is_discard, id);
    pthread_mutex_unlock(&model->mutex);
    for (uint64_t i = 0; i < count * WORDS; i++)
        t->data[i] = word_of(id, first + i / WORDS, i % WORDS);
    int rc = is_discard ? blkfront_discard(t->bf, first, count)
                        : blkfront_write(t->bf, first, (uint32_t)count, t->data);
    if (rc < 0 && (rc != -EOPNOTSUPP || !is_discard))
        errx(1, "%s: %s", is_discard ? "discard" : "write", strerror(-rc));
    pthread_mutex_lock(&model->mutex);
    end_change(model, first, count, id);
    model->requests++;
    pthread_mutex_unlock(&model->mutex);
}

static void *thread_main(void *arg)
{
    struct thread *t = arg;
    while (clock_ns() < t->end_ns) {
        uint64_t dice = random_below(t, 100);
        uint64_t range = random_below(t, 10) < 7 ? HOT_SECTORS : SECTORS;
        uint64_t most = random_below(t, 32) == 0 ? REQUEST_MAX : 16;
        uint64_t first = random_below(t, range);
        uint64_t count = 1 + random_below(t, most);
        count = count < SECTORS - first ? count : SECTORS - first;
        int rc = 0;
        if (dice < 55)
            read_and_judge(t, first, count);
        else if (dice < 96)
            change(t, first, count, dice >= 90);
        else
            rc = blkfront_flush(t->bf);
        if (rc < 0)
            errx(1, "flush: %s", strerror(-rc));
    }
    return NULL;
}

static struct blkfront *connect_disk(bool is_private)
{
    struct blkfront *bf;
    struct blkfront_error why;
    struct blkfront_options options = {.size = sizeof(options),
                                       .sectors_per_request = 256,
                                       .depth = 4,
                                       .no_shared_cache = is_private};
    if (blkfront_connect(&options, &bf, &why) < 0)
        errx(1, "%s", why.text);
    return bf;
}

static void begin_thread(struct thread *t, void *(*run)(void *))
{
    if (pthread_create(&t->id, NULL, run, t) != 0)
        errx(2, "no thread");
}

static int domain_main(struct model *model, uint64_t seed, uint64_t seconds, bool is_private)
{
    struct blkfront *bf = connect_disk(is_private);
    struct thread *threads = calloc(THREADS, sizeof(*threads));
    if (threads == NULL)
        err(2, "memory");
    for (uint64_t i = 0; i < THREADS; i++) {
        threads[i].model = model;
        threads[i].bf = bf;
        threads[i].random = seed * 1000 + i;
        threads[i].end_ns = clock_ns() + seconds * 1000000000u;
        begin_thread(&threads[i], thread_main);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i].id, NULL);
    free(threads);
    blkfront_close(bf);
    return 0;
}

/* What the disk holds when all is done, as a domain of its own and past any cache of another. */
static int last_look(struct model *model)
{
    struct thread *t = calloc(1, sizeof(*t));
    if (t == NULL)
        err(2, "memory");
    t->model = model;
    t->bf = connect_disk(true);
    for (uint64_t first = 0; first < SECTORS; first += 256)
        read_and_judge(t, first, 256);
    blkfront_close(t->bf);
    free(t);
    printf("%" PRIu64 " requests, %" PRIu64 " sectors compared\n", model->requests, model->checked);
    return 0;
}

static struct model *new_model(void)
{
    pthread_mutexattr_t shared;
    struct model *model =
        mmap(NULL, sizeof(*model), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (model == MAP_FAILED)
        err(2, "memory");
    pthread_mutexattr_init(&shared);
    pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&model->mutex, &shared);
    model->now = 1;
    for (uint64_t s = 0; s < SECTORS; s++) { /* an empty image, as if it had been discarded */
        model->sectors[s].changes[0] = (struct change){.id = 1, .ended_at = 1, .is_discard = true};
        model->sectors[s].count = 1;
    }
    return model;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        errx(2, "usage: shared_oracle SECONDS SEED [private [torn]]");
    struct model *model = new_model();
    model->may_tear = argc > 4;
    uint64_t seconds = strtoull(argv[1], NULL, 10), seed = strtoull(argv[2], NULL, 10);
    int status, worst = 0;
    for (uint64_t i = 0; i < DOMAINS; i++) {
        pid_t pid = fork();
        if (pid < 0)
            err(2, "fork");
        if (pid == 0)
            exit(domain_main(model, seed * 10 + i, seconds, argc > 3 && i % 2 == 1));
    }
    for (int i = 0; i < DOMAINS; i++) {
        if (wait(&status) < 0 || !WIFEXITED(status))
            worst = 2;
        else if (WEXITSTATUS(status) > worst)
            worst = WEXITSTATUS(status);
        if (worst > 0) { /* another may wait for a mutex that the dead one holds */
            signal(SIGTERM, SIG_IGN);
            kill(0, SIGTERM);
        }
    }
    return worst > 0 ? worst : last_look(model);
}
