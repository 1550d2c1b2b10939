/* SPDX-License-Identifier: MIT */
/* Reads a sector of the disk:  cc example.c $(pkg-config --cflags --libs libsplitdom) && ./a.out 3 */
#include <splitdom/blkfront.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    struct blkfront_options options = {.size = sizeof(options)};
    struct blkfront_error why = {""};
    struct blkfront *disk;
    unsigned char sector[512];
    int rc = blkfront_connect(&options, &disk, &why);

    if (rc == 0)
        rc = blkfront_read(disk, argc > 1 ? strtoull(argv[1], NULL, 10) : 0, 1, sector);
    if (rc < 0)
        fprintf(stderr, "%s\n", disk != NULL ? blkfront_failure(disk) : why.text);
    else
        printf("%02x%02x\n", sector[0], sector[511]);
    blkfront_close(disk);
    return rc < 0;
}
