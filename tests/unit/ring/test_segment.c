/* SPDX-License-Identifier: MIT */
/* segment: layout, hand-over by descriptor, and what attach refuses. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fakes/valgrind.h"
#include "ring/segment.h"

enum { NR_PAGES = 40, DOMID = 7 };

struct fixture {
    struct segment segment;
    int fd;
};

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

/* A file as a back end may make it: so many bytes, a start_info (may be NULL), these seals. */
static int raw_file(off_t bytes, const struct start_info *si, int seals)
{
    struct hints hints = {.version = HINTS_VERSION};
    int fd = memfd_create("raw", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(fd >= 0);
    if (si != NULL)
        assert_int_equal(pwrite(fd, si, sizeof(*si), 0), sizeof(*si));
    if (si != NULL)
        assert_int_equal(pwrite(fd, &hints, sizeof(hints), HINTS_OFFSET), sizeof(hints));
    assert_int_equal(ftruncate(fd, bytes), 0);
    if (seals != 0)
        assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static int setup(void **state)
{
    static struct fixture f;
    *state = &f;
    return segment_create(NR_PAGES, DOMID, &f.segment, &f.fd);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    segment_detach(&f->segment);
    return close(f->fd);
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

static void attach_sees_the_same_memory(void **state)
{
    struct fixture *f = *state;
    struct segment other;
    assert_int_equal(segment_attach(f->fd, &other), 0);
    assert_ptr_not_equal(other.base, f->segment.base);
    assert_int_equal(other.nr_pages, f->segment.nr_pages);
    assert_int_equal(other.domid, DOMID);
    assert_int_equal(other.nr_grant_entries, f->segment.nr_grant_entries);
    assert_int_equal(other.free_pfn, f->segment.free_pfn);
    assert_int_equal(other.nr_free_pages, f->segment.nr_free_pages);
    assert_int_equal(other.store_evtchn, SEGMENT_STORE_EVTCHN);
    memcpy(segment_page(&other, NR_PAGES - 1), "last page", 10);
    assert_string_equal(segment_page(&f->segment, NR_PAGES - 1), "last page");
    segment_detach(&other);
}

static void expect_refused(int fd, size_t offset)
{
    struct segment other;
    int rc = segment_attach(fd, &other);
    if (rc != -EPROTO)
        fail_msg("start_info with a changed byte %zu: attach returned %d", offset, rc);
    assert_null(other.base);
}

/* Every byte but for domid: any domid could be right. */
static void attach_refuses_every_corrupted_byte(void **state)
{
    struct fixture *f = *state;
    uint8_t *si = (uint8_t *)f->segment.start_info;
    for (size_t i = 0; i < sizeof(struct start_info); i++) {
        if (i - offsetof(struct start_info, domid) < sizeof(domid_t))
            continue;
        for (uint32_t flip = 1; flip <= 0x80; flip <<= 1) {
            si[i] = (uint8_t)(si[i] ^ flip);
            expect_refused(f->fd, i);
            si[i] = (uint8_t)(si[i] ^ flip);
        }
    }
    struct segment other;
    assert_int_equal(segment_attach(f->fd, &other), 0);
    segment_detach(&other);
}

static void attach_tells_the_domid_that_it_found(void **state)
{
    struct fixture *f = *state;
    struct segment other;
    f->segment.start_info->domid = 4711;
    assert_int_equal(segment_attach(f->fd, &other), 0);
    assert_int_equal(other.domid, 4711);
    segment_detach(&other);
}

static void attach_ignores_the_hints(void **state)
{
    struct fixture *f = *state;
    struct segment other;
    f->segment.hints->dom0_cpu = 3;
    f->segment.hints->domu_cpu = 0x12345678;
    assert_int_equal(segment_attach(f->fd, &other), 0);
    segment_detach(&other);
}

static void attach_refuses_hints_of_another_version(void **state)
{
    struct fixture *f = *state;
    f->segment.hints->version = HINTS_VERSION + 1;
    expect_refused(f->fd, HINTS_OFFSET);
}

static void attach_refuses_a_file_of_another_size(void **state)
{
    static const off_t sizes[] = {
        0,
        1,
        (off_t)sizeof(struct start_info) - 1,
        sizeof(struct start_info),
        XEN_PAGE_SIZE,
        (NR_PAGES - 1) * XEN_PAGE_SIZE,
        NR_PAGES * XEN_PAGE_SIZE - 1,
        NR_PAGES * XEN_PAGE_SIZE + 1,
        (NR_PAGES + 1) * XEN_PAGE_SIZE,
    };
    struct fixture *f = *state;
    struct segment other;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        int fd = raw_file(sizes[i], f->segment.start_info, F_SEAL_GROW | F_SEAL_SHRINK);
        assert_int_equal(segment_attach(fd, &other), -EPROTO);
        assert_null(other.base);
        close(fd);
    }
}

/* A back end that could take pages away from under us is not believed, whatever it shows. */
static void attach_refuses_what_is_not_sealed(void **state)
{
    struct fixture *f = *state;
    const off_t bytes = NR_PAGES * XEN_PAGE_SIZE;
    static const int seals[] = {0, F_SEAL_GROW, F_SEAL_SHRINK, F_SEAL_SEAL | F_SEAL_GROW};
    struct segment other;
    for (size_t i = 0; i < sizeof(seals) / sizeof(seals[0]); i++) {
        int fd = raw_file(bytes, f->segment.start_info, seals[i]);
        assert_int_equal(segment_attach(fd, &other), -EBADFD);
        assert_null(other.base);
        close(fd);
    }
    int fd = raw_file(bytes, f->segment.start_info, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
    assert_int_equal(segment_attach(fd, &other), 0);
    segment_detach(&other);
    close(fd);
}

static void attach_refuses_what_is_no_file_in_memory(void **state)
{
    struct fixture *f = *state;
    struct segment other;
    FILE *named = tmpfile();
    int fds[2], bell = eventfd(0, EFD_CLOEXEC);
    assert_true(named != NULL && bell >= 0 && pipe(fds) == 0);
    assert_int_equal(pwrite(fileno(named), f->segment.base, XEN_PAGE_SIZE, 0), XEN_PAGE_SIZE);
    assert_int_equal(ftruncate(fileno(named), NR_PAGES * XEN_PAGE_SIZE), 0);
    const int others[] = {fileno(named), bell, fds[0], fds[1]};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_int_equal(segment_attach(others[i], &other), -EBADFD);
    close(bell);
    close(fds[0]);
    close(fds[1]);
    fclose(named);
}

/* A page count that agrees with the file but that no segment can have. */
static void attach_refuses_page_counts_out_of_range(void **state)
{
    static const uint32_t counts[] = {0, 1, SEGMENT_PAGES_MIN - 1, SEGMENT_PAGES_MAX + 1};
    struct fixture *f = *state;
    struct segment other;
    struct start_info si = *f->segment.start_info;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        si.nr_pages = counts[i]; /* and all that follows from it */
        si.nr_gnttab_frames = (counts[i] + GNTTAB_NR_RESERVED_ENTRIES + 511) / 512;
        si.free_pfn = si.gnttab_pfn + si.nr_gnttab_frames;
        si.nr_free_pages = counts[i] - si.free_pfn;
        int fd = raw_file((off_t)counts[i] * XEN_PAGE_SIZE, &si, F_SEAL_GROW | F_SEAL_SHRINK);
        assert_int_equal(segment_attach(fd, &other), -EPROTO);
        close(fd);
    }
}

static void attach_reports_a_bad_descriptor(void **state)
{
    (void)state;
    struct segment other;
    assert_int_equal(segment_attach(-1, &other), -EBADF);
    assert_null(other.base);
}

static void detach_may_run_twice(void **state)
{
    struct fixture *f = *state;
    struct segment other, never = {0};
    assert_int_equal(segment_attach(f->fd, &other), 0);
    segment_detach(&other);
    assert_null(other.base);
    segment_detach(&other);
    segment_detach(&never);
}

static void ignore_signal(int signo)
{
    (void)signo;
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

/* A program with a fast interval timer: each tick interrupts the reservation of the memory. */
static void attach_gets_ahead_of_a_timer(void **state)
{
    (void)state;
    const struct sigaction action = {.sa_handler = ignore_signal};
    const struct sigaction ignored = {.sa_handler = SIG_IGN}; /* the last tick may still come */
    const struct itimerval ticks = {{0, 500}, {0, 500}}, none = {{0, 0}, {0, 0}};
    struct segment s, domain;
    int fd, rc;
    assert_int_equal(segment_create(SEGMENT_PAGES_MAX, DOMID, &s, &fd), 0);
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &ticks, NULL), 0);
    rc = segment_attach(fd, &domain);
    assert_int_equal(setitimer(ITIMER_REAL, &none, NULL), 0);
    assert_int_equal(sigaction(SIGALRM, &ignored, NULL), 0);
    assert_int_equal(rc, 0);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_blocks, (blkcnt_t)SEGMENT_PAGES_MAX * (XEN_PAGE_SIZE / 512));
    segment_detach(&domain);
    segment_detach(&s);
    close(fd);
}

