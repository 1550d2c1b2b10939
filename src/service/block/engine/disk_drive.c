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
     .long_step_ns = 8000,
     .buffer_sectors = 256,
     .bus_sector_ns = 51200},
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

static uint64_t track_of(const struct disk_drive *drive, uint64_t sector)
{
    return sector / drive->parameters->sectors_per_track;
}

/* When count sectors from base on, all of one track, have passed the heads. */
static uint64_t passed_ns(const struct disk_drive *drive, uint64_t count)
{
    const struct disk_drive_parameters *p = drive->parameters;
    return transfer(p, drive->base_ns, track_of(drive, drive->base),
                    (uint32_t)(drive->base % p->sectors_per_track), (uint32_t)count);
}

/* The heads read from the sector on, which is where they go at now_ns. Within a track all times are
 * counted from one beginning, or the next sector would be gone by what the last one's was rounded
 * up. */
static void begin_at(struct disk_drive *drive, uint64_t now_ns, uint64_t from_track,
                     uint64_t sector)
{
    drive->base = drive->next = sector;
    drive->base_ns = now_ns + move_ns(drive->parameters, from_track, track_of(drive, sector));
}

/* The heads read on as far as end, or as what is over by until_ns. Returns when the last sector
 * before end was over, if that was read now. */
static uint64_t read_on(struct disk_drive *drive, uint64_t end, uint64_t until_ns)
{
    const uint64_t per_track = drive->parameters->sectors_per_track;
    const uint64_t buffer = drive->parameters->buffer_sectors;
    uint64_t over_ns = 0;
    while (drive->next < end) {
        uint64_t track = track_of(drive, drive->next);
        if (track != track_of(drive, drive->base))
            begin_at(drive, passed_ns(drive, drive->next - drive->base), track - 1, drive->next);
        uint64_t last = (track + 1) * per_track < end ? (track + 1) * per_track : end;
        over_ns = passed_ns(drive, last - drive->base);
        bool is_late = over_ns > until_ns;
        while (last > drive->next && passed_ns(drive, last - drive->base) > until_ns)
            last--;
        drive->next = last;
        if (is_late)
            break;
    }
    if (drive->next > drive->held + buffer)
        drive->held = drive->next - buffer;
    return over_ns;
}

/* Where the heads are. */
static uint64_t track_at(const struct disk_drive *drive, uint64_t now_ns)
{
    if (!drive->reads_ahead)
        return drive->track;
    uint64_t track = track_of(drive, drive->base);
    return drive->base_ns > now_ns && track > 0 ? track - 1 : track; /* still on their way */
}

static uint64_t read_sectors(struct disk_drive *drive, uint64_t now_ns, uint64_t sector,
                             uint32_t count)
{
    const struct disk_drive_parameters *p = drive->parameters;
    const uint64_t end = sector + count;
    uint64_t on_bus_ns = now_ns + (uint64_t)count * p->bus_sector_ns;
    bool hit = drive->reads_ahead && sector >= drive->held && sector <= drive->next;
    if (!hit) {
        begin_at(drive, now_ns, track_at(drive, now_ns), sector);
        drive->held = sector;
    } else if (drive->next == drive->full && end + p->buffer_sectors > drive->full) {
        begin_at(drive, now_ns, track_of(drive, drive->next - 1), drive->next); /* it stood still */
    }
    drive->reads_ahead = true;
    if (!hit || end + p->buffer_sectors > drive->full)
        drive->full = end + p->buffer_sectors;
    if (drive->next >= end)
        return on_bus_ns;
    uint64_t last_ns = read_on(drive, end, UINT64_MAX) + p->bus_sector_ns;
    return last_ns > on_bus_ns ? last_ns : on_bus_ns;
}

static uint64_t write_sectors(struct disk_drive *drive, uint64_t now_ns, uint64_t sector,
                              uint32_t count)
{
    const struct disk_drive_parameters *p = drive->parameters;
    uint64_t first_ns = now_ns + p->bus_sector_ns; /* what is to be written is there */
    drive->track = track_at(drive, now_ns);
    drive->reads_ahead = false;
    begin_at(drive, now_ns, drive->track, sector);
    if (drive->base_ns < first_ns)
        drive->base_ns = first_ns;
    drive->held = sector; /* of nothing */
    uint64_t over_ns = read_on(drive, sector + count, UINT64_MAX);
    drive->track = track_of(drive, sector + count - 1);
    return over_ns;
}

uint64_t disk_drive_serve(struct disk_drive *drive, uint64_t begin_ns, bool reads, uint64_t sector,
                          uint32_t sector_count)
{
    uint64_t now_ns = begin_ns + drive->parameters->controller_ns;
    if (drive->reads_ahead)
        (void)read_on(drive, drive->full, now_ns);
    if (sector_count == 0)
        return now_ns;
    return reads ? read_sectors(drive, now_ns, sector, sector_count)
                 : write_sectors(drive, now_ns, sector, sector_count);
}
