/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <linux/magic.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
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
    char device[32]; /* a loop device */
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
    return image_open(f->path, false, &f->image, &f->why);
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

/* In a mount namespace of its own, as root. 0, 77 not allowed, else what went wrong. */
static int open_on_overlay(struct fixture *f, bool upper_in_memory)
{
    char upper[96], merged[96], options[512];
    snprintf(upper, sizeof(upper), "%s/upper", f->dir);
    snprintf(merged, sizeof(merged), "%s/merged", f->dir);
    snprintf(options, sizeof(options), "lowerdir=%s/lower,upperdir=%s/u,workdir=%s/w", f->dir,
             upper, upper);
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return 77;
    if (upper_in_memory && mount("none", upper, "tmpfs", 0, NULL) < 0)
        return 77;
    char path[112];
    snprintf(path, sizeof(path), "%s/u", upper);
    (void)mkdir(path, 0755);
    snprintf(path, sizeof(path), "%s/w", upper);
    (void)mkdir(path, 0755);
    if (mount("none", merged, "overlay", 0, options) < 0)
        return 77;
    snprintf(path, sizeof(path), "%s/disk.img", merged);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    if (fd < 0 || ftruncate(fd, 4096) < 0 || close(fd) < 0)
        return 2;
    int rc = image_open(path, false, &f->image, &f->why);
    if (upper_in_memory)
        return rc == -ENOTSUP && strstr(f->why.text, "tmpfs") != NULL ? 0 : 3;
    /* what is in the lower layer and not in the upper one is on its own file system, too */
    snprintf(path, sizeof(path), "%s/below.img", merged);
    return rc == 0 && image_open(path, false, &f->image, &f->why) == 0 ? 0 : 4;
}

static void assert_on_overlay(struct fixture *f, bool upper_in_memory)
{
    static const char *const directories[] = {"lower", "upper", "merged"};
    char path[96];
    int status;
    skip_without_direct_io(f);
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s/%s", f->dir, directories[i]);
        assert_int_equal(mkdir(path, 0755), 0);
    }
    snprintf(path, sizeof(path), "%s/lower/below.img", f->dir);
    make_file(path, 4096);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(open_on_overlay(f, upper_in_memory));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    snprintf(path, sizeof(path), "rm -rf '%s'/*", f->dir);
    assert_int_equal(system(path), 0);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void an_overlay_on_a_disk_is_a_disk(void **state)
{
    assert_on_overlay(*state, false);
}

static void an_overlay_in_memory_is_refused_as_tmpfs_is(void **state)
{
    assert_on_overlay(*state, true);
}

/* A loop device over the file, with blocks of that size; f->device is its path. Gone when it is
 * closed. Skips where that is not allowed. */
static int make_loop(struct fixture *f, const char *file, uint32_t block_size)
{
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    int number = control < 0 ? -1 : ioctl(control, LOOP_CTL_GET_FREE);
    struct loop_config config = {.fd = (uint32_t)open(file, O_RDWR | O_CLOEXEC),
                                 .block_size = block_size,
                                 .info = {.lo_flags = LO_FLAGS_AUTOCLEAR}};
    snprintf(f->device, sizeof(f->device), "/dev/loop%d", number);
    int device = number < 0 ? -1 : open(f->device, O_RDWR | O_CLOEXEC);
    bool made = device >= 0 && ioctl(device, LOOP_CONFIGURE, &config) == 0;
    close((int)config.fd);
    if (control >= 0)
        close(control);
    if (!made) {
        print_message("no loop device here\n");
        if (device >= 0)
            close(device);
        skip();
    }
    return device;
}

static void a_device_of_whole_blocks_only(void **state)
{
    struct fixture *f = *state;
    skip_without_direct_io(f);
    make_file(f->path, 8 * 4096 + 512);
    int device = make_loop(f, f->path, 4096);
    assert_int_equal(image_open(f->device, false, &f->image, &f->why), -EINVAL);
    assert_non_null(strstr(f->why.text, f->device));
    assert_non_null(strstr(f->why.text, "losetup"));
    close(device);
    device = make_loop(f, f->path, 512);
    assert_int_equal(image_open(f->device, false, &f->image, &f->why), 0);
    assert_int_equal(f->image.size_bytes, 8 * 4096 + 512);
    image_close(&f->image);
    close(device);
    assert_int_equal(truncate(f->path, 8 * 4096), 0);
    device = make_loop(f, f->path, 4096);
    assert_int_equal(image_open(f->device, false, &f->image, &f->why), 0);
    assert_int_equal(f->image.block_size_bytes, 4096);
    close(device);
}

static void a_read_only_device_is_only_read(void **state)
{
    struct fixture *f = *state;
    int read_only = 1;
    skip_without_direct_io(f);
    make_file(f->path, 8 * 4096);
    int device = make_loop(f, f->path, 512);
    assert_int_equal(ioctl(device, BLKROSET, &read_only), 0);
    int written = image_open(f->device, true, &f->image, &f->why);
    int read = image_open(f->device, false, &f->image, NULL);
    read_only = 0; /* else the device stays so, whatever file it has next */
    assert_int_equal(ioctl(device, BLKROSET, &read_only), 0);
    assert_int_equal(written, -EROFS);
    assert_non_null(strstr(f->why.text, f->device));
    assert_int_equal(read, 0);
    close(device);
}

