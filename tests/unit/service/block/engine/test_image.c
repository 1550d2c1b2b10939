/* SPDX-License-Identifier: MIT */
#include <sys/wait.h>

#include "unit/service/block/engine/image_fixture.h"

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

static void opens_for_writing_too(void **state)
{
    struct fixture *f = *state;

    skip_without_direct_io(f);
    make_file(f->path, 65536);
    assert_int_equal(image_open(f->path, true, &f->image, &f->why), 0);
    assert_true(f->image.writable);
    assert_int_equal(fcntl(f->image.fd, F_GETFL) & O_ACCMODE, O_RDWR);
    assert_true(fcntl(f->image.fd, F_GETFL) & O_DIRECT);
    image_close(&f->image);
    assert_int_equal(open_it(f), 0);
    assert_false(f->image.writable);
}

/* A direct write of its last block would make the file longer. */
static void a_part_block_at_the_end_cannot_be_written(void **state)
{
    struct fixture *f = *state;

    skip_without_direct_io(f);
    make_file(f->path, 65536);
    assert_int_equal(image_open(f->path, true, &f->image, &f->why), 0);
    f->image.block_size_bytes = 4096;
    assert_int_equal(truncate(f->path, 65536 + 512), 0);
    assert_int_equal(image_refresh(&f->image, &f->why), -EINVAL);
    assert_non_null(strstr(f->why.text, "written"));
    assert_int_equal(f->image.size_bytes, 65536);
    assert_int_equal(truncate(f->path, 65536 + 4096), 0);
    assert_int_equal(image_refresh(&f->image, &f->why), 0);
    f->image.writable = false; /* to be read, any size will do */
    assert_int_equal(truncate(f->path, 65536 + 512), 0);
    assert_int_equal(image_refresh(&f->image, &f->why), 0);
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
        if (image_open("disk.img", false, &f->image, &f->why) != -EACCES)
            _exit(3);
        _exit(strstr(f->why.text, "disk.img: permission denied") ? 0 : 4);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void other_errors_are_named(void **state)
{
    struct fixture *f = *state;

    strcpy(f->path, "/proc/version/disk.img");
    assert_refused(f, -ENOTDIR, strerror(ENOTDIR));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FILES(opens_and_measures),
        WITH_FILES(opens_for_writing_too),
        WITH_FILES(a_part_block_at_the_end_cannot_be_written),
        WITH_FILES(close_may_be_repeated),
        WITH_FILES(refuses_a_missing_file),
        WITH_FILES(refuses_an_empty_file),
        WITH_FILES(refuses_a_part_sector),
        WITH_FILES(refuses_a_directory),
        WITH_FILES(refuses_a_fifo_without_blocking),
        WITH_FILES(refuses_an_unreadable_file),
        WITH_FILES(other_errors_are_named),
        cmocka_unit_test(read_span_is_aligned_and_covers),
        cmocka_unit_test(read_span_reaches_beyond_4_gib),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
