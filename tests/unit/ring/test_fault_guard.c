/* SPDX-License-Identifier: MIT */
/* fault_guard: memory that its owner truncates under us. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fakes/valgrind.h"
#include "faults/fault.h"
#include "ring/fault_guard.h"

enum { PAGE = 4096, PAGES = 4, RANGES_MAX = 3 };

struct shared {
    int fd;
    volatile uint8_t *bytes;
};

static struct shared make_shared(void)
{
    struct shared shared = {.fd = memfd_create("guarded", MFD_CLOEXEC)};
    assert_true(shared.fd >= 0);
    assert_int_equal(ftruncate(shared.fd, PAGES * PAGE), 0);
    shared.bytes = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, shared.fd, 0);
    assert_true(shared.bytes != MAP_FAILED);
    memset((void *)shared.bytes, 0x5a, PAGES * PAGE);
    return shared;
}

static void drop_shared(struct shared *shared)
{
    munmap((void *)shared->bytes, PAGES * PAGE);
    close(shared->fd);
}

/* In the test itself: cmocka puts its own handlers in place between set-up and test. */
static void install(void)
{
    assert_int_equal(fault_guard_install(RANGES_MAX), 0);
}

static int remove_guard(void **state)
{
    (void)state;
    (void)fault_guard_any();
    fault_guard_remove();
    fault_guard_remove();
    return 0;
}

static void access_goes_on_after_a_truncation(void **state)
{
    (void)state;
    install();
    struct shared a = make_shared(), b = make_shared();
    int slot_a = fault_guard_add((void *)a.bytes, PAGES * PAGE, -1);
    int slot_b = fault_guard_add((void *)b.bytes, PAGES * PAGE, -1);
    assert_true(slot_a >= 0 && slot_b >= 0 && slot_a != slot_b);
    assert_false(fault_guard_any());
    assert_int_equal(ftruncate(a.fd, PAGE), 0);
    assert_int_equal(a.bytes[0], 0x5a); /* this page still exists */
    assert_false(fault_guard_any());
    errno = 4711;
    a.bytes[3 * PAGE] = 1;
    assert_int_equal(errno, 4711);
    assert_int_equal(a.bytes[3 * PAGE], 1); /* goes into memory that is ours alone */
    assert_int_equal(a.bytes[0], 0);
    assert_true(fault_guard_any());
    assert_false(fault_guard_any()); /* told once */
    assert_true(fault_guard_hit(slot_a));
    assert_false(fault_guard_hit(slot_b));
    assert_int_equal(b.bytes[3 * PAGE], 0x5a);
    fault_guard_drop(slot_a);
    fault_guard_drop(slot_b);
    drop_shared(&a);
    drop_shared(&b);
}

static void reading_is_guarded_too(void **state)
{
    (void)state;
    install();
    struct shared shared = make_shared();
    int slot = fault_guard_add((void *)shared.bytes, PAGES * PAGE, -1);
    assert_int_equal(ftruncate(shared.fd, 0), 0);
    assert_int_equal(shared.bytes[PAGES * PAGE - 1], 0);
    assert_true(fault_guard_hit(slot));
    fault_guard_drop(slot);
    drop_shared(&shared);
}

static void a_second_view_marks_its_owner(void **state)
{
    (void)state;
    if (under_valgrind() || under_qemu())
        skip(); /* they cannot map memory twice by mremap */
    install();
    struct shared shared = make_shared();
    volatile uint8_t *view = mremap((void *)shared.bytes, 0, PAGES * PAGE, MREMAP_MAYMOVE);
    assert_true(view != MAP_FAILED);
    int owner = fault_guard_add((void *)shared.bytes, PAGES * PAGE, -1);
    int alias = fault_guard_add((void *)view, PAGES * PAGE, owner);
    assert_int_equal(ftruncate(shared.fd, 0), 0);
    view[5] = 1;
    assert_true(fault_guard_any());
    assert_true(fault_guard_hit(owner));
    fault_guard_drop(alias);
    fault_guard_drop(owner);
    munmap((void *)view, PAGES * PAGE);
    drop_shared(&shared);
}

