/* SPDX-License-Identifier: MIT */
/*
 * verifier: what a client has written where, and whether a disk gives it back.
 *
 * Each write has a number of its own, counted up. Every sector that it writes holds the seed, its
 * own place on the disk, the number of the write, and 480 bytes that follow from these three: a
 * sector of another place, of an older write or torn in the middle is recognised.
 *
 * What a read finds: of the writes to a sector that were answered before the read began, the last
 * one. A read beside which a write of the sector was under way is not judged: a disk may give it a
 * part of both (splitdom/blkfront.h: order). Of writes to a sector that were
 * under way together any may be the last. A write that failed may be there or not. Of a sector that
 * was never written nothing is known, except that no pattern is torn or misplaced.
 *
 * Any thread. Memory: 32 bytes for each sector of the neighbourhoods that are written.
 */
#ifndef SPLITDOM_CLIENT_VERIFIER_H
#define SPLITDOM_CLIENT_VERIFIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VERIFIER_SECTOR_BYTES = 512 };

struct verifier;

struct verifier_mismatch {
    uint64_t sector;
    char text[160]; /* what was found, and what should have been */
};

/* For a disk whose last sector is last_sector. Errors: -ENOMEM. */
int verifier_create(uint64_t last_sector, uint64_t seed, struct verifier **out);
void verifier_free(struct verifier *verifier); /* NULL allowed */

/* Before a write of sector_count sectors: fills data. Errors: -ENOMEM, and nothing is noted: the
 * write must not be done. */
int verifier_begin_write(struct verifier *verifier, uint64_t sector, uint32_t sector_count,
                         void *data);
/* After it: done tells whether it was answered as done. */
void verifier_end_write(struct verifier *verifier, uint64_t sector, uint32_t sector_count,
                        bool done);

/* What is known of a sector when a read begins. */
struct verifier_before {
    uint64_t floor, newest; /* numbers of writes: the oldest that may be there, the last begun */
    bool busy;              /* one is under way */
};

/* Before a read: notes what it has to find, for each of the sectors. */
void verifier_begin_read(struct verifier *verifier, uint64_t sector, uint32_t sector_count,
                         struct verifier_before *before);
/* After it. Errors: -EILSEQ, and *mismatch says of the first sector what is wrong with it. */
int verifier_end_read(struct verifier *verifier, uint64_t sector, uint32_t sector_count,
                      const struct verifier_before *before, const void *data,
                      struct verifier_mismatch *mismatch);

/* The next run of sectors that were written, at or after sector, of at most max. Returns how many;
 * 0: there is none. */
uint32_t verifier_written(struct verifier *verifier, uint64_t sector, uint32_t max,
                          uint64_t *first);

#endif
