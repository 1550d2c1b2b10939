/* SPDX-License-Identifier: MIT */
/*
 * disk_fixture: the engines that need no model, each on each poller that it can have, on a real
 * image.
 */
#ifndef SPLITDOM_TESTS_UNIT_SERVICE_BLOCK_ENGINE_DISK_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_SERVICE_BLOCK_ENGINE_DISK_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fakes/valgrind.h"
#include "service/block/engine/disk.h"
#include "service/block/engine/image.h"

#define IMAGE_SECTORS 1001u

#define DEPTH 64u

#define BUFFER_BYTES 65536u

#define GUARD_BYTES 512u

struct kind {
    const struct disk_ops *ops;
    enum poller_kind poller_kind;
    bool is_pattern; /* and not the image's bytes */
};

static const struct kind threads_on_uring;

struct fixture {
    const struct kind *kind;
    char path[64];
    unsigned char content[IMAGE_SECTORS * 512];
    struct image image;
    struct poller *poller;
    struct disk *disk;
    unsigned char *pool;
    struct read {
        struct disk_io io;
        struct fixture *f;
        int done;
        int left; /* reads the next block that many times more */
    } reads[DEPTH];
    int done;
    bool is_submitting;
    bool was_called_inside_submit;
};

static inline void make_image(struct fixture *f)
{
    uint32_t x = 12345;
    int fd;

    for (size_t i = 0; i < sizeof(f->content); i++) {
        x = x * 1664525u + 1013904223u;
        f->content[i] = (unsigned char)(x >> 24);
    }
    mkdir("build", 0777);
    strcpy(f->path, "build/test_disk.XXXXXX"); /* /tmp may be a tmpfs */
    fd = mkstemp(f->path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, f->content, sizeof(f->content)), sizeof(f->content));
    assert_int_equal(fsync(fd), 0);
    close(fd);
}

static inline int create_disk(struct fixture *f, struct disk **out, struct why *why)
{
    const struct disk_config config = {
        .poller = f->poller,
        .pool = f->pool,
        .pool_bytes = (size_t)DEPTH * BUFFER_BYTES,
        .depth = DEPTH,
    };
    int rc = f->kind->ops->create(&config, out, why);

    if (rc == 0 && (*out)->ops->attach != NULL)
        (*out)->ops->attach(*out, &f->image);
    return rc;
}

/* Leaves the disk NULL where the machine lacks what it needs. */
static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct why why = {0};
    int rc;

    assert_non_null(f);
    f->kind = *state;
    f->image.fd = -1;
    *state = f;
    make_image(f);
    f->pool = aligned_alloc(65536, (size_t)DEPTH * BUFFER_BYTES);
    assert_non_null(f->pool);
    if (under_valgrind() && f->kind == &threads_on_uring)
        return 0; /* skipped, see valgrind.h */
    rc = poller_create(f->kind->poller_kind, &f->poller);
    if (rc) {
        print_message("no such poller here: %s\n", strerror(-rc));
        return f->kind->poller_kind == POLLER_URING ? 0 : -1;
    }
    rc = image_open(f->path, false, &f->image, &why);
    if (rc) {
        print_message("%s\n", why.text);
        return rc == -ENOTSUP ? 0 : -1;
    }
    rc = create_disk(f, &f->disk, &why);
    if (rc)
        print_message("%s\n", why.text);
    return rc;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;

    f->kind->ops->destroy(f->disk);
    image_close(&f->image);
    poller_destroy(f->poller);
    unlink(f->path);
    free(f->pool);
    free(f);
    return 0;
}

static inline struct fixture *fixture_or_skip(void **state)
{
    struct fixture *f = *state;

    if (!f->disk)
        skip();
    return f;
}

/* A read of that length, and a bit more, which it must not touch. */
static inline uint32_t guarded_bytes(uint32_t length_bytes)
{
    return length_bytes + GUARD_BYTES < BUFFER_BYTES ? length_bytes + GUARD_BYTES : BUFFER_BYTES;
}

static inline void on_done(struct disk_io *io);

static inline void submit_to(struct fixture *f, const struct image *image, uint32_t slot,
                             uint64_t offset_bytes, uint32_t length_bytes)
{
    struct read *r = &f->reads[slot];

    r->f = f;
    r->io.image = image;
    r->io.offset_bytes = offset_bytes;
    r->io.length_bytes = length_bytes;
    r->io.buffer = f->pool + (size_t)slot * BUFFER_BYTES;
    r->io.done = on_done;
    r->io.status = 77;
    memset(r->io.buffer, 0xa5, guarded_bytes(length_bytes));
    f->is_submitting = true;
    f->disk->ops->submit(f->disk, &r->io);
    f->is_submitting = false;
}

static inline void submit(struct fixture *f, uint32_t slot, uint64_t offset_bytes,
                          uint32_t length_bytes)
{
    submit_to(f, &f->image, slot, offset_bytes, length_bytes);
}

static inline void on_done(struct disk_io *io)
{
    struct read *r = (struct read *)io;

    if (r->f->is_submitting)
        r->f->was_called_inside_submit = true;
    r->f->done++;
    r->done++;
    if (r->left > 0) {
        r->left--;
        submit(r->f, (uint32_t)(r - r->f->reads), io->offset_bytes + io->length_bytes,
               io->length_bytes);
    }
}

static inline void wait_for(struct fixture *f, int done)
{
    if (f->disk->ops->kick)
        f->disk->ops->kick(f->disk);
    while (f->done < done)
        assert_true(poller_run(f->poller, true) >= 0);
    assert_int_equal(f->done, done);
    assert_false(f->was_called_inside_submit);
    assert_int_equal(poller_run(f->poller, false), 0);
    f->done = 0;
}

/* Images beside f's own, each of one byte, its number. */
enum { IMAGES_MANY = 100, IMAGE_BYTES = 4096 };

static inline void make_images(struct fixture *f, struct image *images, uint32_t count)
{
    char path[64];
    struct why why;
    unsigned char bytes[IMAGE_BYTES];

    for (uint32_t i = 0; i < count; i++) {
        strcpy(path, "build/test_disk.XXXXXX");
        int fd = mkstemp(path);
        memset(bytes, (int)i, sizeof(bytes));
        assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
        close(fd);
        assert_int_equal(image_open(path, false, &images[i], &why), 0);
        unlink(path);
        if (f->disk->ops->attach != NULL)
            f->disk->ops->attach(f->disk, &images[i]);
    }
}

static inline void drop_image(struct fixture *f, struct image *image)
{
    if (f->disk->ops->detach != NULL)
        f->disk->ops->detach(f->disk, image);
    image_close(image);
}

static inline void assert_image_reads(struct fixture *f, const struct image *image,
                                      unsigned char byte)
{
    submit_to(f, image, 0, 0, IMAGE_BYTES);
    wait_for(f, 1);
    assert_int_equal(f->reads[0].io.status, 0);
    for (size_t i = 0; i < IMAGE_BYTES; i++)
        assert_int_equal(f->pool[i], byte);
}

static const struct kind uring = {&disk_uring_ops, POLLER_URING, false};

static const struct kind threads = {&disk_threads_ops, POLLER_EPOLL, false};

static const struct kind threads_on_uring = {&disk_threads_ops, POLLER_URING, false};

static const struct kind null_disk = {&disk_null_ops, POLLER_EPOLL, true};

#define WITH(kind, test)                                                                           \
    {                                                                                              \
#test "/" #kind, test, setup, teardown, (void *)(uintptr_t)&kind                           \
    }

#endif
