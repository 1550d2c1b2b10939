/* SPDX-License-Identifier: MIT */
/* segment: layout, what Dom0 makes, and what the system may lack. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "fakes/valgrind.h"
#include "unit/ring/segment_fixture.h"

/* The linker sends the library's calls here: a system that has no such files, or no seals. */
static int memfd_error, seal_error;

int __real_memfd_create(const char *name, unsigned int flags);

int __wrap_memfd_create(const char *name, unsigned int flags);

int __wrap_memfd_create(const char *name, unsigned int flags)
{
    errno = memfd_error;
    return memfd_error != 0 ? -1 : __real_memfd_create(name, flags);
}

int __real_fcntl(int fd, int cmd, ...);

int __wrap_fcntl(int fd, int cmd, long arg);

int __wrap_fcntl(int fd, int cmd, long arg)
{
    if (cmd == F_ADD_SEALS && seal_error != 0) {
        errno = seal_error;
        return -1;
    }
    return __real_fcntl(fd, cmd, arg);
}

static void areas_follow_each_other_without_overlap(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {SEGMENT_PAGES_MIN, 40, 508, 509, 510, 512, 513, 1024, 4096};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct segment s;
        int fd;
        assert_int_equal(segment_create(sizes[i], DOMID, &s, &fd), 0);
        const struct start_info *si = s.start_info;
        assert_ptr_equal(si, s.base);
        assert_ptr_equal(s.shared_info, segment_page(&s, si->shared_info_pfn));
        assert_ptr_equal(s.store, segment_page(&s, si->store_pfn));
        assert_ptr_equal(s.gnttab, segment_page(&s, si->gnttab_pfn));
        assert_true(si->shared_info_pfn == 1 && si->store_pfn == 2 && si->gnttab_pfn == 3);
        assert_int_equal(si->gnttab_pfn + si->nr_gnttab_frames, si->free_pfn);
        assert_int_equal(si->free_pfn + si->nr_free_pages, sizes[i]);
        assert_int_equal(s.nr_pages, sizes[i]);
        assert_int_equal(s.free_pfn, si->free_pfn);
        assert_int_equal(s.nr_free_pages, si->nr_free_pages);
        /* Every page can be granted once, besides the reserved references. */
        assert_true(s.nr_grant_entries >= sizes[i] + GNTTAB_NR_RESERVED_ENTRIES);
        assert_int_equal(s.nr_grant_entries, si->nr_gnttab_frames * GNTTAB_ENTRIES_PER_FRAME);
        segment_detach(&s);
        close(fd);
    }
}

static void pages_for_is_enough_and_no_more(void **state)
{
    (void)state;
    for (uint32_t wanted = 1; wanted < 2000; wanted += wanted < 600 ? 1 : 97) {
        struct segment s;
        int fd;
        uint32_t pages = segment_pages_for(wanted);
        assert_int_equal(segment_create(pages, DOMID, &s, &fd), 0);
        assert_true(s.nr_free_pages >= wanted);
        segment_detach(&s);
        close(fd);
        if (pages == SEGMENT_PAGES_MIN)
            continue;
        assert_int_equal(segment_create(pages - 1, DOMID, &s, &fd), 0);
        assert_true(s.nr_free_pages < wanted);
        segment_detach(&s);
        close(fd);
    }
}

static void create_refuses_sizes_out_of_range(void **state)
{
    (void)state;
    struct segment s;
    int fd = 5;
    assert_int_equal(segment_create(0, DOMID, &s, &fd), -EINVAL);
    assert_int_equal(segment_create(SEGMENT_PAGES_MIN - 1, DOMID, &s, &fd), -EINVAL);
    assert_int_equal(segment_create(SEGMENT_PAGES_MAX + 1, DOMID, &s, &fd), -EINVAL);
    assert_int_equal(segment_create(UINT32_MAX, DOMID, &s, &fd), -EINVAL);
    assert_int_equal(fd, -1);
    assert_null(s.base);
}