/* A service that runs for ever has seen many domains. */
static void a_detached_segment_is_no_longer_mapped(void **state)
{
    struct segment s;
    unsigned char resident;
    int fd;
    (void)state;
    assert_int_equal(segment_create(NR_PAGES, DOMID, &s, &fd), 0);
    void *base = s.base;
    assert_int_equal(mincore(base, 1, &resident), 0);
    segment_detach(&s);
    assert_int_equal(mincore(base, 1, &resident), -1);
    assert_int_equal(errno, ENOMEM);
    segment_detach(&s); /* once more, or one that never was */
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
        cmocka_unit_test(attach_gets_ahead_of_a_timer),
        SEGMENT_TEST(the_file_is_private_and_has_no_name),
        SEGMENT_TEST(nobody_can_change_its_size),
        cmocka_unit_test(once_it_is_settled_nobody_makes_holes),
        cmocka_unit_test(a_domain_that_seals_it_first_is_found_out),
        cmocka_unit_test(what_the_system_lacks_is_told_by_one_error),
        cmocka_unit_test(the_limit_of_file_sizes_counts),
        SEGMENT_TEST(a_fresh_segment_tells_the_truth),
        SEGMENT_TEST(only_the_store_page_is_granted_at_birth),
        SEGMENT_TEST(attach_sees_the_same_memory),
        SEGMENT_TEST(attach_refuses_every_corrupted_byte),
        SEGMENT_TEST(attach_tells_the_domid_that_it_found),
        SEGMENT_TEST(attach_ignores_the_hints),
        SEGMENT_TEST(attach_refuses_hints_of_another_version),
        SEGMENT_TEST(attach_refuses_a_file_of_another_size),
        SEGMENT_TEST(attach_refuses_what_is_not_sealed),
        SEGMENT_TEST(attach_refuses_what_is_no_file_in_memory),
        SEGMENT_TEST(attach_refuses_page_counts_out_of_range),
        cmocka_unit_test(attach_reports_a_bad_descriptor),
        SEGMENT_TEST(detach_may_run_twice),
        cmocka_unit_test(a_detached_segment_is_no_longer_mapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
