/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/irq_count.h"
#include "faults/fault_walk.h"

static int read_text(const char *text, struct irq_count *out)
{
    FILE *in = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    assert_non_null(in);
    int rc = irq_count_read(in, out);
    fclose(in);
    return rc;
}

#define HEADER        "           CPU0       CPU2       CPU3\n"
#define TIMER         "LOC:          7          8          9   Local timer interrupts\n"
#define DISK(a, b, c) " 36:  " a "  " b "  " c "  PCI-MSIX-0000:00:02.0   1-edge  virtio1-req.0\n"
#define NET(a, b, c)  "141:  " a "  " b "  " c "  PCI-MSIX-0000:00:04.0   1-edge  virtio3-rx\n"

static void reads_numbers_rows_and_cpus(void **state)
{
    struct irq_count c;
    (void)state;
    assert_int_equal(
        read_text(HEADER DISK("1", "22", "18446744073709551615") NET("4", "5", "6") TIMER, &c), 0);
    assert_int_equal(c.cpu_count, 3);
    assert_int_equal(c.cpu[0], 0);
    assert_int_equal(c.cpu[1], 2);
    assert_int_equal(c.cpu[2], 3);
    assert_int_equal(c.row_count, 2);
    assert_int_equal(c.irq[0], 36);
    assert_int_equal(c.irq[1], 141);
    assert_int_equal(c.count[1], 22);
    assert_true(c.count[2] == UINT64_MAX);
    assert_int_equal(c.count[5], 6);
    irq_count_free(&c);
}

static void refuses_other_texts(void **state)
{
    static const char *const bad[] = {"\n", "no such header\n", HEADER " 36  1 2 3\n",
                                      HEADER " 36: 1 2\n", HEADER " 36: 1 2 edge\n"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct irq_count c;
        assert_int_equal(read_text(bad[i], &c), -EPROTO);
        irq_count_free(&c);
    }
}

/* Where do eight interrupts go between two texts? */
static int cpu_between(const char *before, const char *after, uint32_t *irq)
{
    struct irq_count b, a;
    assert_int_equal(read_text(before, &b), 0);
    assert_int_equal(read_text(after, &a), 0);
    int cpu = irq_count_cpu(&b, &a, 8, irq);
    irq_count_free(&b);
    irq_count_free(&a);
    return cpu;
}

static void finds_the_one_cpu(void **state)
{
    uint32_t irq = 0;
    (void)state;
    assert_int_equal(cpu_between(HEADER DISK("1", "2", "3") NET("4", "5", "6"),
                                 HEADER DISK("1", "10", "3") NET("4", "12", "6"), &irq),
                     2);
    assert_int_equal(irq, 36);
}

static void finds_none_or_several(void **state)
{
    uint32_t irq;
    (void)state;
    assert_int_equal(cpu_between(HEADER DISK("1", "2", "3"), HEADER DISK("5", "6", "3"), &irq),
                     -ENOENT);
    assert_int_equal(cpu_between(HEADER DISK("1", "2", "3"), HEADER DISK("9", "2", "11"), &irq),
                     -ENOENT);
    assert_int_equal(cpu_between(HEADER DISK("1", "2", "3"), HEADER NET("9", "2", "3"), &irq),
                     -ENOENT);
    assert_int_equal(cpu_between(HEADER DISK("1", "2", "3"), HEADER, &irq), -ENOENT);
}

static void the_kernel_s_own_file_is_read(void **state)
{
    struct irq_count c;
    (void)state;
    int rc = irq_count_now(&c);
    if (rc == 0)
        assert_true(c.cpu_count >= 1);
    else
        assert_true(rc == -ENOENT || rc == -EACCES); /* no /proc */
    irq_count_free(&c);
}

static void rows_must_be_of_the_same_interrupts_and_cpus(void **state)
{
    uint32_t irq = 77;
    (void)state;
    assert_int_equal(
        cpu_between("  CPU0 CPU1 CPU2\n" DISK("1", "2", "3"), HEADER DISK("9", "2", "3"), &irq),
        -ENOENT); /* one has gone, another one has come */
    assert_int_equal(cpu_between("  CPU0 CPU2\n 36: 1 2 x\n", HEADER DISK("9", "2", "3"), &irq),
                     -ENOENT);
    assert_int_equal(cpu_between(HEADER DISK("1", "2", "3"),
                                 HEADER DISK("9", "2", "3") NET("1", "1", "1"), &irq),
                     -ENOENT);
    assert_int_equal(cpu_between(HEADER, HEADER, &irq), -ENOENT); /* of none there is none */
    assert_int_equal(irq, 77);
}

static void as_many_interrupts_as_events_are_enough(void **state)
{
    uint32_t irq = 0;
    (void)state;
    assert_int_equal(cpu_between(HEADER DISK("1", "2", "3"), HEADER DISK("8", "2", "3"), &irq),
                     -ENOENT); /* seven */
    assert_int_equal(cpu_between(HEADER DISK("1", "2", "3"), HEADER DISK("9", "2", "3"), &irq), 0);
    assert_int_equal(irq, 36);
    assert_int_equal(cpu_between(HEADER DISK("1", "2", "3") NET("4", "5", "6"),
                                 HEADER DISK("1", "2", "3") NET("4", "5", "14"), &irq),
                     3);
    assert_int_equal(irq, 141);
}

static int read_and_free(void *arg)
{
    struct irq_count count;
    int rc = read_text(arg, &count);
    irq_count_free(&count);
    return rc;
}

/* Three CPUs and two rows of two tables. */
static void without_memory_nothing_is_read(void **state)
{
    static char text[] = HEADER DISK("1", "2", "3") NET("4", "5", "6");
    (void)state;
    assert_true(fault_walk(read_and_free, text) >= 3 + 2 * 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_numbers_rows_and_cpus),
        cmocka_unit_test(refuses_other_texts),
        cmocka_unit_test(finds_the_one_cpu),
        cmocka_unit_test(finds_none_or_several),
        cmocka_unit_test(the_kernel_s_own_file_is_read),
        cmocka_unit_test(rows_must_be_of_the_same_interrupts_and_cpus),
        cmocka_unit_test(as_many_interrupts_as_events_are_enough),
        cmocka_unit_test(without_memory_nothing_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
