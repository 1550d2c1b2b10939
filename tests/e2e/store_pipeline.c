/* SPDX-License-Identifier: MIT */
/*
 * store_pipeline: writes to the store's socket (XENSTORED_PATH) as fast as it takes them.
 *
 *   store_pipeline BATCHES    of so many writes each, sent before their replies are read
 *
 * Exit 0 when all have been answered.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/unix_socket.h"
#include "splitdom/xen/xs_wire.h"

enum { BATCH = 256 };

struct request {
    struct xsd_sockmsg header;
    char payload[12];
};

static int dial(void)
{
    const char *path = getenv("XENSTORED_PATH");
    if (path == NULL)
        errx(2, "XENSTORED_PATH names no socket");
    int fd = unix_socket_connect(path, SOCK_STREAM, 0);
    if (fd < 0)
        errx(1, "%s: %s", path, strerror(-fd));
    return fd;
}

int main(int argc, char **argv)
{
    static struct request batch[BATCH];
    if (argc != 2)
        errx(2, "usage: store_pipeline BATCHES");
    int fd = dial();
    for (int i = 0; i < BATCH; i++) {
        batch[i].header =
            (struct xsd_sockmsg){.type = XS_WRITE, .len = (uint32_t)sizeof(batch[i].payload)};
        memcpy(batch[i].payload, "/flood/a\0xyz", sizeof(batch[i].payload));
    }
    for (long n = strtol(argv[1], NULL, 10); n > 0; n--) {
        if (write(fd, batch, sizeof(batch)) != (ssize_t)sizeof(batch))
            err(1, "write");
        for (int i = 0; i < BATCH; i++) {
            char reply[sizeof(struct xsd_sockmsg) + 3];
            struct xsd_sockmsg header;
            if (recv(fd, reply, sizeof(reply), MSG_WAITALL) != (ssize_t)sizeof(reply))
                errx(1, "the store has hung up");
            memcpy(&header, reply, sizeof(header));
            if (header.type != XS_WRITE || memcmp(reply + sizeof(header), "OK", 3) != 0)
                errx(1, "a write is refused");
        }
    }
    return 0;
}
