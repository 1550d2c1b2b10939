/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "service/block/engine/image.h"

/* A directory of our own below build/, because /tmp may be a tmpfs. */
struct fixture {
    char dir[64];
    char path[96];
    struct why why;
    struct image image;
};

static int setup(void **state)
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

static int teardown(void **state)
{
    struct fixture *f = *state;

    image_close(&f->image);
    if (unlink(f->path) < 0)
        rmdir(f->path);
    rmdir(f->dir);
    free(f);
    return 0;
}

static void make_file(const char *path, off_t size_bytes)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, size_bytes), 0);
    close(fd);
}

static int open_it(struct fixture *f)
{
    return image_open(f->path, &f->image, &f->why);
}

/* Refused with this error, closed, and with a message that names the file and says `words`. */
static void assert_refused(struct fixture *f, int err, const char *words)
{
    f->image.fd = 99;
    assert_int_equal(open_it(f), err);
    assert_int_equal(f->image.fd, -1);
    if (!strstr(f->why.text, f->path) || !strstr(f->why.text, words))
        fail_msg("message \"%s\" lacks \"%s\" or \"%s\"", f->why.text, f->path, words);
    assert_null(strchr(f->why.text, '\n'));
}

static void skip_without_direct_io(struct fixture *f)
{
    make_file(f->path, 512);
    if (open_it(f) == -ENOTSUP) {
        print_message("no direct I/O here: %s\n", f->why.text);
        skip();
    }
    image_close(&f->image);
}

