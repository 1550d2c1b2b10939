/* SPDX-License-Identifier: MIT */
/* The engines that need no model, each on each poller that it can have, on a real image. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
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
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fakes/fake_events.h"
#include "fakes/valgrind.h"
#include "service/block/engine/disk.h"
#include "service/block/engine/disk_pattern.h"
#include "service/block/engine/image.h"

#define IMAGE_SECTORS 1001u
#define DEPTH         64u
#define BUFFER_BYTES  65536u
#define GUARD_BYTES   512u

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

static void make_image(struct fixture *f)
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

static int create_disk(struct fixture *f, struct disk **out, struct why *why)
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
static int setup(void **state)
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

static int teardown(void **state)
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

static struct fixture *fixture_or_skip(void **state)
{
    struct fixture *f = *state;

    if (!f->disk)
        skip();
    return f;
}

/* A read of that length, and a bit more, which it must not touch. */
static uint32_t guarded_bytes(uint32_t length_bytes)
{
    return length_bytes + GUARD_BYTES < BUFFER_BYTES ? length_bytes + GUARD_BYTES : BUFFER_BYTES;
}

static void on_done(struct disk_io *io);

static void submit_to(struct fixture *f, const struct image *image, uint32_t slot,
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

static void submit(struct fixture *f, uint32_t slot, uint64_t offset_bytes, uint32_t length_bytes)
{
    submit_to(f, &f->image, slot, offset_bytes, length_bytes);
}

static void on_done(struct disk_io *io)
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

static void wait_for(struct fixture *f, int done)
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

/* Right status, right bytes, and not a byte beyond the length. */
static void assert_content(const struct fixture *f, uint32_t slot)
{
    const struct disk_io *io = &f->reads[slot].io;
    static unsigned char expected[BUFFER_BYTES];
    uint64_t left = sizeof(f->content) - io->offset_bytes;
    size_t exists = left < io->length_bytes ? (size_t)left : io->length_bytes;
    const unsigned char *buffer = io->buffer;

    if (f->kind->is_pattern)
        disk_pattern_fill(expected, io->offset_bytes, io->length_bytes);
    else
        memcpy(expected, f->content + io->offset_bytes, exists);
    assert_int_equal(io->status, 0);
    assert_memory_equal(buffer, expected, exists);
    memset(expected, 0xa5, GUARD_BYTES);
    assert_memory_equal(buffer + io->length_bytes, expected,
                        guarded_bytes(io->length_bytes) - io->length_bytes);
}

static void reads_every_block(void **state)
{
    struct fixture *f = fixture_or_skip(state);
    uint32_t block_bytes = f->image.block_size_bytes;

    for (uint64_t offset = 0; offset < f->image.size_bytes; offset += block_bytes) {
        submit(f, 0, offset, block_bytes);
        wait_for(f, 1);
        assert_content(f, 0);
    }
}

static void many_reads_in_flight_do_not_mix(void **state)
{
    struct fixture *f = fixture_or_skip(state);
    uint32_t block_bytes = f->image.block_size_bytes;
    uint64_t blocks = f->image.size_bytes / block_bytes;

    for (uint64_t round = 0; round < 4; round++) {
        for (uint32_t i = 0; i < DEPTH; i++)
            submit(f, i, (i * 37 + round * 11) % (blocks - 8) * block_bytes,
                   block_bytes * (1 + i % 8));
        wait_for(f, DEPTH);
        for (uint32_t i = 0; i < DEPTH; i++)
            assert_content(f, i);
    }
}

/* The buffer's second block is filled first. */
static void a_read_may_go_to_several_places(void **state)
{
    struct fixture *f = fixture_or_skip(state);
    uint32_t block_bytes = f->image.block_size_bytes;
    struct read *r = &f->reads[0];
    struct iovec places[] = {{f->pool + block_bytes, block_bytes}, {f->pool, block_bytes}};

    r->io.iov = places;
    r->io.iov_count = 2;
    submit(f, 0, block_bytes, 2 * block_bytes);
    wait_for(f, 1);
    assert_int_equal(r->io.status, 0);
    assert_memory_equal(f->pool + block_bytes, f->content + block_bytes, block_bytes);
    assert_memory_equal(f->pool, f->content + (size_t)2 * block_bytes, block_bytes);
}

static void the_part_block_at_the_end_is_served(void **state)
{
    struct fixture *f = fixture_or_skip(state);

    /* 65,536 does not divide the image's size: the last such piece exists in part */
    submit(f, 0, f->image.size_bytes / BUFFER_BYTES * BUFFER_BYTES, BUFFER_BYTES);
    wait_for(f, 1);
    assert_content(f, 0);
}

static void a_read_beyond_the_end_is_an_error(void **state)
{
    struct fixture *f = fixture_or_skip(state);
    uint64_t beyond = (f->image.size_bytes + BUFFER_BYTES) / BUFFER_BYTES * BUFFER_BYTES;

    submit(f, 0, 0, f->image.block_size_bytes);
    submit(f, 1, beyond, f->image.block_size_bytes);
    submit(f, 2, UINT64_C(1) << 41, f->image.block_size_bytes);
    wait_for(f, 3);
    assert_content(f, 0);
    assert_int_equal(f->reads[1].io.status, -EIO);
    assert_int_equal(f->reads[2].io.status, -EIO);
}

static void a_short_read_is_an_error_of_that_read_only(void **state)
{
    struct fixture *f = fixture_or_skip(state);

    assert_int_equal(truncate(f->path, 65536 + 512), 0);
    submit(f, 0, 0, 65536);
    submit(f, 1, 65536, 65536);
    submit(f, 2, 131072, 65536);
    wait_for(f, 3);
    assert_content(f, 0);
    assert_int_equal(f->reads[1].io.status, -EIO);
    assert_int_equal(f->reads[2].io.status, -EIO);
}

static void an_image_that_grows_does_not_fail_reads_under_way(void **state)
{
    struct fixture *f = fixture_or_skip(state);

    submit(f, 0, f->image.size_bytes / BUFFER_BYTES * BUFFER_BYTES, BUFFER_BYTES);
    f->image.size_bytes += 65536; /* as image_refresh would */
    wait_for(f, 1);
    f->image.size_bytes -= 65536;
    assert_content(f, 0);
}

static void done_may_submit_the_same_read_again(void **state)
{
    struct fixture *f = fixture_or_skip(state);

    for (uint32_t i = 0; i < 4; i++) {
        f->reads[i].left = 9;
        submit(f, i, i * 4096, 4096);
    }
    while (f->done < 40) {
        if (f->disk->ops->kick)
            f->disk->ops->kick(f->disk);
        assert_true(poller_run(f->poller, true) >= 0);
    }
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(f->reads[i].done, 10);
        assert_int_equal(f->reads[i].io.offset_bytes, (i + 9) * 4096);
        assert_content(f, i);
    }
}