static void slots_are_used_again_clean(void **state)
{
    (void)state;
    install();
    struct shared shared = make_shared();
    int slot[RANGES_MAX];
    for (int i = 0; i < RANGES_MAX; i++)
        slot[i] = fault_guard_add((void *)(shared.bytes + i * PAGE), PAGE, -1);
    assert_int_equal(ftruncate(shared.fd, 0), 0);
    shared.bytes[PAGE] = 1;
    assert_false(fault_guard_hit(slot[0]));
    assert_true(fault_guard_hit(slot[1]));
    fault_guard_drop(slot[1]);
    int again = fault_guard_add((void *)(shared.bytes + 3 * PAGE), PAGE, -1);
    assert_int_equal(again, slot[1]);
    assert_false(fault_guard_hit(again));
    fault_guard_drop(-1);
    fault_guard_drop(RANGES_MAX);
    assert_false(fault_guard_hit(-1));
    assert_false(fault_guard_hit(RANGES_MAX));
    for (int i = 0; i < RANGES_MAX; i++)
        fault_guard_drop(slot[i]);
    drop_shared(&shared);
}

/* The first ones keep their slots. */
static void there_is_room_for_more_when_all_slots_are_used(void **state)
{
    (void)state;
    install();
    struct shared shared = make_shared(), more = make_shared();
    int first = fault_guard_add((void *)shared.bytes, PAGES * PAGE, -1);
    for (int i = 1; i < RANGES_MAX; i++)
        assert_int_equal(fault_guard_add((void *)more.bytes, PAGE, -1), i);
    fault_arm_call("calloc", 1, ENOMEM);
    assert_int_equal(fault_guard_add((void *)(more.bytes + PAGE), PAGE, -1), -ENOMEM);
    fault_disarm();
    int last = -1;
    while (last < 10 * RANGES_MAX)
        last = fault_guard_add((void *)(more.bytes + PAGE), PAGE, first);
    assert_int_equal(ftruncate(more.fd, 0), 0);
    more.bytes[PAGE] = 1;
    assert_true(fault_guard_hit(first));
    assert_false(fault_guard_hit(last));
    drop_shared(&shared);
    drop_shared(&more);
}

static void slots_are_bounded(void **state)
{
    (void)state;
    assert_int_equal(fault_guard_install(1), 0);
    char byte;
    for (int i = 0; i < 1024; i++)
        assert_int_equal(fault_guard_add(&byte, 1, -1), i);
    assert_int_equal(fault_guard_add(&byte, 1, -1), -ENOSPC);
}

static void there_is_one_guard_per_process(void **state)
{
    (void)state;
    install();
    assert_int_equal(fault_guard_install(RANGES_MAX), -EALREADY);
}

/* How a child ends that touches truncated memory. */
static int death_of(bool guarded_before)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit no_core = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &no_core);
        struct sigaction dies = {.sa_handler = SIG_DFL};
        fault_guard_remove();
        (void)sigaction(SIGBUS, &dies, NULL);
        (void)fault_guard_install(RANGES_MAX);
        struct shared shared = make_shared();
        if (guarded_before)
            fault_guard_drop(fault_guard_add((void *)shared.bytes, PAGES * PAGE, -1));
        (void)!ftruncate(shared.fd, 0);
        shared.bytes[0] = 1;
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void a_fault_elsewhere_still_kills(void **state)
{
    (void)state;
    install();
    assert_int_equal(death_of(false), SIGBUS);
    assert_int_equal(death_of(true), SIGBUS);
}

static void removal_gives_the_former_handler_back(void **state)
{
    (void)state;
    struct sigaction mine = {.sa_handler = SIG_IGN}, before, now;
    assert_int_equal(sigaction(SIGBUS, &mine, &before), 0);
    assert_int_equal(fault_guard_install(1), 0);
    fault_guard_remove();
    assert_int_equal(sigaction(SIGBUS, &before, &now), 0);
    assert_true(now.sa_handler == SIG_IGN);
}

static void without_memory_there_is_no_guard(void **state)
{
    (void)state;
    fault_arm_call("calloc", 1, ENOMEM);
    assert_int_equal(fault_guard_install(RANGES_MAX), -ENOMEM);
    fault_disarm();
    install(); /* the next time there is one */
}

int main(void)
{
#define GUARD_TEST(name) cmocka_unit_test_teardown(name, remove_guard)
    const struct CMUnitTest tests[] = {
        GUARD_TEST(access_goes_on_after_a_truncation),
        GUARD_TEST(reading_is_guarded_too),
        GUARD_TEST(a_second_view_marks_its_owner),
        GUARD_TEST(slots_are_used_again_clean),
        GUARD_TEST(there_is_room_for_more_when_all_slots_are_used),
        GUARD_TEST(slots_are_bounded),
        GUARD_TEST(there_is_one_guard_per_process),
        GUARD_TEST(a_fault_elsewhere_still_kills),
        cmocka_unit_test(removal_gives_the_former_handler_back),
        cmocka_unit_test_setup_teardown(without_memory_there_is_no_guard, NULL, remove_guard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
