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

#include "arguments.h"
#include "splitdom/blkfront.h"

enum { DOMAINS_MAX = 4096 };

int main(int argc, char **argv)
{
    struct blkfront **disks;
    struct blkfront_error why;
    char byte;

    if (argc != 2)
        errx(2, "usage: idle_domains N    (1..%d)", DOMAINS_MAX);
    const int count = (int)argument_u32("N", argv[1], 1, DOMAINS_MAX);
    disks = calloc((size_t)count, sizeof(struct blkfront *));
    if (disks == NULL)
        err(1, "memory");
    for (int i = 0; i < count; i++)
        if (blkfront_connect(&(struct blkfront_options){.size = sizeof(struct blkfront_options),
                                                        .depth = 1,
                                                        .sectors_per_request = 1},
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
