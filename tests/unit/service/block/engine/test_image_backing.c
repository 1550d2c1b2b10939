/* SPDX-License-Identifier: MIT */
/* image_backing: which images are kept in memory; which have bytes in common; how much at a time a
 * disk takes. */
#include "service/block/engine/image_backing.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "faults/fault.h"

static void a_file_of_a_tmpfs_is_in_memory(void **state)
{
    (void)state;
    int fd = memfd_create("image", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(image_backing_is_memory(fd));
    close(fd);
}

static void a_file_of_another_file_system_is_not(void **state)
{
    (void)state;
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_false(image_backing_is_memory(fd));
    close(fd);
}

static void what_nobody_can_say_is_not(void **state)
{
    static const char *const calls[] = {"fstat", "fstatfs"};
    int fd = memfd_create("image", MFD_CLOEXEC);
    (void)state;
    for (int i = 0; i < 2; i++) {
        fault_arm_call(calls[i], 1, EIO);
        assert_false(image_backing_is_memory(fd));
        assert_string_equal(fault_disarm(), calls[i]);
    }
    close(fd);
    assert_false(image_backing_is_memory(fd));
}

static void a_file_backs_itself_from_end_to_end(void **state)
{
    struct image_backing backing;
    struct stat st;
    int fd = memfd_create("image", MFD_CLOEXEC);
    (void)state;
    assert_int_equal(fstat(fd, &st), 0);
    image_backing_find(fd, &backing);
    assert_false(backing.is_device);
    assert_int_equal(backing.device, st.st_dev);
    assert_int_equal(backing.inode, st.st_ino);
    assert_int_equal(backing.first_byte, 0);
    assert_true(backing.end_byte == UINT64_MAX);
    close(fd);
    image_backing_find(fd, &backing);
    assert_int_equal(backing.end_byte, 0);
}

static void bytes_in_common_are_those_of_one_place(void **state)
{
    static const struct {
        struct image_backing other;
        bool overlaps;
    } rows[] = {
        {{.device = 1, .inode = 7, .first_byte = 100, .end_byte = 200}, true},
        {{.device = 1, .inode = 7, .first_byte = 0, .end_byte = UINT64_MAX}, true},
        {{.device = 1, .inode = 7, .first_byte = 199, .end_byte = 300}, true},
        {{.device = 1, .inode = 7, .first_byte = 0, .end_byte = 101}, true},
        {{.device = 1, .inode = 7, .first_byte = 200, .end_byte = 300}, false},
        {{.device = 1, .inode = 7, .first_byte = 0, .end_byte = 100}, false},
        {{.device = 1, .inode = 8, .first_byte = 100, .end_byte = 200}, false},
        {{.device = 2, .inode = 7, .first_byte = 100, .end_byte = 200}, false},
        {{.is_device = true, .device = 1, .inode = 7, .end_byte = UINT64_MAX}, false},
        {{0}, false},
    };
    const struct image_backing one = {.device = 1, .inode = 7, .first_byte = 100, .end_byte = 200};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (image_backing_overlaps(&one, &rows[i].other) != rows[i].overlaps ||
            image_backing_overlaps(&rows[i].other, &one) != rows[i].overlaps)
            fail_msg("row %zu", i);
    }
}

static uint32_t said_of(const char *name)
{
    char path[320];
    uint32_t parts = 0;
    snprintf(path, sizeof(path), "/sys/dev/block/%s/queue/max_segments", name);
    FILE *file = fopen(path, "re");
    if (file == NULL) { /* a partition */
        snprintf(path, sizeof(path), "/sys/dev/block/%s/../queue/max_segments", name);
        file = fopen(path, "re");
    }
    if (file == NULL)
        return 0;
    if (fscanf(file, "%u", &parts) != 1)
        parts = 0;
    fclose(file);
    return parts;
}

static void each_device_and_partition_has_its_own(void **state)
{
    (void)state;
    DIR *dir = opendir("/sys/dev/block");
    const struct dirent *entry;
    uint32_t found = 0;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        unsigned int number[2];
        if (sscanf(entry->d_name, "%u:%u", &number[0], &number[1]) != 2)
            continue;
        assert_int_equal(image_backing_parts_max(makedev(number[0], number[1])),
                         said_of(entry->d_name));
        found++;
    }
    if (dir != NULL)
        closedir(dir);
    if (found == 0) {
        print_message("there is no block device here\n");
        skip();
    }
}

static void of_others_nobody_knows(void **state)
{
    (void)state;
    assert_int_equal(image_backing_parts_max(makedev(0, 77)),
                     0); /* as of a file system in memory */
    assert_int_equal(image_backing_parts_max(makedev(4095, 99)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_of_a_tmpfs_is_in_memory),
        cmocka_unit_test(a_file_of_another_file_system_is_not),
        cmocka_unit_test(what_nobody_can_say_is_not),
        cmocka_unit_test(a_file_backs_itself_from_end_to_end),
        cmocka_unit_test(bytes_in_common_are_those_of_one_place),
        cmocka_unit_test(each_device_and_partition_has_its_own),
        cmocka_unit_test(of_others_nobody_knows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