static void the_file_is_private_and_has_no_name(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    assert_int_equal(fstat(f->fd, &st), 0);
    assert_int_equal(st.st_nlink, 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, NR_PAGES * XEN_PAGE_SIZE);
    assert_true(st.st_blocks * 512 < NR_PAGES * XEN_PAGE_SIZE); /* its maker takes little of it */
    assert_true(fcntl(f->fd, F_GETFD) & FD_CLOEXEC);
}

static void nobody_can_change_its_size(void **state)
{
    struct fixture *f = *state;
    const off_t bytes = NR_PAGES * XEN_PAGE_SIZE;
    for (off_t size = 0; size <= 2 * bytes; size += XEN_PAGE_SIZE / 2) {
        if (size == bytes)
            continue;
        assert_int_equal(ftruncate(f->fd, size), -1);
        assert_int_equal(errno, EPERM);
    }
    assert_int_equal(posix_fallocate(f->fd, 0, bytes + 1), EPERM);
    /* Nor take the seals away, with an own view or by another name of the file. */
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", f->fd);
    assert_int_equal(truncate(path, 0), -1);
    assert_int_equal(errno, EPERM);
}

/* Whoever looks at a page while a hole is made around it waits until all of the hole is made. */
static void once_it_is_settled_nobody_makes_holes(void **state)
{
    (void)state;
    if (under_qemu())
        skip(); /* it plays madvise and mremap itself */
    const int hole = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    struct segment s, domain;
    int fd;
    assert_int_equal(segment_create(NR_PAGES, DOMID, &s, &fd), 0);
    assert_int_equal(segment_attach(fd, &domain), 0);
    assert_int_equal(fallocate(fd, hole, s.free_pfn * XEN_PAGE_SIZE, XEN_PAGE_SIZE), 0);
    assert_int_equal(segment_settle(fd), 0);
    assert_int_equal(segment_settle(fd), 0);
    memset(segment_page(&domain, NR_PAGES - 1), 7, XEN_PAGE_SIZE);
    assert_int_equal(fallocate(fd, hole, 0, NR_PAGES * XEN_PAGE_SIZE), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(madvise(domain.base, NR_PAGES * XEN_PAGE_SIZE, MADV_REMOVE), -1);
    assert_int_equal(errno, EPERM);
    assert_ptr_equal(mmap(NULL, XEN_PAGE_SIZE, PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    assert_int_equal(((uint8_t *)segment_page(&s, NR_PAGES - 1))[XEN_PAGE_SIZE - 1], 7);
    /* Views of a view, as Dom0 makes of scattered ring pages, are still possible. */
    uint8_t *view = mremap(segment_page(&s, NR_PAGES - 1), 0, XEN_PAGE_SIZE, MREMAP_MAYMOVE);
    assert_ptr_not_equal(view, MAP_FAILED);
    view[0] = 8;
    assert_int_equal(((uint8_t *)segment_page(&domain, NR_PAGES - 1))[0], 8);
    munmap(view, XEN_PAGE_SIZE);
    segment_detach(&domain);
    segment_detach(&s);
    close(fd);
}

static void a_domain_that_seals_it_first_is_found_out(void **state)
{
    (void)state;
    struct segment s;
    int fd;
    assert_int_equal(segment_create(NR_PAGES, DOMID, &s, &fd), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL), 0);
    assert_int_equal(segment_settle(fd), -EPERM);
    segment_detach(&s);
    close(fd);
}

static void what_the_system_lacks_is_told_by_one_error(void **state)
{
    (void)state;
    static const int errors[] = {ENOSYS, EPERM, EACCES, EINVAL};
    struct segment s;
    int fd = 5;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        memfd_error = errors[i];
        assert_int_equal(segment_create(NR_PAGES, DOMID, &s, &fd), -EOPNOTSUPP);
        memfd_error = 0;
        seal_error = errors[i];
        assert_int_equal(segment_create(NR_PAGES, DOMID, &s, &fd), -EOPNOTSUPP);
        seal_error = 0;
        assert_int_equal(fd, -1);
        assert_null(s.base);
    }
    memfd_error = EMFILE; /* the system has them, but not now */
    assert_int_equal(segment_create(NR_PAGES, DOMID, &s, &fd), -EMFILE);
    memfd_error = 0;
}

static void the_limit_of_file_sizes_counts(void **state)
{
    (void)state;
    struct segment s;
    struct rlimit before, low;
    int fd;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    low = before;
    low.rlim_cur = NR_PAGES * XEN_PAGE_SIZE - 1;
    signal(SIGXFSZ, SIG_IGN); /* as in each program */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    int rc = segment_create(NR_PAGES, DOMID, &s, &fd);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(rc, -EFBIG);
    assert_int_equal(fd, -1);
}

static void a_fresh_segment_tells_the_truth(void **state)
{
    struct fixture *f = *state;
    const struct start_info *si = f->segment.start_info;
    assert_string_equal(si->magic, START_INFO_MAGIC);
    assert_int_equal(si->abi_version, START_INFO_ABI_VERSION);
    assert_int_equal(si->struct_size, sizeof(*si));
    assert_int_equal(si->domid, DOMID);
    assert_int_equal(si->store_evtchn, SEGMENT_STORE_EVTCHN);
    assert_int_equal(f->segment.hints->version, HINTS_VERSION);
    assert_true(f->segment.hints->dom0_cpu == HINTS_CPU_NONE);
    assert_true(f->segment.hints->domu_cpu == HINTS_CPU_NONE);
}

static void only_the_store_page_is_granted_at_birth(void **state)
{
    struct fixture *f = *state;
    for (uint32_t ref = 0; ref < f->segment.nr_grant_entries; ref++) {
        const struct grant_entry_v1 *entry = &f->segment.gnttab[ref];
        if (ref == 1) {
            assert_int_equal(entry->flags, GTF_permit_access);
            assert_int_equal(entry->domid, DOM0_DOMID);
            assert_ptr_equal(segment_page(&f->segment, entry->frame), f->segment.store);
        } else {
            assert_int_equal(entry->flags, GTF_invalid);
        }
    }
}

/* On its own account, and all of it: what is lacking is an error of attach. */
static void the_domain_takes_the_memory(void **state)
{
    struct fixture *f = *state;
    struct segment other;
    struct stat st;
    assert_int_equal(segment_attach(f->fd, &other), 0);
    assert_int_equal(fstat(f->fd, &st), 0);
    assert_int_equal(st.st_blocks, NR_PAGES * (XEN_PAGE_SIZE / 512));
    segment_detach(&other);
}

static void the_making_of_a_large_one_is_no_more_work(void **state)
{
    (void)state;
    struct segment s;
    struct stat st;
    int fd;
    assert_int_equal(segment_create(SEGMENT_PAGES_MAX, DOMID, &s, &fd), 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_in_range(st.st_blocks, 1, 8 * (XEN_PAGE_SIZE / 512));
    segment_detach(&s);
    close(fd);
}

int main(void)
{
#define SEGMENT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(areas_follow_each_other_without_overlap),
        cmocka_unit_test(pages_for_is_enough_and_no_more),
        cmocka_unit_test(create_refuses_sizes_out_of_range),
        SEGMENT_TEST(the_domain_takes_the_memory),
        cmocka_unit_test(the_making_of_a_large_one_is_no_more_work),
        SEGMENT_TEST(the_file_is_private_and_has_no_name),
        SEGMENT_TEST(nobody_can_change_its_size),
        cmocka_unit_test(once_it_is_settled_nobody_makes_holes),
        cmocka_unit_test(a_domain_that_seals_it_first_is_found_out),
        cmocka_unit_test(what_the_system_lacks_is_told_by_one_error),
        cmocka_unit_test(the_limit_of_file_sizes_counts),
        SEGMENT_TEST(a_fresh_segment_tells_the_truth),
        SEGMENT_TEST(only_the_store_page_is_granted_at_birth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