static void a_loop_device_in_memory_is_refused_as_tmpfs_is(void **state)
{
    struct fixture *f = *state;
    struct statfs fs;
    if (statfs("/dev/shm", &fs) < 0 || fs.f_type != TMPFS_MAGIC)
        skip();
    snprintf(f->path, sizeof(f->path), "/dev/shm/test_image.%d", (int)getpid());
    make_file(f->path, 4096);
    int device = make_loop(f, f->path, 512);
    assert_int_equal(image_open(f->device, false, &f->image, &f->why), -ENOTSUP);
    assert_non_null(strstr(f->why.text, "tmpfs"));
    close(device);
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
    assert_int_equal(image_refresh(&f->image, &f->why), 0);
    assert_int_equal(f->image.size_bytes, 8192);
    assert_int_equal(truncate(f->path, 512), 0);
    assert_int_equal(image_refresh(&f->image, &f->why), 0);
    assert_int_equal(f->image.size_bytes, 512);
}

/* Refused with this error and these words about this file; the image is as it was. */
static void assert_not_refreshed(struct fixture *f, int rc, const char *words)
{
    assert_int_equal(image_refresh(&f->image, &f->why), rc);
    assert_non_null(strstr(f->why.text, f->path));
    assert_non_null(strstr(f->why.text, words));
    assert_int_equal(f->image.size_bytes, 4096);
    assert_true(f->image.fd >= 0);
}

static void refresh_refuses_bad_sizes_and_keeps_the_old(void **state)
{
    struct fixture *f = *state;

    skip_without_direct_io(f);
    make_file(f->path, 4096);
    assert_int_equal(open_it(f), 0);
    assert_int_equal(truncate(f->path, 4097), 0);
    assert_not_refreshed(f, -EINVAL, "4097 bytes");
    assert_int_equal(truncate(f->path, 0), 0);
    assert_not_refreshed(f, -EINVAL, "empty");
}

static void refresh_notices_that_the_file_is_another_one(void **state)
{
    struct fixture *f = *state;
    char other[112];

    skip_without_direct_io(f);
    make_file(f->path, 4096);
    assert_int_equal(open_it(f), 0);
    snprintf(other, sizeof(other), "%s.new", f->path);
    make_file(other, 8192);
    assert_int_equal(rename(other, f->path), 0);
    assert_not_refreshed(f, -ESTALE, "another file");
    assert_int_equal(unlink(f->path), 0);
    assert_not_refreshed(f, -ENOENT, "not there any more");
}

static void refresh_follows_a_link_as_open_does(void **state)
{
    struct fixture *f = *state;
    char first[112], second[112];

    skip_without_direct_io(f);
    snprintf(first, sizeof(first), "%s.1", f->path);
    snprintf(second, sizeof(second), "%s.2", f->path);
    make_file(first, 4096);
    make_file(second, 8192);
    unlink(f->path);
    assert_int_equal(symlink("disk.img.1", f->path), 0);
    assert_int_equal(open_it(f), 0);
    assert_int_equal(image_refresh(&f->image, &f->why), 0);
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(symlink("disk.img.2", f->path), 0);
    assert_not_refreshed(f, -ESTALE, "another file");
    unlink(first);
    unlink(second);
}

/* Its node may be made anew: the device counts. */
static void refresh_knows_a_device_by_its_number(void **state)
{
    struct fixture *f = *state;
    char node[112];
    struct stat st;

    skip_without_direct_io(f);
    make_file(f->path, 4096);
    int device = make_loop(f, f->path, 512);
    assert_int_equal(fstat(device, &st), 0);
    snprintf(node, sizeof(node), "%s.node", f->path);
    if (mknod(node, S_IFBLK | 0600, st.st_rdev) < 0)
        skip();
    assert_int_equal(image_open(node, false, &f->image, &f->why), 0);
    assert_int_equal(unlink(node), 0);
    assert_int_equal(mknod(node, S_IFBLK | 0600, st.st_rdev), 0);
    assert_int_equal(image_refresh(&f->image, &f->why), 0);
    unlink(node);
    close(device);
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
        WITH_FILES(opens_for_writing_too),
        WITH_FILES(a_part_block_at_the_end_cannot_be_written),
        WITH_FILES(close_may_be_repeated),
        WITH_FILES(refuses_a_missing_file),
        WITH_FILES(refuses_an_empty_file),
        WITH_FILES(refuses_a_part_sector),
        WITH_FILES(refuses_a_directory),
        WITH_FILES(refuses_a_fifo_without_blocking),
        WITH_FILES(refuses_an_unreadable_file),
        WITH_FILES(refuses_tmpfs),
        WITH_FILES(an_overlay_on_a_disk_is_a_disk),
        WITH_FILES(an_overlay_in_memory_is_refused_as_tmpfs_is),
        WITH_FILES(a_device_of_whole_blocks_only),
        WITH_FILES(a_read_only_device_is_only_read),
        WITH_FILES(a_loop_device_in_memory_is_refused_as_tmpfs_is),
        WITH_FILES(refuses_a_file_system_without_direct_io),
        WITH_FILES(other_errors_are_named),
        WITH_FILES(refresh_follows_a_resize),
        WITH_FILES(refresh_refuses_bad_sizes_and_keeps_the_old),
        WITH_FILES(refresh_notices_that_the_file_is_another_one),
        WITH_FILES(refresh_follows_a_link_as_open_does),
        WITH_FILES(refresh_knows_a_device_by_its_number),
        cmocka_unit_test(read_span_is_aligned_and_covers),
        cmocka_unit_test(read_span_reaches_beyond_4_gib),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
