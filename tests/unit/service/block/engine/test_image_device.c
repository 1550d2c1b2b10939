/* SPDX-License-Identifier: MIT */
/* image: file systems and devices: what is a disk, and what is memory that looks like one. */
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "unit/service/block/engine/image_fixture.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FILES(refuses_tmpfs),
        WITH_FILES(an_overlay_on_a_disk_is_a_disk),
        WITH_FILES(an_overlay_in_memory_is_refused_as_tmpfs_is),
        WITH_FILES(a_device_of_whole_blocks_only),
        WITH_FILES(a_read_only_device_is_only_read),
        WITH_FILES(a_loop_device_in_memory_is_refused_as_tmpfs_is),
        WITH_FILES(refuses_a_file_system_without_direct_io),
        WITH_FILES(refresh_knows_a_device_by_its_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