static void opens_and_measures(void **state)
{
    struct fixture *f = *state;
    uint32_t block_bytes;
    void *buffer;

    skip_without_direct_io(f);
    make_file(f->path, 1048576 + 512);
    assert_int_equal(open_it(f), 0);
    assert_int_equal(f->image.size_bytes, 1048576 + 512);
    assert_true(fcntl(f->image.fd, F_GETFL) & O_DIRECT);
    assert_int_equal(fcntl(f->image.fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    assert_true(fcntl(f->image.fd, F_GETFD) & FD_CLOEXEC);

    /* both alignments are good enough for a read */
    block_bytes = f->image.block_size_bytes;
    assert_true(block_bytes >= 512);
    buffer = aligned_alloc(f->image.memory_align_bytes, block_bytes);
    assert_non_null(buffer);
    assert_int_equal(pread(f->image.fd, buffer, block_bytes, block_bytes), block_bytes);
    free(buffer);
}

static void close_may_be_repeated(void **state)
{
    struct fixture *f = *state;

    skip_without_direct_io(f);
    assert_int_equal(open_it(f), 0);
    image_close(&f->image);
    assert_int_equal(f->image.fd, -1);
    image_close(&f->image);
}

static void refuses_a_missing_file(void **state)
{
    assert_refused(*state, -ENOENT, "./disk1.img.sh");
}

static void refuses_an_empty_file(void **state)
{
    struct fixture *f = *state;

    skip_without_direct_io(f);
    make_file(f->path, 0);
    assert_refused(f, -EINVAL, "0 bytes");
}

static void refuses_a_part_sector(void **state)
{
    struct fixture *f = *state;

    skip_without_direct_io(f);
    make_file(f->path, 513);
    assert_refused(f, -EINVAL, "513 bytes");
    make_file(f->path, 511);
    assert_refused(f, -EINVAL, "511 bytes");
}

static void refuses_a_directory(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(mkdir(f->path, 0755), 0);
    assert_refused(f, -EISDIR, "directory");
}

static void refuses_a_fifo_without_blocking(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(mkfifo(f->path, 0644), 0);
    assert_refused(f, -EINVAL, "regular file");
}

/* root may read everything: a child of another user tries it, from inside the directory. */
static void refuses_an_unreadable_file(void **state)
{
    struct fixture *f = *state;
    pid_t pid;
    int status;

    make_file(f->path, 512);
    assert_int_equal(chmod(f->path, 0), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (chdir(f->dir) < 0 || (geteuid() == 0 && setuid(65534) < 0))
            _exit(2);
        if (image_open("disk.img", &f->image, &f->why) != -EACCES)
            _exit(3);
        _exit(strstr(f->why.text, "disk.img: permission denied") ? 0 : 4);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void refuses_tmpfs(void **state)
{
    struct fixture *f = *state;
    struct statfs fs;

    if (statfs("/dev/shm", &fs) < 0 || fs.f_type != TMPFS_MAGIC) {
        print_message("/dev/shm is no tmpfs here\n");
        skip();
    }
    snprintf(f->path, sizeof(f->path), "/dev/shm/test_image.%d", (int)getpid());
    make_file(f->path, 4096);
    assert_refused(f, -ENOTSUP, "O_DIRECT");
}

static void refuses_a_file_system_without_direct_io(void **state)
{
    struct fixture *f = *state;

    strcpy(f->path, "/proc/version");
    assert_refused(f, -ENOTSUP, "O_DIRECT");
}

static void other_errors_are_named(void **state)
{
    struct fixture *f = *state;

    strcpy(f->path, "/proc/version/disk.img");
    assert_refused(f, -ENOTDIR, strerror(ENOTDIR));
}

static void refresh_follows_a_resize(void **state)
{
    struct fixture *f = *state;

    skip_without_direct_io(f);
    make_file(f->path, 4096);
    assert_int_equal(open_it(f), 0);
    assert_int_equal(truncate(f->path, 8192), 0);
    assert_int_equal(f->image.size_bytes, 4096);
    assert_int_equal(image_refresh(&f->image), 0);
    assert_int_equal(f->image.size_bytes, 8192);
    assert_int_equal(truncate(f->path, 512), 0);
    assert_int_equal(image_refresh(&f->image), 0);
    assert_int_equal(f->image.size_bytes, 512);
}

static void refresh_refuses_bad_sizes_and_keeps_the_old(void **state)
{
    struct fixture *f = *state;

    skip_without_direct_io(f);
    make_file(f->path, 4096);
    assert_int_equal(open_it(f), 0);
    assert_int_equal(truncate(f->path, 4097), 0);
    assert_int_equal(image_refresh(&f->image), -EINVAL);
    assert_int_equal(truncate(f->path, 0), 0);
    assert_int_equal(image_refresh(&f->image), -EINVAL);
    assert_int_equal(f->image.size_bytes, 4096);
}

static void read_span_is_aligned_and_covers(void **state)
{
    static const uint32_t block_bytes[] = {512, 4096, 65536};

    (void)state;
    for (size_t b = 0; b < 3; b++) {
        struct image image = {.size_bytes = 1001 * 512, .block_size_bytes = block_bytes[b]};

        for (uint64_t sector = 0; sector < 1001; sector++) {
            for (uint32_t count = 1; count <= 88 && sector + count <= 1001; count++) {
                uint64_t offset_bytes;
                uint32_t length_bytes;

                image_read_span(&image, sector, count, &offset_bytes, &length_bytes);
                assert_int_equal(offset_bytes % block_bytes[b], 0);
                assert_int_equal(length_bytes % block_bytes[b], 0);
                assert_true(offset_bytes <= sector * 512);
                assert_true(sector * 512 - offset_bytes < block_bytes[b]);
                assert_true(offset_bytes + length_bytes >= (sector + count) * 512);
                assert_true(offset_bytes + length_bytes - (sector + count) * 512 < block_bytes[b]);
            }
        }
    }
}

static void read_span_reaches_beyond_4_gib(void **state)
{
    struct image image = {.size_bytes = UINT64_C(1) << 43, .block_size_bytes = 4096};
    uint64_t offset_bytes;
    uint32_t length_bytes;

    (void)state;
    image_read_span(&image, (UINT64_C(1) << 34) - 1, 1, &offset_bytes, &length_bytes);
    assert_int_equal(offset_bytes, (UINT64_C(1) << 43) - 4096);
    assert_int_equal(length_bytes, 4096);
}

#define WITH_FILES(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FILES(opens_and_measures),
        WITH_FILES(close_may_be_repeated),
        WITH_FILES(refuses_a_missing_file),
        WITH_FILES(refuses_an_empty_file),
        WITH_FILES(refuses_a_part_sector),
        WITH_FILES(refuses_a_directory),
        WITH_FILES(refuses_a_fifo_without_blocking),
        WITH_FILES(refuses_an_unreadable_file),
        WITH_FILES(refuses_tmpfs),
        WITH_FILES(refuses_a_file_system_without_direct_io),
        WITH_FILES(other_errors_are_named),
        WITH_FILES(refresh_follows_a_resize),
        WITH_FILES(refresh_refuses_bad_sizes_and_keeps_the_old),
        cmocka_unit_test(read_span_is_aligned_and_covers),
        cmocka_unit_test(read_span_reaches_beyond_4_gib),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
