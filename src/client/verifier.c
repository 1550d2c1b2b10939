/* SPDX-License-Identifier: MIT */
#include "client/verifier.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/prng.h"

enum { CHUNK_SECTORS = 4096, WORDS = VERIFIER_SECTOR_BYTES / sizeof(uint64_t), HEAD_WORDS = 4 };

static const uint64_t magic = UINT64_C(0x6d6f6474696c7073); /* "splitdom" */

/* A sector that was written. Numbers of writes; 0: none. */
struct sector_state {
    uint64_t floor;  /* the oldest write that may be the last one of those answered */
    uint64_t newest; /* begun */
};

/* Writes of a sector that are under way, or were while another of them still was. */
struct sector_group {
    uint64_t oldest;
    uint16_t in_flight;
    bool failed; /* one of them: so what was there before may be there still */
};

struct chunk {
    struct sector_state state[CHUNK_SECTORS];
    struct sector_group group[CHUNK_SECTORS];
};

struct verifier {
    uint64_t seed, last_sector;
    pthread_mutex_t lock; /* for the rest */
    uint64_t number;      /* of the last write */
    struct chunk **chunks;
};

int verifier_create(uint64_t last_sector, uint64_t seed, struct verifier **out)
{
    struct verifier *verifier = calloc(1, sizeof(*verifier));

    *out = NULL;
    if (verifier == NULL)
        return -ENOMEM;
    verifier->chunks = calloc(last_sector / CHUNK_SECTORS + 1, sizeof(struct chunk *));
    if (verifier->chunks == NULL) {
        free(verifier);
        return -ENOMEM;
    }
    verifier->seed = seed;
    verifier->last_sector = last_sector;
    pthread_mutex_init(&verifier->lock, NULL);
    *out = verifier;
    return 0;
}

void verifier_free(struct verifier *verifier)
{
    if (verifier == NULL)
        return;
    for (uint64_t i = 0; i <= verifier->last_sector / CHUNK_SECTORS; i++)
        free(verifier->chunks[i]);
    free(verifier->chunks);
    pthread_mutex_destroy(&verifier->lock);
    free(verifier);
}

static void fill(uint64_t seed, uint64_t sector, uint64_t number, uint64_t word[WORDS])
{
    uint64_t state = seed ^ sector * UINT64_C(0x9e3779b97f4a7c15) ^ number << 32;

    word[0] = magic;
    word[1] = seed;
    word[2] = sector;
    word[3] = number;
    for (uint32_t i = HEAD_WORDS; i < WORDS; i++)
        word[i] = prng_splitmix64(&state);
}

static struct chunk *chunk_of(const struct verifier *verifier, uint64_t sector)
{
    return verifier->chunks[sector / CHUNK_SECTORS];
}

/* With the lock held. */
static int make_chunks(struct verifier *verifier, uint64_t sector, uint32_t sector_count)
{
    uint64_t last = (sector + sector_count - 1) / CHUNK_SECTORS;

    for (uint64_t i = sector / CHUNK_SECTORS; i <= last; i++) {
        if (verifier->chunks[i] == NULL)
            verifier->chunks[i] = calloc(1, sizeof(struct chunk));
        if (verifier->chunks[i] == NULL)
            return -ENOMEM;
    }
    return 0;
}

static void begin_sector(struct chunk *chunk, uint32_t i, uint64_t number)
{
    struct sector_group *group = &chunk->group[i];

    if (group->in_flight == 0)
        *group = (struct sector_group){.oldest = number};
    group->in_flight++;
    chunk->state[i].newest = number;
}

static void end_sector(struct chunk *chunk, uint32_t i, bool done)
{
    struct sector_group *group = &chunk->group[i];

    group->in_flight--;
    group->failed = group->failed || !done;
    if (group->in_flight == 0 && !group->failed)
        chunk->state[i].floor = group->oldest;
}

int verifier_begin_write(struct verifier *verifier, uint64_t sector, uint32_t sector_count,
                         void *data)
{
    pthread_mutex_lock(&verifier->lock);
    int rc = make_chunks(verifier, sector, sector_count);
    uint64_t number = ++verifier->number;
    for (uint64_t s = sector; rc == 0 && s < sector + sector_count; s++)
        begin_sector(chunk_of(verifier, s), (uint32_t)(s % CHUNK_SECTORS), number);
    pthread_mutex_unlock(&verifier->lock);
    for (uint32_t i = 0; rc == 0 && i < sector_count; i++) {
        uint64_t word[WORDS];
        fill(verifier->seed, sector + i, number, word);
        memcpy((uint8_t *)data + (size_t)i * VERIFIER_SECTOR_BYTES, word, sizeof(word));
    }
    return rc;
}

