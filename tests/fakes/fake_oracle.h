/* SPDX-License-Identifier: MIT */
/*
 * fake_oracle: what each sector of a disk may hold, while any number of writes, discards and reads
 * are under way at the same time.
 *
 * A sector holds one 64-bit word over and over that names the change and the sector, or zeros. When
 * a change is answered, whatever had ended before that change began is gone; when a read brings
 * what a change has written, likewise. Of changes that were under way together each sector is as
 * any one of them left it.
 */
#ifndef SPLITDOM_TESTS_FAKE_ORACLE_H
#define SPLITDOM_TESTS_FAKE_ORACLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "service/block/engine/sector.h"

enum {
    ORACLE_VALUES_MAX = 64,
    ORACLE_ZEROS = 0, /* the number of a change that leaves zeros */
    ORACLE_WORDS = BLOCK_SECTOR_BYTES / sizeof(uint64_t),
};

struct oracle_value {
    uint64_t number;
    uint64_t begun, ended; /* UINT64_MAX: it has not */
    bool answered;         /* without an error; it may still be lost */
};

struct oracle_sector {
    struct oracle_value value[ORACLE_VALUES_MAX];
    uint32_t count;
};

struct oracle {
    struct oracle_sector *sector;
    uint64_t sector_count;
    uint64_t now; /* counts what begins and ends */
    struct list reads;
};

/* Embedded in the test's request. */
struct oracle_change {
    uint64_t first, end; /* sectors */
    uint64_t number;
    uint64_t begun;
};

struct oracle_read {
    uint64_t first, end;
    struct oracle_sector *was; /* the test's memory, for as many sectors */
    struct list_node of_oracle;
};

/* All sectors hold what the change of this number left. Aborts when out of memory. */
void oracle_init(struct oracle *oracle, uint64_t sector_count, uint64_t number);
void oracle_fini(struct oracle *oracle);

/* What a sector holds that was written by the change of this number; and a whole span of it. */
static inline uint64_t oracle_word(uint64_t number, uint64_t sector)
{
    return number == ORACLE_ZEROS ? 0 : number << 16 | sector;
}
void oracle_fill(void *bytes, uint64_t number, uint64_t sector, uint64_t sector_count);

/* Whether one more change of these sectors can be known. */
bool oracle_has_room(const struct oracle *oracle, uint64_t first, uint64_t end);
/* first, end and number of the change are set: it may have its effect from now on. */
void oracle_begin_change(struct oracle *oracle, struct oracle_change *change);
/* It can't any more. Not succeeded: it may or may not have had it, for each sector. */
void oracle_end_change(struct oracle *oracle, const struct oracle_change *change, bool succeeded);
/* Of a disk that may lose power: the change was answered, and may be lost before a flush. */
void oracle_answer_change(struct oracle *oracle, const struct oracle_change *change);
/* A flush was answered: what was by then (oracle.now when it was asked for) lasts. */
void oracle_flush(struct oracle *oracle, uint64_t then);
/* Power was lost, and nothing is under way: that is what the sector holds. Returns whether it may.
 */
bool oracle_settle(struct oracle *oracle, uint64_t sector, const void *bytes);
/* first, end and was of the read are set. */
void oracle_begin_read(struct oracle *oracle, struct oracle_read *read);
/* bytes: what it brought; NULL: nothing. Returns the first sector that is wrong or torn, or
 * UINT64_MAX. */
uint64_t oracle_end_read(struct oracle *oracle, struct oracle_read *read, const void *bytes);
/* Whether a sector may hold that while nothing is under way. */
bool oracle_allows(const struct oracle *oracle, uint64_t sector, const void *bytes);

#endif
