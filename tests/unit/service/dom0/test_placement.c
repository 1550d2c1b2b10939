/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/irq_count.h"
#include "faults/fault.h"
#include "service/dom0/placement.h"

#define MS UINT64_C(1000000)

static cpu_set_t at_start; /* what each test is to find, and leaves */

static int setup(void **state)
{
    (void)state;
    return sched_getaffinity(0, sizeof(at_start), &at_start);
}

static int teardown(void **state)
{
    (void)state;
    return sched_setaffinity(0, sizeof(at_start), &at_start);
}

static int first_cpu(void)
{
    int cpu = 0;
    while (!CPU_ISSET((size_t)cpu, &at_start))
        cpu++;
    return cpu;
}

static void assert_runs_on(const cpu_set_t *expected)
{
    cpu_set_t now;
    assert_int_equal(sched_getaffinity(0, sizeof(now), &now), 0);
    assert_true(CPU_EQUAL(&now, expected));
}

static cpu_set_t only(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    return set;
}

static void parses_words_and_numbers(void **state)
{
    int cpu = 77;
    (void)state;
    assert_int_equal(placement_parse("auto", &cpu), 0);
    assert_int_equal(cpu, PLACEMENT_AUTO);
    assert_int_equal(placement_parse("any", &cpu), 0);
    assert_int_equal(cpu, PLACEMENT_ANY);
    assert_int_equal(placement_parse("0", &cpu), 0);
    assert_int_equal(cpu, 0);
    assert_int_equal(placement_parse("1023", &cpu), 0);
    assert_int_equal(cpu, 1023);
}

static void refuses_other_words(void **state)
{
    static const char *const bad[] = {
        "", "-1", "+1", " 1", "1 ", "1,2", "1024", "99999999999999999999", "Auto"};
    int cpu = 77;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(placement_parse(bad[i], &cpu), -EINVAL);
    assert_int_equal(cpu, 77);
}

static void a_number_pins(void **state)
{
    struct placement p;
    cpu_set_t expected = only(first_cpu());
    (void)state;
    assert_int_equal(placement_init(&p, first_cpu(), NULL), 0);
    assert_runs_on(&expected);
    placement_review(&p, 1000 * MS, 1000, 0); /* it was told: nothing to review */
    assert_runs_on(&expected);
}

/* As the kernel has it; of what the C library may not know. */
struct scheduling {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
};

static struct scheduling scheduling(void)
{
    struct scheduling now = {0};
    if (syscall(SYS_sched_getattr, 0, &now, sizeof(now), 0) < 0)
        now.policy = SCHED_BATCH; /* forbidden here */
    now.size = sizeof(now);
    return now;
}

static void asks_for_short_slices(void **state)
{
    struct placement p;
    (void)state;
    struct scheduling before = scheduling();
    if (before.policy != SCHED_OTHER || before.runtime_ns == 0)
        skip(); /* not ours to change, or a kernel that has none */
    assert_int_equal(placement_init(&p, PLACEMENT_ANY, NULL), 0);
    struct scheduling after = scheduling();
    assert_int_equal(syscall(SYS_sched_setattr, 0, &before, 0), 0);
    assert_int_equal(after.runtime_ns, 100000);
    assert_int_equal(after.policy, before.policy);
    assert_int_equal(after.nice, before.nice);
}

static void a_cpu_that_is_not_there_is_an_error(void **state)
{
    struct placement p;
    (void)state;
    assert_int_equal(placement_init(&p, PLACEMENT_CPU_MAX, NULL), -EINVAL);
}

static void any_leaves_everything_as_it_is(void **state)
{
    struct placement p;
    (void)state;
    assert_int_equal(placement_init(&p, PLACEMENT_ANY, NULL), 0);
    assert_int_equal(p.home, PLACEMENT_ANY);
    assert_runs_on(&at_start);
}

/* An image whose reads fail tells nothing. */
static void auto_without_an_answer_leaves_everything_as_it_is(void **state)
{
    struct placement p;
    struct image image = {
        .fd = -1, .size_bytes = 1 << 20, .block_size_bytes = 512, .memory_align_bytes = 512};
    (void)state;
    assert_int_equal(placement_init(&p, PLACEMENT_AUTO, &image), 0);
    assert_int_equal(p.home, PLACEMENT_ANY);
    assert_runs_on(&at_start);
}

static struct placement at_home(void)
{
    cpu_set_t home = only(first_cpu());
    assert_int_equal(sched_setaffinity(0, sizeof(home), &home), 0);
    return (struct placement){.allowed = at_start, .home = first_cpu(), .at_home = true};
}

static void hits_let_it_go_and_misses_bring_it_back(void **state)
{
    struct placement p = at_home();
    cpu_set_t home = only(first_cpu());
    (void)state;
    placement_review(&p, 100 * MS, 1000, 1000);
    assert_runs_on(&home);
    placement_review(&p, 200 * MS, 2000, 1249); /* 24.9 % */
    assert_runs_on(&at_start);
    assert_false(p.at_home);
    placement_review(&p, 300 * MS, 3000, 1748); /* 49.9 %: as it is */
    assert_runs_on(&at_start);
    placement_review(&p, 400 * MS, 4000, 2248);
    assert_runs_on(&home);
    assert_true(p.at_home);
    placement_review(&p, 500 * MS, 5000, 2498); /* 25 %: as it is */
    assert_runs_on(&home);
}

