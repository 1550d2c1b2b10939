/* SPDX-License-Identifier: MIT */
/*
 * idle_domains: N domains with connected disks that read nothing.
 *
 *   idle_domains N        prints "ready" once all are connected; ends at the end of its stdin
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "splitdom/blkfront.h"

enum { DOMAINS_MAX = 4096 };

int main(int argc, char **argv)
{
    const int count = argc == 2 ? atoi(argv[1]) : 0;
    struct blkfront **disks;
    struct blkfront_error why;
    char byte;

    if (count < 1 || count > DOMAINS_MAX)
        errx(2, "usage: idle_domains N    (1..%d)", DOMAINS_MAX);
    disks = calloc((size_t)count, sizeof(struct blkfront *));
    if (disks == NULL)
        err(1, "memory");
    for (int i = 0; i < count; i++)
        if (blkfront_connect(&(struct blkfront_options){.depth = 1, .sectors_per_request = 1},
                             &disks[i], &why) != 0)
            errx(1, "domain %d: %s", i + 1, why.text);
    puts("ready");
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
    for (int i = 0; i < count; i++)
        blkfront_close(disks[i]);
    free(disks);
    return 0;
}
