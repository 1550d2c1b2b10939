/* SPDX-License-Identifier: MIT */
/*
 * vbd_session: a domain with any number of its disks at the disposal of a script. Reads commands
 * from stdin, a line each, and answers each with a line, "error: ..." if it failed:
 *   open DEVID               opens a disk, by Xen's number
 *   close DEVID
 *   read DEVID SECTOR        the sector's first 8 bytes in hexadecimal
 *   write DEVID SECTOR BYTE  fills the sector with the byte, two hexadecimal digits
 *   lose DEVID               reads on until that fails, then closes: "lost after N reads"
 *   load DEVID               a thread reads from now on, until the end
 *   loads                    "N reads, M errors" of that thread, since the last time
 * Begins with a line "domain DOMID"; ends at the end of stdin.
 */
#include <err.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "splitdom/blkfront.h"

enum { DISKS_MAX = 8, SECTOR_BYTES = 512, LOAD_SECTORS = 1000 };

struct disk {
    uint32_t devid; /* 0: a free place */
    struct blkfront *bf;
};

struct session {
    struct domu *domu;
    struct disk disks[DISKS_MAX];
    struct blkfront *loaded;
    pthread_t loader;
    atomic_bool ends;
    atomic_ullong reads, errors;
};

static struct disk *find(struct session *s, uint32_t devid)
{
    for (int i = 0; i < DISKS_MAX; i++) {
        if (s->disks[i].devid == devid)
            return &s->disks[i];
    }
    errx(2, "no disk %" PRIu32 " is open", devid);
}

static void open_disk(struct session *s, uint32_t devid)
{
    struct disk *disk = find(s, 0);
    struct blkfront_error why;
    const struct blkfront_options options = {.size = sizeof(options), .depth = 4, .vdev = devid};
    if (blkfront_open(s->domu, &options, &disk->bf, &why) < 0) {
        printf("error: %s\n", why.text);
        return;
    }
    disk->devid = devid;
    puts("ok");
}

static void close_disk(struct session *s, uint32_t devid)
{
    struct disk *disk = find(s, devid);
    blkfront_close(disk->bf);
    disk->devid = 0;
    puts("ok");
}

static void read_sector(struct session *s, uint32_t devid, uint64_t sector)
{
    unsigned char data[SECTOR_BYTES];
    int rc = blkfront_read(find(s, devid)->bf, sector, 1, data);
    if (rc < 0) {
        printf("error: %s\n", strerror(-rc));
        return;
    }
    for (int i = 0; i < 8; i++)
        printf("%02x", data[i]);
    putchar('\n');
}

static void write_sector(struct session *s, uint32_t devid, uint64_t sector, int byte)
{
    unsigned char data[SECTOR_BYTES];
    memset(data, byte, sizeof(data));
    int rc = blkfront_write(find(s, devid)->bf, sector, 1, data);
    if (rc < 0)
        printf("error: %s\n", strerror(-rc));
    else
        puts("ok");
}

static void lose_disk(struct session *s, uint32_t devid)
{
    unsigned char data[SECTOR_BYTES];
    struct disk *disk = find(s, devid);
    uint64_t reads = 0;
    while (blkfront_read(disk->bf, reads % LOAD_SECTORS, 1, data) == 0)
        reads++;
    blkfront_close(disk->bf);
    disk->devid = 0;
    printf("lost after %" PRIu64 " reads\n", reads);
}

static void *load(void *argument)
{
    struct session *s = argument;
    unsigned char data[SECTOR_BYTES];
    for (uint64_t i = 0; !s->ends; i++) {
        if (blkfront_read(s->loaded, i * 7 % LOAD_SECTORS, 1, data) == 0)
            s->reads++;
        else
            s->errors++;
    }
    return NULL;
}

static void start_load(struct session *s, uint32_t devid)
{
    s->loaded = find(s, devid)->bf;
    if (pthread_create(&s->loader, NULL, load, s) != 0)
        errx(1, "no thread");
    puts("ok");
}

static void obey(struct session *s, const char *line)
{
    char word[16] = "";
    uint32_t devid = 0;
    uint64_t sector = 0;
    unsigned byte = 0;
    (void)sscanf(line, "%15s %" SCNu32 " %" SCNu64 " %x", word, &devid, &sector, &byte);
    if (strcmp(word, "open") == 0)
        open_disk(s, devid);
    else if (strcmp(word, "close") == 0)
        close_disk(s, devid);
    else if (strcmp(word, "read") == 0)
        read_sector(s, devid, sector);
    else if (strcmp(word, "write") == 0)
        write_sector(s, devid, sector, (int)byte);
    else if (strcmp(word, "lose") == 0)
        lose_disk(s, devid);
    else if (strcmp(word, "load") == 0)
        start_load(s, devid);
    else if (strcmp(word, "loads") == 0)
        printf("%llu reads, %llu errors\n", atomic_exchange(&s->reads, 0),
               atomic_exchange(&s->errors, 0));
    else
        errx(2, "no such command: %s", line);
}

int main(void)
{
    static struct session s;
    struct domu_error why;
    char line[128];
    const struct domu_options options = {.size = sizeof(options), .pages = 1024};
    if (domu_open(&options, &s.domu, &why) < 0)
        errx(1, "%s", why.text);
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("domain %u\n", domu_domid(s.domu));
    while (fgets(line, sizeof(line), stdin) != NULL)
        obey(&s, line);
    s.ends = true;
    if (s.loaded != NULL)
        pthread_join(s.loader, NULL);
    for (int i = 0; i < DISKS_MAX; i++) {
        if (s.disks[i].devid != 0)
            blkfront_close(s.disks[i].bf);
    }
    domu_close(s.domu);
    return 0;
}
