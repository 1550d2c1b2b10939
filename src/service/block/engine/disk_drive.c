/* SPDX-License-Identifier: MIT */
#include "service/block/engine/disk_drive.h"

#include <stddef.h>

/* Angles: this many to a sector's width, which makes rpm * sectors_per_track of them a nanosecond:
 * 60e9 ns are rpm turns. */
#define NS_PER_MINUTE UINT64_C(60000000000)

static const struct disk_drive_parameters drives[] = {
    {.name = "hp97560",
     .rpm = 4002,
     .sectors_per_track = 72,
     .tracks_per_cylinder = 19,
     .cylinders = 1962,
     .track_skew = 8,
     .cylinder_skew = 18,
     .controller_ns = 2200000,
     .track_switch_ns = 1600000,
     .short_cylinders = 383,
     .short_ns = 3240000,
     .short_root_ns = 400000,
     .long_ns = 8000000,
     .long_step_ns = 8000},
};

const struct disk_drive_parameters *disk_drive_at(uint32_t index)
{
    return index < sizeof(drives) / sizeof(drives[0]) ? &drives[index] : NULL;
}

/* The largest whole number whose square is not above it. */
static uint64_t square_root(uint64_t square)
{
    uint64_t root = 0;
    for (uint64_t bit = UINT64_C(1) << 31; bit != 0; bit >>= 1) {
        if ((root + bit) * (root + bit) <= square)
            root += bit;
    }
    return root;
}

static uint64_t seek_ns(const struct disk_drive_parameters *p, uint64_t distance)
{
    if (distance > p->short_cylinders)
        return p->long_ns + p->long_step_ns * distance;
    return p->short_ns + square_root((uint64_t)p->short_root_ns * p->short_root_ns * distance);
}

/* From the track where the arm and the head are to another one. */
static uint64_t move_ns(const struct disk_drive_parameters *p, uint64_t from, uint64_t to)
{
    uint64_t from_cylinder = from / p->tracks_per_cylinder;
    uint64_t to_cylinder = to / p->tracks_per_cylinder;
    if (from_cylinder != to_cylinder)
        return seek_ns(p, from_cylinder < to_cylinder ? to_cylinder - from_cylinder
                                                      : from_cylinder - to_cylinder);
    return from != to ? p->track_switch_ns : 0;
}

/* By how much a track's sectors are turned against those of the first one. */
static uint32_t skew_of(const struct disk_drive_parameters *p, uint64_t track)
{
    uint64_t cylinder = track / p->tracks_per_cylinder;
    uint64_t in_cylinder = track % p->tracks_per_cylinder;
    uint64_t each = (p->tracks_per_cylinder - 1) * (uint64_t)p->track_skew + p->cylinder_skew;
    return (uint32_t)((cylinder % p->sectors_per_track * each + in_cylinder * p->track_skew) %
                      p->sectors_per_track);
}

/* When, at now_ns or after it, the sector begins under its head, and then count of them are over.
 */
static uint64_t transfer(const struct disk_drive_parameters *p, uint64_t now_ns, uint64_t track,
                         uint32_t sector, uint32_t count)
{
    const uint64_t turn = NS_PER_MINUTE * p->sectors_per_track;
    const uint64_t per_ns = (uint64_t)p->rpm * p->sectors_per_track;
    /* rpm turns a minute: whole minutes leave the angle what it was. */
    uint64_t angle = now_ns % NS_PER_MINUTE * per_ns % turn;
    uint64_t wanted = (uint64_t)(sector + skew_of(p, track)) % p->sectors_per_track * NS_PER_MINUTE;
    uint64_t wait = (wanted + turn - angle) % turn;
    return now_ns + (wait + count * NS_PER_MINUTE + per_ns - 1) / per_ns;
}

uint64_t disk_drive_serve(struct disk_drive *drive, uint64_t begin_ns, uint64_t sector,
                          uint32_t sector_count)
{
    const struct disk_drive_parameters *p = drive->parameters;
    uint64_t now_ns = begin_ns + p->controller_ns;
    while (sector_count > 0) {
        uint64_t track = sector / p->sectors_per_track;
        uint32_t first = (uint32_t)(sector % p->sectors_per_track);
        uint32_t count = p->sectors_per_track - first;
        if (count > sector_count)
            count = sector_count;
        now_ns = transfer(p, now_ns + move_ns(p, drive->track, track), track, first, count);
        drive->track = track;
        sector += count;
        sector_count -= count;
    }
    return now_ns;
}
