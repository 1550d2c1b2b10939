/* SPDX-License-Identifier: MIT */
/* segment: hand-over by descriptor, and what attach refuses. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "faults/fault.h"
#include "unit/ring/segment_fixture.h"

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

/* A signal may interrupt it, and then it goes on. */
static void memory_is_taken_whatever_interrupts_it(void **state)
{
    static const char *const calls[] = {"pread", "posix_fallocate"};
    struct fixture *f = *state;
    struct segment other;
    struct stat st;
    for (int i = 0; i < 2; i++) {
        fault_arm_call(calls[i], 1, EINTR);
        assert_int_equal(segment_attach(f->fd, &other), 0);
        assert_string_equal(fault_disarm(), calls[i]);
        segment_detach(&other);
    }
    assert_int_equal(fstat(f->fd, &st), 0);
    assert_true((uint64_t)st.st_blocks * 512 >= (uint64_t)st.st_size);
}

static void a_call_that_fails_is_told(void **state)
{
    static const struct {
        const char *call;
        int error;
    } rows[] = {{"posix_fallocate", ENOSPC}, {"fstat", EIO}, {"pread", EIO}, {"mmap", ENOMEM}};
    struct fixture *f = *state;
    struct segment other;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        fault_arm_call(rows[i].call, 1, rows[i].error);
        assert_int_equal(segment_attach(f->fd, &other), -rows[i].error);
        assert_string_equal(fault_disarm(), rows[i].call);
        assert_null(other.base);
    }
}

int main(void)
{
#define SEGMENT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attach_gets_ahead_of_a_timer),
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
        cmocka_unit_test_setup_teardown(memory_is_taken_whatever_interrupts_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_call_that_fails_is_told, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
