/* SPDX-License-Identifier: MIT */
/*
 * exports: a domain and its disks, as a server of disks hands them out by name: an export is a
 * disk, its name the disk's (vdev.h), and "" the first. One domain for the whole process;
 * connections to the same export share its disk, so that a flush of one covers the writes of all.
 *
 * A disk is open while it has users. All functions from any thread but exports_close.
 */
#ifndef SPLITDOM_BRIDGE_EXPORTS_H
#define SPLITDOM_BRIDGE_EXPORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/why.h"
#include "bridge/export_spec.h"
#include "splitdom/blkfront.h"
#include "splitdom/domu.h"

enum {
    EXPORTS_MAX = 16,
    EXPORTS_DEPTH = 64,
    EXPORTS_CLOSE_MS = 1000,
    EXPORTS_REQUEST_SECTORS = 256, /* 128 KiB on the ring: 8 MiB of memory for a disk */
    EXPORTS_REQUEST_SECTORS_MIN = 8,
    EXPORTS_MEMORY_SECTORS = 32768, /* 16 MiB for the requests of all disks together */
};

struct exports_options {
    struct domu_options domain; /* without size and pages, which follow from the disks */
    uint32_t depth;             /* requests at a time of each disk; 0: EXPORTS_DEPTH */
    uint32_t queues;            /* rings of each disk, each of that depth; 0: 1 */
    uint32_t disk_count;        /* 0: xvda alone */
    struct export_spec disks[EXPORTS_MAX];
};

struct exports;

/*
 * Becomes a domain, and opens each disk once, so that what is missing is known at once. On success
 * *out is the caller's (exports_close). Errors: those of domu_open and blkfront_open, with the line
 * in why; -EEXIST a disk is named twice; -EROFS one is read-only that is to be written.
 */
int exports_open(const struct exports_options *options, struct exports **out, struct why *why);
/* Ends the domain; no disk has users any more. NULL is allowed. */
void exports_close(struct exports *exports);

/* Has any disk users? */
bool exports_are_used(struct exports *exports);

uint32_t exports_count(const struct exports *exports);
/* The name of an export, 0..count - 1; valid until exports_close. */
const char *exports_name(const struct exports *exports, uint32_t index);

/*
 * Opens the export of that name, or shares its disk with those who have it. Each success is made up
 * for by one exports_release. Errors: -ENOENT there is none of that name; -EROFS the disk is
 * read-only, and is to be written; those of blkfront_open.
 */
int exports_acquire(struct exports *exports, const char *name, struct blkfront **out,
                    struct why *why);
void exports_release(struct exports *exports, struct blkfront *bf);

/* What clients are told of an acquired disk: blkfront_geometry, read-only where that was asked for.
 * The bridge keeps to that: the disk itself takes writes. Errors: those of blkfront_geometry. */
int exports_geometry(struct exports *exports, struct blkfront *bf, struct blkfront_geometry *out);

/* The process is to end: releasing disks takes EXPORTS_CLOSE_MS from now on at most, all together,
 * also where Dom0 is stopped (domu_hurry). */
void exports_hurry(struct exports *exports);

/* A descriptor that is readable once the domain is of no use any more (domu_fd), and the reason. */
int exports_failure_fd(struct exports *exports);
const char *exports_failure(struct exports *exports);

#endif
