/* SPDX-License-Identifier: MIT */
/* image_fixture: files of a directory of their own, as images. */
#ifndef SPLITDOM_TESTS_UNIT_SERVICE_BLOCK_ENGINE_IMAGE_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_SERVICE_BLOCK_ENGINE_IMAGE_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <linux/magic.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cmocka.h>

#include "service/block/engine/image.h"

/* A directory of our own below build/, because /tmp may be a tmpfs. */
struct fixture {
    char dir[64];
    char path[96];
    char device[32]; /* a loop device */
    struct why why;
    struct image image;
};

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (!f)
        return -1;
    f->image.fd = -1;
    mkdir("build", 0777);
    strcpy(f->dir, "build/test_image.XXXXXX");
    if (!mkdtemp(f->dir) || chmod(f->dir, 0755) < 0) {
        free(f);
        return -1;
    }
    snprintf(f->path, sizeof(f->path), "%s/disk.img", f->dir);
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;

    image_close(&f->image);
    if (unlink(f->path) < 0)
        rmdir(f->path);
    rmdir(f->dir);
    free(f);
    return 0;
}

static inline void make_file(const char *path, off_t size_bytes)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, size_bytes), 0);
    close(fd);
}

static inline int open_it(struct fixture *f)
{
    return image_open(f->path, false, &f->image, &f->why);
}

/* Refused with this error, closed, and with a message that names the file and says `words`. */
static inline void assert_refused(struct fixture *f, int err, const char *words)
{
    f->image.fd = 99;
    assert_int_equal(open_it(f), err);
    assert_int_equal(f->image.fd, -1);
    if (!strstr(f->why.text, f->path) || !strstr(f->why.text, words))
        fail_msg("message \"%s\" lacks \"%s\" or \"%s\"", f->why.text, f->path, words);
    assert_null(strchr(f->why.text, '\n'));
}

static inline void skip_without_direct_io(struct fixture *f)
{
    make_file(f->path, 512);
    if (open_it(f) == -ENOTSUP) {
        print_message("no direct I/O here: %s\n", f->why.text);
        skip();
    }
    image_close(&f->image);
}

#define WITH_FILES(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

#endif