static void is_reviewed_ten_times_a_second_and_by_many_requests(void **state)
{
    struct placement p = at_home();
    cpu_set_t home = only(first_cpu());
    (void)state;
    placement_review(&p, 99 * MS, 1000, 0);
    assert_runs_on(&home);
    placement_review(&p, 100 * MS, 63, 0);
    assert_runs_on(&home);
    placement_review(&p, 199 * MS, 1000, 0); /* a tenth of a second after the last look */
    assert_runs_on(&home);
    placement_review(&p, 200 * MS, 64, 0); /* the 63 count, too */
    assert_runs_on(&at_start);
}

/* ---- a disk whose interrupts come where the test says: linked in place of irq_count.c's --------
 */

int __wrap_irq_count_now(struct irq_count *out);
int __wrap_irq_count_cpu(const struct irq_count *before, const struct irq_count *after,
                         uint64_t events, uint32_t *irq);

static struct {
    int cpu[2]; /* of the completions of the first and the second reader */
    uint32_t irq[2];
    int reader[2];
    int count;
} disk;

int __wrap_irq_count_now(struct irq_count *out)
{
    *out = (struct irq_count){0};
    return 0;
}

int __wrap_irq_count_cpu(const struct irq_count *before, const struct irq_count *after,
                         uint64_t events, uint32_t *irq)
{
    (void)before, (void)after;
    assert_int_equal(events, 8);
    assert_true(disk.count < 2);
    disk.reader[disk.count] = sched_getcpu();
    *irq = disk.irq[disk.count];
    return disk.cpu[disk.count++];
}

/* What auto finds on such a disk. */
static struct placement look(int first_cpu, int last_cpu, uint32_t first_irq, uint32_t last_irq)
{
    struct image image = {.fd = memfd_create("image", MFD_CLOEXEC),
                          .size_bytes = 1 << 20,
                          .block_size_bytes = 512,
                          .memory_align_bytes = 512};
    struct placement p;
    if (CPU_COUNT(&at_start) < 2)
        skip();
    disk.cpu[0] = first_cpu;
    disk.cpu[1] = last_cpu;
    disk.irq[0] = first_irq;
    disk.irq[1] = last_irq;
    disk.count = 0;
    assert_int_equal(ftruncate(image.fd, 1 << 20), 0);
    assert_int_equal(placement_init(&p, PLACEMENT_AUTO, &image), 0);
    close(image.fd);
    return p;
}

static int last_cpu(void)
{
    int cpu = CPU_SETSIZE - 1;
    while (cpu > 0 && !CPU_ISSET((size_t)cpu, &at_start))
        cpu--;
    return cpu;
}

static void auto_goes_where_completions_come_whoever_reads(void **state)
{
    (void)state;
    const int cpus[] = {first_cpu(), last_cpu()};
    for (int i = 0; i < 2; i++) {
        cpu_set_t home = only(cpus[i]);
        struct placement p = look(cpus[i], cpus[i], 30, 30);
        assert_int_equal(disk.count, 2);
        assert_int_equal(disk.reader[0], first_cpu()); /* from far apart */
        assert_int_equal(disk.reader[1], last_cpu());
        assert_int_equal(p.home, cpus[i]);
        assert_true(p.at_home);
        assert_int_equal(p.irq, 30);
        assert_runs_on(&home);
        assert_int_equal(sched_setaffinity(0, sizeof(at_start), &at_start), 0);
    }
}

static void a_disk_without_one_cpu_leaves_everything_as_it_is(void **state)
{
    (void)state;
    int first = first_cpu(), last = last_cpu();
    const struct {
        int cpu[2];
        uint32_t irq[2];
    } disks[] = {{{first, last}, {30, 30}},    /* each CPU has its own queue, */
                 {{first, first}, {30, 31}},   /* or interrupt */
                 {{-ENOENT, first}, {30, 30}}, /* nobody knows */
                 {{first, -ENOENT}, {30, 30}},
                 {{CPU_SETSIZE - 1, CPU_SETSIZE - 1}, {30, 30}}}; /* one that we may not use */
    for (size_t i = 0; i < sizeof(disks) / sizeof(disks[0]); i++) {
        struct placement p =
            look(disks[i].cpu[0], disks[i].cpu[1], disks[i].irq[0], disks[i].irq[1]);
        assert_int_equal(p.home, PLACEMENT_ANY);
        assert_false(p.at_home);
        assert_runs_on(&at_start);
    }
}

static void without_memory_auto_leaves_everything_as_it_is(void **state)
{
    (void)state;
    fault_arm_call("posix_memalign", 1, ENOMEM);
    struct placement p = look(first_cpu(), first_cpu(), 30, 30);
    fault_disarm();
    assert_int_equal(disk.count, 0);
    assert_int_equal(p.home, PLACEMENT_ANY);
    assert_runs_on(&at_start);
}

#define placed_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_words_and_numbers),
        cmocka_unit_test(refuses_other_words),
        placed_test(a_number_pins),
        placed_test(asks_for_short_slices),
        placed_test(a_cpu_that_is_not_there_is_an_error),
        placed_test(any_leaves_everything_as_it_is),
        placed_test(auto_without_an_answer_leaves_everything_as_it_is),
        placed_test(hits_let_it_go_and_misses_bring_it_back),
        placed_test(is_reviewed_ten_times_a_second_and_by_many_requests),
        placed_test(auto_goes_where_completions_come_whoever_reads),
        placed_test(a_disk_without_one_cpu_leaves_everything_as_it_is),
        placed_test(without_memory_auto_leaves_everything_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
