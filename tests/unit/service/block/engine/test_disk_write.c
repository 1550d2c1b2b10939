/* SPDX-License-Identifier: MIT */
/* What engines do beside reading into their pool, on a real image: writes, flushes, discards, and
 * memory in parts. And what results of the system are worth (disk_span.h). */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/prng.h"
#include "fakes/valgrind.h"
#include "service/block/engine/disk.h"
#include "service/block/engine/disk_span.h"
#include "service/block/engine/image.h"

#define IMAGE_BYTES  (1u << 20)
#define DEPTH        16u
#define BUFFER_BYTES 65536u
#define PARTS        4u

struct kind {
    const struct disk_ops *ops;
    enum poller_kind poller_kind;
};

struct fixture {
    const struct kind *kind;
    char path[64];
    struct image image;
    struct poller *poller;
    struct disk *disk;
    unsigned char *pool;
    unsigned char *memory; /* outside of it */
    unsigned char content[IMAGE_BYTES];
    struct work {
        struct disk_io io;
        struct iovec iov[PARTS];
        struct fixture *f;
    } work[DEPTH];
    uint32_t done, submitted;
};

static const struct kind uring = {&disk_uring_ops, POLLER_URING};
static const struct kind threads = {&disk_threads_ops, POLLER_EPOLL};
static const struct kind threads_on_uring = {&disk_threads_ops, POLLER_URING};

static void fill(unsigned char *bytes, size_t count, uint64_t seed)
{
    for (size_t i = 0; i < count; i += 8) {
        uint64_t word = prng_splitmix64(&seed);
        memcpy(bytes + i, &word, 8);
    }
}

static void make_image(struct fixture *f)
{
    mkdir("build", 0777);
    strcpy(f->path, "build/test_disk_write.XXXXXX"); /* /tmp may be a tmpfs */
    int fd = mkstemp(f->path);
    assert_true(fd >= 0);
    fill(f->content, IMAGE_BYTES, 7);
    assert_int_equal(write(fd, f->content, IMAGE_BYTES), IMAGE_BYTES);
    assert_int_equal(fsync(fd), 0);
    close(fd);
}

/* Leaves the disk NULL where the machine lacks what it needs. */
static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct why why = {0};
    assert_non_null(f);
    f->kind = *state;
    f->image.fd = -1;
    *state = f;
    make_image(f);
    f->pool = aligned_alloc(65536, (size_t)DEPTH * BUFFER_BYTES);
    f->memory = aligned_alloc(65536, (size_t)DEPTH * BUFFER_BYTES);
    assert_true(f->pool != NULL && f->memory != NULL);
    if (under_valgrind() && f->kind == &threads_on_uring)
        return 0; /* skipped, see valgrind.h */
    int rc = poller_create(f->kind->poller_kind, &f->poller);
    if (rc < 0) {
        print_message("no such poller here: %s\n", strerror(-rc));
        return f->kind->poller_kind == POLLER_URING ? 0 : -1;
    }
    rc = image_open(f->path, true, &f->image, &why);
    if (rc < 0) {
        print_message("%s\n", why.text);
        return rc == -ENOTSUP ? 0 : -1;
    }
    const struct disk_config config = {.poller = f->poller,
                                       .pool = f->pool,
                                       .pool_bytes = (size_t)DEPTH * BUFFER_BYTES,
                                       .depth = DEPTH};
    rc = f->kind->ops->create(&config, &f->disk, &why);
    if (rc == 0 && f->disk->ops->attach != NULL)
        f->disk->ops->attach(f->disk, &f->image);
    return rc;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    f->kind->ops->destroy(f->disk);
    image_close(&f->image);
    poller_destroy(f->poller);
    unlink(f->path);
    free(f->pool);
    free(f->memory);
    free(f);
    return 0;
}

static struct fixture *fixture_or_skip(void **state)
{
    struct fixture *f = *state;
    if (f->disk == NULL)
        skip();
    return f;
}

static void on_done(struct disk_io *io)
{
    ((struct work *)io)->f->done++;
}

static struct disk_io *prepare(struct fixture *f, uint32_t n, enum disk_operation operation,
                               uint64_t offset_bytes, uint32_t length_bytes)
{
    struct work *work = &f->work[n];
    *work = (struct work){.f = f};
    work->io = (struct disk_io){.image = &f->image,
                                .operation = operation,
                                .offset_bytes = offset_bytes,
                                .length_bytes = length_bytes,
                                .buffer = f->pool + (size_t)n * BUFFER_BYTES,
                                .status = 77,
                                .done = on_done};
    return &work->io;
}

