/* SPDX-License-Identifier: MIT */
/*
 * disk_session: one connected disk at the disposal of a script. Reads commands from stdin, a line
 * each, and answers each with a line:
 *   last            the last sector
 *   read SECTOR     the sector's first 8 bytes in hexadecimal, or "error: ..."
 * and is silent otherwise. Begins with a line "connected"; ends at the end of stdin.
 */
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "splitdom/blkfront.h"

static void print_last(struct blkfront *bf)
{
    struct blkfront_geometry geometry;
    if (blkfront_geometry(bf, &geometry) < 0)
        printf("error: %s\n", blkfront_failure(bf));
    else
        printf("%" PRIu64 "\n", geometry.last_sector);
}

static void print_sector(struct blkfront *bf, uint64_t sector)
{
    unsigned char data[512];
    int rc = blkfront_read(bf, sector, 1, data);
    if (rc < 0) {
        printf("error: %s\n", strerror(-rc));
        return;
    }
    for (int i = 0; i < 8; i++)
        printf("%02x", data[i]);
    putchar('\n');
}

int main(void)
{
    struct blkfront *bf;
    struct blkfront_error why;
    char line[128];
    if (blkfront_connect(&(struct blkfront_options){.size = sizeof(struct blkfront_options)}, &bf,
                         &why) < 0)
        errx(1, "%s", why.text);
    setvbuf(stdout, NULL, _IOLBF, 0);
    puts("connected");
    while (fgets(line, sizeof(line), stdin) != NULL) {
        if (strcmp(line, "last\n") == 0)
            print_last(bf);
        else if (strncmp(line, "read ", 5) == 0)
            print_sector(bf, strtoull(line + 5, NULL, 10));
        else
            errx(2, "no such command: %s", line);
    }
    blkfront_close(bf);
    return 0;
}