void verifier_end_write(struct verifier *verifier, uint64_t sector, uint32_t sector_count,
                        bool done)
{
    pthread_mutex_lock(&verifier->lock);
    for (uint64_t s = sector; s < sector + sector_count; s++)
        end_sector(chunk_of(verifier, s), (uint32_t)(s % CHUNK_SECTORS), done);
    pthread_mutex_unlock(&verifier->lock);
}

/* With the lock held. */
static struct sector_state state_of(const struct verifier *verifier, uint64_t sector)
{
    const struct chunk *chunk = chunk_of(verifier, sector);

    return chunk != NULL ? chunk->state[sector % CHUNK_SECTORS] : (struct sector_state){0};
}

static struct verifier_before before_of(const struct verifier *verifier, uint64_t sector)
{
    const struct sector_state state = state_of(verifier, sector);
    const struct chunk *chunk = chunk_of(verifier, sector);

    return (struct verifier_before){.floor = state.floor,
                                    .newest = state.newest,
                                    .busy = chunk != NULL &&
                                            chunk->group[sector % CHUNK_SECTORS].in_flight > 0};
}

void verifier_begin_read(struct verifier *verifier, uint64_t sector, uint32_t sector_count,
                         struct verifier_before *before)
{
    pthread_mutex_lock(&verifier->lock);
    for (uint32_t i = 0; i < sector_count; i++)
        before[i] = before_of(verifier, sector + i);
    pthread_mutex_unlock(&verifier->lock);
}

/* What is wrong with a sector of which write floor or a later one, up to newest, must be there;
 * NULL: nothing. */
static const char *judge(const struct verifier *verifier, uint64_t sector,
                         const uint64_t found[WORDS], uint64_t floor, uint64_t newest)
{
    uint64_t expected[WORDS];

    if (found[0] != magic)
        return floor > 0 ? "no pattern" : NULL;
    fill(found[1], found[2], found[3], expected);
    if (memcmp(found, expected, sizeof(expected)) != 0)
        return "a torn pattern";
    if (found[2] != sector)
        return "the pattern of another sector";
    if (floor == 0)
        return NULL; /* of an earlier run, perhaps */
    if (found[1] != verifier->seed)
        return "the pattern of another run";
    if (found[3] < floor)
        return "an older write";
    return found[3] > newest ? "a write that has not begun" : NULL;
}

int verifier_end_read(struct verifier *verifier, uint64_t sector, uint32_t sector_count,
                      const struct verifier_before *before, const void *data,
                      struct verifier_mismatch *mismatch)
{
    for (uint32_t i = 0; i < sector_count; i++) {
        uint64_t found[WORDS];
        memcpy(found, (const uint8_t *)data + (size_t)i * VERIFIER_SECTOR_BYTES, sizeof(found));
        pthread_mutex_lock(&verifier->lock);
        struct sector_state state = state_of(verifier, sector + i);
        pthread_mutex_unlock(&verifier->lock);
        if (before[i].busy || state.newest != before[i].newest)
            continue;
        const char *wrong = judge(verifier, sector + i, found, before[i].floor, state.newest);
        if (wrong == NULL)
            continue;
        mismatch->sector = sector + i;
        snprintf(mismatch->text, sizeof(mismatch->text),
                 "%s (sector %" PRIu64 ", write %" PRIu64 "); expected write %" PRIu64 "..%" PRIu64,
                 wrong, found[0] == magic ? found[2] : 0, found[0] == magic ? found[3] : 0,
                 before[i].floor, state.newest);
        return -EILSEQ;
    }
    return 0;
}

uint32_t verifier_written(struct verifier *verifier, uint64_t sector, uint32_t max, uint64_t *first)
{
    uint32_t count = 0;

    pthread_mutex_lock(&verifier->lock);
    while (sector <= verifier->last_sector && count < max) {
        bool written = state_of(verifier, sector).newest > 0;
        if (!written && count > 0)
            break;
        if (written && count++ == 0)
            *first = sector;
        sector = chunk_of(verifier, sector) == NULL ? (sector / CHUNK_SECTORS + 1) * CHUNK_SECTORS
                                                    : sector + 1;
    }
    pthread_mutex_unlock(&verifier->lock);
    return count;
}