/* In four equal parts of memory, the last one first. */
static void use_parts(struct fixture *f, uint32_t n)
{
    struct work *work = &f->work[n];
    uint32_t part_bytes = work->io.length_bytes / PARTS;
    for (uint32_t i = 0; i < PARTS; i++)
        work->iov[i] = (struct iovec){.iov_base = f->memory + (size_t)n * BUFFER_BYTES +
                                                  (size_t)(PARTS - 1 - i) * part_bytes,
                                      .iov_len = part_bytes};
    work->io.iov = work->iov;
    work->io.iov_count = PARTS;
    work->io.buffer = NULL;
}

static void submit(struct fixture *f, struct disk_io *io)
{
    f->submitted++;
    f->disk->ops->submit(f->disk, io);
}

static void finish(struct fixture *f)
{
    if (f->disk->ops->kick != NULL)
        f->disk->ops->kick(f->disk);
    while (f->done < f->submitted)
        assert_true(poller_run(f->poller, true) >= 0);
}

static void assert_image(const struct fixture *f)
{
    static unsigned char now[IMAGE_BYTES];
    int fd = open(f->path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, now, IMAGE_BYTES), IMAGE_BYTES);
    close(fd);
    assert_memory_equal(now, f->content, IMAGE_BYTES);
}

static void many_writes_reach_their_places(void **state)
{
    struct fixture *f = fixture_or_skip(state);
    for (uint32_t round = 0; round < 4; round++) {
        for (uint32_t n = 0; n < DEPTH; n++) {
            uint64_t offset_bytes = (uint64_t)((n * 5 + round) % 16) * BUFFER_BYTES;
            struct disk_io *io = prepare(f, n, DISK_WRITE, offset_bytes, 4096 * (1 + n));
            fill(io->buffer, io->length_bytes, 100 * round + n);
            memcpy(f->content + offset_bytes, io->buffer, io->length_bytes);
            submit(f, io);
        }
        finish(f);
        for (uint32_t n = 0; n < DEPTH; n++)
            assert_int_equal(f->work[n].io.status, 0);
        assert_image(f);
    }
}

static void memory_in_parts_is_written_and_read(void **state)
{
    struct fixture *f = fixture_or_skip(state);
    fill(f->memory, BUFFER_BYTES, 3);
    struct disk_io *io = prepare(f, 0, DISK_WRITE, 131072, BUFFER_BYTES);
    use_parts(f, 0);
    for (uint32_t i = 0; i < PARTS; i++)
        memcpy(f->content + 131072 + (size_t)i * BUFFER_BYTES / PARTS,
               f->memory + (size_t)(PARTS - 1 - i) * BUFFER_BYTES / PARTS, BUFFER_BYTES / PARTS);
    submit(f, io);
    finish(f);
    assert_int_equal(io->status, 0);
    assert_image(f);
    io = prepare(f, 1, DISK_READ, 131072, BUFFER_BYTES);
    use_parts(f, 1);
    submit(f, io);
    finish(f);
    assert_int_equal(io->status, 0);
    assert_memory_equal(f->memory + BUFFER_BYTES, f->memory, BUFFER_BYTES);
}

static void a_flush_has_an_answer(void **state)
{
    struct fixture *f = fixture_or_skip(state);
    struct disk_io *write = prepare(f, 0, DISK_WRITE, 0, 4096);
    memcpy(write->buffer, f->content, 4096);
    submit(f, write);
    submit(f, prepare(f, 1, DISK_FLUSH, 0, 0));
    finish(f);
    assert_int_equal(f->work[0].io.status, 0);
    assert_int_equal(f->work[1].io.status, 0);
    assert_image(f);
}

static void what_is_discarded_reads_as_zeros_and_is_given_back(void **state)
{
    struct fixture *f = fixture_or_skip(state);
    struct stat before, after;
    assert_int_equal(stat(f->path, &before), 0);
    struct disk_io *io = prepare(f, 0, DISK_DISCARD, 262144, 524288);
    submit(f, io);
    finish(f);
    if (io->status == -EOPNOTSUPP) {
        print_message("the file system can't punch holes\n");
        skip();
    }
    assert_int_equal(io->status, 0);
    memset(f->content + 262144, 0, 524288);
    assert_image(f);
    assert_int_equal(stat(f->path, &after), 0);
    assert_true(after.st_blocks < before.st_blocks);
    assert_int_equal(after.st_size, before.st_size);
}

