/* SPDX-License-Identifier: MIT */
/*
 * disk_drive: how long a disk with one arm and turning platters takes: seek, rotation, transfer.
 *
 * What a request costs depends on where the arm stands and which sector is under the heads when it
 * gets there. No limit of a rate can stand for that: DieCast (Gupta et al., NSDI 2008) found that a
 * disk is not scaled by scaling its throughput.
 *
 * Parameters of the HP 97560, a SCSI-II drive of 1.37 GB: C. Ruemmler, J. Wilkes: An Introduction
 * to Disk Drive Modeling, IEEE Computer 27 (3), 1994, pages 17 to 28; with track switch and
 * controller overhead as D. Kotz, S. B. Toh, S. Radhakrishnan: A Detailed Simulation Model of the
 * HP 97560 Disk Drive, Dartmouth PCS-TR94-220, 1994, has them.
 *
 *   rotation             4002 rpm: 14.9925 ms a turn
 *   a track              72 sectors of 512 bytes
 *   a cylinder           19 tracks; 1962 cylinders
 *   skew                 8 sectors from track to track, 18 from cylinder to cylinder
 *   seek over d cylinders    3.24 ms + 0.4 ms * sqrt(d) up to 383, from there 8 ms + 0.008 ms * d
 *   another track of the cylinder   1.6 ms
 *   controller           2.2 ms a request, before the arm moves
 *   buffer               128 KiB
 *   SCSI-II bus          10 MB/s: 51.2 us a sector
 *
 * The buffer. After a read the heads read on, from track to track, until another request takes them
 * away or 128 KiB are read that nobody has asked for. A read that begins with a sector which the
 * buffer has, or which comes next, is served by this stream: what is there at once, the rest as it
 * passes the heads. Any other read begins a stream of its own. Data crosses the bus as it comes: a
 * read is over when its last sector has, and a write may begin when its first has. A write takes
 * the buffer for itself: what was read ahead is forgotten.
 *
 * Not modelled: that a write may be answered when the buffer has it (immediate reporting, which
 * these drives let one turn off); the fence of 64 KiB that data gathers to before it takes the bus;
 * several segments in the buffer, for several streams; other devices on the bus; spare sectors. An
 * image larger than the drive has more cylinders of the same kind.
 *
 * Exact: angles are whole numbers, with as many to a turn as makes both a nanosecond and a sector a
 * whole number of them, and square roots are those of whole numbers. So the same arrivals have the
 * same ends on each machine.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_ENGINE_DISK_DRIVE_H
#define SPLITDOM_SERVICE_BLOCK_ENGINE_DISK_DRIVE_H

#include <stdbool.h>
#include <stdint.h>

struct disk_drive_parameters {
    const char *name;
    uint32_t rpm;
    uint32_t sectors_per_track, tracks_per_cylinder, cylinders;
    uint32_t track_skew, cylinder_skew; /* sectors */
    uint32_t controller_ns;             /* of a request */
    uint32_t track_switch_ns;
    /* Seek over distance cylinders, 1 or more: short_ns + short_root_ns * sqrt(distance) up to
     * short_cylinders, then long_ns + long_step_ns * distance. */
    uint32_t short_cylinders, short_ns, short_root_ns, long_ns, long_step_ns;
    uint32_t buffer_sectors, bus_sector_ns;
};

/* The drives that there are, from index 0 on; NULL: there are no more. */
const struct disk_drive_parameters *disk_drive_at(uint32_t index);

/* Zeroed but for parameters: its arm is at the first sector's track, at time 0 that sector begins
 * under the heads, and its buffer is empty. */
struct disk_drive {
    const struct disk_drive_parameters *parameters;
    uint64_t track; /* where the arm and the head are, counted from the first sector's; not valid
                       while it reads ahead */
    bool reads_ahead;
    /* The buffer has the sectors from held on, up to next; it is full when next is full. */
    uint64_t held, next, full;
    uint64_t base, base_ns; /* the heads read from this sector on, since then */
};

/* The drive begins to read, or to write, sector_count sectors from sector on (0: nothing that moves
 * the arm) at begin_ns, which is not before the end of the last request, and is over with them at
 * the time that is returned. */
uint64_t disk_drive_serve(struct disk_drive *drive, uint64_t begin_ns, bool reads, uint64_t sector,
                          uint32_t sector_count);

#endif
