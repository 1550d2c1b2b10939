/* SPDX-License-Identifier: MIT */
/* workload_fixture: an image for the stand-in for blkfront, which the test's source has included.
 */
#ifndef SPLITDOM_TESTS_UNIT_CLIENT_WORKLOAD_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_CLIENT_WORKLOAD_FIXTURE_H

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "splitdom/blkfront.h"

enum { IMAGE_SECTORS = 1000 };

struct fixture {
    char directory[64];
    char image[96];
    struct blkfront *bf;
};

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    int fd;

    snprintf(f->directory, sizeof(f->directory), "/tmp/test_workload.XXXXXX");
    if (mkdtemp(f->directory) == NULL)
        return -1;
    snprintf(f->image, sizeof(f->image), "%s/image", f->directory);
    fd = open(f->image, O_RDWR | O_CREAT, 0600);
    if (fd < 0 || ftruncate(fd, IMAGE_SECTORS * 512) != 0)
        return -1;
    close(fd);
    setenv("FAKE_IMAGE", f->image, 1);
    unsetenv("FAKE_DIE_AFTER");
    unsetenv("FAKE_EIO_EVERY");
    unsetenv("FAKE_LOSE_EVERY");
    unsetenv("FAKE_DELAY_NS");
    unsetenv("FAKE_READ_ONLY");
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;

    unlink(f->image);
    rmdir(f->directory);
    free(f);
    return 0;
}

#endif