static void the_systems_error_is_the_status(void **state)
{
    struct fixture *f = fixture_or_skip(state);
    if (f->disk->ops->detach != NULL)
        f->disk->ops->detach(f->disk, &f->image);
    int writable = f->image.fd;
    f->image.fd = open(f->path, O_RDONLY | O_DIRECT | O_CLOEXEC);
    assert_true(f->image.fd >= 0);
    struct disk_io *write = prepare(f, 0, DISK_WRITE, 0, 4096);
    memset(write->buffer, 0, 4096);
    submit(f, write);
    submit(f, prepare(f, 1, DISK_DISCARD, 0, 4096));
    finish(f);
    assert_int_equal(f->work[0].io.status, -EBADF);
    assert_int_equal(f->work[1].io.status, -EBADF);
    assert_image(f);
    close(f->image.fd);
    f->image.fd = writable;
    if (f->disk->ops->attach != NULL)
        f->disk->ops->attach(f->disk, &f->image);
}

/* The system takes what is below the limit, and says what is wrong when asked for the rest. */
static void a_short_write_is_gone_on_with(void **state)
{
    struct fixture *f = fixture_or_skip(state);
    struct rlimit before, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 8192;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    struct disk_io *io = prepare(f, 0, DISK_WRITE, 4096, 16384);
    fill(io->buffer, 16384, 9);
    memcpy(f->content + 4096, io->buffer, 4096);
    submit(f, io);
    fill(f->memory + BUFFER_BYTES, 16384, 9);
    finish(f);
    struct disk_io *parts = prepare(f, 1, DISK_WRITE, 4096, 16384);
    use_parts(f, 1);
    parts->iov[0].iov_base = f->pool; /* the same bytes first */
    submit(f, parts);
    finish(f);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(io->status, -EFBIG);
    assert_int_equal(parts->status, -EFBIG);
    assert_image(f);
}

static void a_rest_of_a_write_is_written_until_none_is_left(void **state)
{
    (void)state;
    const struct image image = {.block_size_bytes = 512, .size_bytes = IMAGE_BYTES};
    unsigned char memory[4096];
    struct iovec iov[2] = {{memory, 1024}, {memory + 1024, 3072}};
    struct disk_io io = {.image = &image, .operation = DISK_WRITE, .length_bytes = 4096};
    disk_span_begin(&io);
    assert_false(disk_span_result(&io, 1536));
    assert_int_equal(io.ended_bytes, 1536);
    assert_true(disk_span_result(&io, 2560));
    assert_int_equal(io.status, 0);

    io.iov = iov;
    io.iov_count = 2;
    disk_span_begin(&io);
    assert_false(disk_span_result(&io, 1536));
    assert_int_equal(io.iov_count, 1);
    assert_ptr_equal(io.iov->iov_base, memory + 1536);
    assert_int_equal(io.iov->iov_len, 2560);
    assert_true(disk_span_result(&io, -ENOSPC));
    assert_int_equal(io.status, -ENOSPC);
}

static void a_write_that_does_not_go_on_has_failed(void **state)
{
    (void)state;
    const struct image image = {.block_size_bytes = 512, .size_bytes = IMAGE_BYTES};
    struct disk_io io = {.image = &image, .operation = DISK_WRITE, .length_bytes = 4096};
    disk_span_begin(&io);
    assert_true(disk_span_result(&io, 0));
    assert_int_equal(io.status, -EIO);
    disk_span_begin(&io);
    assert_true(disk_span_result(&io, 100)); /* its rest could not be written directly */
    assert_int_equal(io.status, -EIO);
}

#define WITH(kind, test)                                                                           \
    {                                                                                              \
#test "/" #kind, test, setup, teardown, (void *)(uintptr_t)&kind                           \
    }
#define ALL(test) WITH(uring, test), WITH(threads, test), WITH(threads_on_uring, test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ALL(many_writes_reach_their_places),
        ALL(memory_in_parts_is_written_and_read),
        ALL(a_flush_has_an_answer),
        ALL(what_is_discarded_reads_as_zeros_and_is_given_back),
        ALL(the_systems_error_is_the_status),
        ALL(a_short_write_is_gone_on_with),
        cmocka_unit_test(a_rest_of_a_write_is_written_until_none_is_left),
        cmocka_unit_test(a_write_that_does_not_go_on_has_failed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