static void an_idle_disk_wakes_nobody(void **state)
{
    struct fixture *f = fixture_or_skip(state);

    assert_int_equal(poller_run(f->poller, false), 0);
    submit(f, 0, 0, 4096);
    wait_for(f, 1);
    assert_int_equal(poller_run(f->poller, false), 0);
}

static void a_disk_can_be_made_again_on_the_same_poller(void **state)
{
    struct fixture *f = fixture_or_skip(state);
    struct why why;

    for (int i = 0; i < 3; i++) {
        f->kind->ops->destroy(f->disk);
        f->disk = NULL;
        assert_int_equal(create_disk(f, &f->disk, &why), 0);
        f->done = 0;
        submit(f, 0, 4096, 4096);
        wait_for(f, 1);
        assert_content(f, 0);
    }
    f->kind->ops->destroy(NULL);
}

static void the_devices_error_is_the_reads_status(void **state)
{
    struct fixture *f = fixture_or_skip(state);
    struct why why;
    int fd;

    f->kind->ops->destroy(f->disk);
    f->disk = NULL;
    fd = open(f->path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(dup3(fd, f->image.fd, O_CLOEXEC) >= 0);
    close(fd);
    assert_int_equal(create_disk(f, &f->disk, &why), 0);
    submit(f, 0, 0, 4096);
    wait_for(f, 1);
    assert_int_equal(f->reads[0].io.status, -EBADF);
}

/* Images beside f's own, each of one byte, its number. */
enum { IMAGES_MANY = 100, IMAGE_BYTES = 4096 };

static void make_images(struct fixture *f, struct image *images, uint32_t count)
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

static void drop_image(struct fixture *f, struct image *image)
{
    if (f->disk->ops->detach != NULL)
        f->disk->ops->detach(f->disk, image);
    image_close(image);
}

static void assert_image_reads(struct fixture *f, const struct image *image, unsigned char byte)
{
    submit_to(f, image, 0, 0, IMAGE_BYTES);
    wait_for(f, 1);
    assert_int_equal(f->reads[0].io.status, 0);
    for (size_t i = 0; i < IMAGE_BYTES; i++)
        assert_int_equal(f->pool[i], byte);
}

static void images_share_a_disk_and_keep_their_bytes(void **state)
{
    struct fixture *f = fixture_or_skip(state);
    struct image images[2], later;

    make_images(f, images, 2);
    assert_image_reads(f, &images[0], 0);
    assert_image_reads(f, &images[1], 1);
    drop_image(f, &images[0]);
    make_images(f, &later, 1); /* perhaps in its place */
    assert_image_reads(f, &images[1], 1);
    assert_image_reads(f, &later, 0);
    drop_image(f, &images[1]);
    drop_image(f, &later);
    submit(f, 0, 0, 4096);
    wait_for(f, 1);
    assert_content(f, 0);
}

static void images_without_a_registered_place_are_read_all_the_same(void **state)
{
    struct fixture *f = fixture_or_skip(state);
    struct image images[IMAGES_MANY];
    uint32_t registered = 0;

    make_images(f, images, IMAGES_MANY);
    for (uint32_t i = 0; i < IMAGES_MANY; i++) {
        registered += images[i].registered != 0;
        assert_image_reads(f, &images[i], (unsigned char)i);
    }
    assert_in_range(registered, 1, IMAGES_MANY - 1);
    struct image *last = &images[IMAGES_MANY - 1];
    assert_int_equal(last->registered, 0);
    drop_image(f, &images[0]);
    f->disk->ops->attach(f->disk, last); /* its place is free again */
    assert_int_not_equal(last->registered, 0);
    assert_image_reads(f, last, IMAGES_MANY - 1);
    for (uint32_t i = 1; i < IMAGES_MANY; i++)
        drop_image(f, &images[i]);
}

static void uring_needs_its_poller(void **state)
{
    struct fixture *f = *state;
    struct disk_config config = {.poller = f->poller, .depth = 1};
    struct disk *disk = (struct disk *)f;
    struct why why = {0};

    assert_true(disk_uring_ops.create(&config, &disk, &why) < 0);
    assert_null(disk);
    assert_non_null(strstr(why.text, "threads engine"));
}

/* In a child, as somebody who may lock no memory. */
static int read_without_locked_memory(struct fixture *f)
{
    const struct rlimit none = {0, 0};
    struct why why;

    if (geteuid() == 0 && setuid(65534) < 0)
        return 2;
    f->disk = NULL;
    if (poller_create(POLLER_URING, &f->poller))
        return 77;
    /* newer kernels charge the ring itself, too: so only now */
    if (setrlimit(RLIMIT_MEMLOCK, &none) < 0)
        return 2;
    if (create_disk(f, &f->disk, &why))
        return 3;
    submit(f, 0, 4096, 4096);
    f->disk->ops->kick(f->disk);
    while (f->done == 0)
        if (poller_run(f->poller, true) < 0)
            return 4;
    if (f->reads[0].io.status != 0 || memcmp(f->pool, f->content + 4096, 4096) != 0)
        return 5;
    f->kind->ops->destroy(f->disk);
    poller_destroy(f->poller);
    return 0;
}

static void uring_works_without_locked_memory(void **state)
{
    struct fixture *f = fixture_or_skip(state);
    pid_t pid;
    int status;

    if (under_valgrind())
        skip(); /* it looks for leaks in the child, which has the parent's pointers no more */
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(read_without_locked_memory(f));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* Counts this process's other threads and checks that they block every signal that can be. Those
 * that the kernel keeps for rings of earlier tests come and go when it likes. */
static int count_other_threads(void)
{
    DIR *dir = opendir("/proc/self/task");
    struct dirent *entry;
    int count = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        char path[300], line[256], name[64] = "";
        uint64_t blocked = 0;

        if (entry->d_name[0] == '.' || atoi(entry->d_name) == getpid())
            continue;
        snprintf(path, sizeof(path), "/proc/self/task/%s/status", entry->d_name);
        FILE *status = fopen(path, "r");
        if (status == NULL)
            continue;
        while (fgets(line, sizeof(line), status) != NULL) {
            (void)sscanf(line, "Name: %63s", name);
            (void)sscanf(line, "SigBlk: %lx", &blocked);
        }
        fclose(status);
        if (strncmp(name, "iou-", 4) == 0)
            continue;
        count++;
        assert_true(blocked & (UINT64_C(1) << (SIGTERM - 1)));
        assert_true(blocked & (UINT64_C(1) << (SIGINT - 1)));
        assert_true(blocked & (UINT64_C(1) << (SIGCHLD - 1)));
    }
    closedir(dir);
    return count;
}

static void threads_block_signals_and_are_joined(void **state)
{
    struct fixture *f = fixture_or_skip(state);
    sigset_t mask;
    int with, without;

    with = count_other_threads();
    f->kind->ops->destroy(f->disk);
    f->disk = NULL;
    without = count_other_threads(); /* a sanitizer may have one of its own */
    assert_int_equal(with - without, 32);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
    assert_false(sigismember(&mask, SIGTERM));
}

static void pattern_numbers_its_sectors(void **state)
{
    static const unsigned char first[8] = {0xff, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x00};
    static const unsigned char second[8] = {0x00, 0x08, 0x06, 0x05, 0x04, 0x03, 0x02, 0x00};
    static const unsigned char zeroes[504];
    unsigned char buffer[1024 + 1];

    (void)state;
    memset(buffer, 0xa5, sizeof(buffer));
    disk_pattern_fill(buffer, 512 * UINT64_C(0x020304050607ff), 1024);
    assert_memory_equal(buffer, first, 8);
    assert_memory_equal(buffer + 8, zeroes, 504);
    assert_memory_equal(buffer + 512, second, 8);
    assert_memory_equal(buffer + 520, zeroes, 504);
    assert_int_equal(buffer[1024], 0xa5);
}

/* Nothing would ever tell of a completed read again. */
static void a_completion_event_that_fails_ends_the_poller(void **state)
{
    struct fixture *f = fixture_or_skip(state);
    struct event_tap tap;
    struct disk *second;
    struct why why;

    event_tap_open(&tap, f->poller);
    assert_int_equal(create_disk(f, &second, &why), 0);
    event_tap_close(&tap);
    event_tap_tell(&tap, POLLERR | POLLNVAL);
    assert_int_equal(poller_run(f->poller, false), -EIO);
    assert_non_null(strstr(poller_failure(f->poller), "engine"));
    second->ops->destroy(second);
}

static const struct kind uring = {&disk_uring_ops, POLLER_URING, false};
static const struct kind threads = {&disk_threads_ops, POLLER_EPOLL, false};
static const struct kind threads_on_uring = {&disk_threads_ops, POLLER_URING, false};
static const struct kind null_disk = {&disk_null_ops, POLLER_EPOLL, true};
static const struct kind null_on_uring = {&disk_null_ops, POLLER_URING, true};

#define WITH(kind, test)                                                                           \
    {                                                                                              \
#test "/" #kind, test, setup, teardown, (void *)(uintptr_t)&kind                           \
    }
#define READERS(test) WITH(uring, test), WITH(threads, test), WITH(threads_on_uring, test)
#define ALL(test)     READERS(test), WITH(null_disk, test), WITH(null_on_uring, test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ALL(reads_every_block),
        ALL(many_reads_in_flight_do_not_mix),
        READERS(a_read_may_go_to_several_places),
        ALL(the_part_block_at_the_end_is_served),
        ALL(a_read_beyond_the_end_is_an_error),
        READERS(a_short_read_is_an_error_of_that_read_only),
        ALL(an_image_that_grows_does_not_fail_reads_under_way),
        ALL(done_may_submit_the_same_read_again),
        ALL(an_idle_disk_wakes_nobody),
        ALL(a_disk_can_be_made_again_on_the_same_poller),
        READERS(the_devices_error_is_the_reads_status),
        READERS(images_share_a_disk_and_keep_their_bytes),
        WITH(uring, images_without_a_registered_place_are_read_all_the_same),
        WITH(threads, uring_needs_its_poller),
        WITH(uring, uring_works_without_locked_memory),
        WITH(threads, threads_block_signals_and_are_joined),
        WITH(threads, a_completion_event_that_fails_ends_the_poller),
        WITH(null_disk, a_completion_event_that_fails_ends_the_poller),
        cmocka_unit_test(pattern_numbers_its_sectors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
