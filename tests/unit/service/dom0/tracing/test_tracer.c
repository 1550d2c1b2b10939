/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <sys/mman.h>
#include <unistd.h>

#include "faults/fault_walk.h"
#include "service/dom0/tracing/tracer.h"
#include "trace/trace_reader.h"

static void test_the_most_is_wanted_of_each_domain(void **state)
{
    struct tracer tracer;
    int a, b;
    (void)state;
    tracer_init(&tracer);
    assert_int_equal(tracer_wanted(&tracer, 1), 0);
    assert_true(tracer_begin(&tracer, &a, 0, 100) >= 0);
    assert_true(tracer_begin(&tracer, &b, 2, 10) >= 0);
    assert_int_equal(tracer_wanted(&tracer, 1), trace_threshold(100));
    assert_int_equal(tracer_wanted(&tracer, 2), trace_threshold(10));
    assert_true(tracer_end(&tracer, &b));
    assert_int_equal(tracer_wanted(&tracer, 2), trace_threshold(100));
    assert_true(tracer_end(&tracer, &a));
    assert_false(tracer_end(&tracer, &a));
    assert_int_equal(tracer_wanted(&tracer, 2), 0);
    tracer_fini(&tracer);
}

static void test_one_trace_for_each_connection(void **state)
{
    struct tracer tracer;
    int a;
    (void)state;
    tracer_init(&tracer);
    assert_int_equal(tracer_begin(&tracer, &a, 0, 0), -EINVAL);
    assert_true(tracer_begin(&tracer, &a, 0, 1) >= 0);
    assert_int_equal(tracer_begin(&tracer, &a, 0, 1), -EALREADY);
    (void)tracer_end(&tracer, &a);
    tracer_fini(&tracer);
}

/* What Dom0 writes down is for its readers to read. */
static void test_nobody_else_can_write_to_dom0s_memory(void **state)
{
    struct tracer tracer;
    int a;
    (void)state;
    tracer_init(&tracer);
    int fd = tracer_begin(&tracer, &a, 0, 1);
    assert_true(fd >= 0);
    assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    void *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(page, MAP_FAILED);
    munmap(page, 4096);
    assert_true(ftruncate(fd, 0) < 0);
    (void)tracer_end(&tracer, &a);
    tracer_fini(&tracer);
}

static void test_gives_each_memory_once_to_who_traces_it(void **state)
{
    struct tracer tracer;
    struct tracer_domain one, two;
    int all, second;
    uint32_t domid = 0;
    bool fresh = false;
    (void)state;
    tracer_init(&tracer);
    tracer_domain_init(&one, 1);
    tracer_domain_init(&two, 2);
    assert_int_equal(tracer_fetch(&tracer, &one), -EAGAIN); /* nobody traces it */
    assert_int_equal(tracer_next(&tracer, &all, &domid, &fresh), -ENOENT);
    assert_true(tracer_begin(&tracer, &all, 0, 1) >= 0);
    assert_true(tracer_begin(&tracer, &second, 2, 1) >= 0);
    assert_int_equal(tracer_next(&tracer, &all, &domid, &fresh), -EAGAIN);
    one.threshold = two.threshold = 1;
    int fd = tracer_fetch(&tracer, &one);
    assert_true(fd >= 0);
    assert_int_equal(tracer_fetch(&tracer, &one), fd); /* the same again */
    assert_int_equal(tracer_next(&tracer, &all, &domid, &fresh), fd);
    assert_int_equal(domid, 1);
    assert_true(fresh);
    assert_int_equal(tracer_next(&tracer, &all, &domid, &fresh), -EAGAIN);
    assert_int_equal(tracer_next(&tracer, &second, &domid, &fresh), -EAGAIN);
    fd = tracer_fetch(&tracer, &two);
    assert_int_equal(tracer_next(&tracer, &second, &domid, &fresh), fd);
    int late;
    assert_true(tracer_begin(&tracer, &late, 2, 1) >= 0);
    assert_int_equal(tracer_next(&tracer, &late, &domid, &fresh), fd);
    assert_false(fresh);
    (void)tracer_end(&tracer, &late);
    tracer_domain_fini(&two, NULL);
    assert_int_equal(tracer_next(&tracer, &all, &domid, &fresh), -EAGAIN); /* it has ended */
    tracer_domain_fini(&one, NULL);
    (void)tracer_end(&tracer, &all);
    (void)tracer_end(&tracer, &second);
    tracer_fini(&tracer);
}

/* Readers know by that when no more records come. */
static void test_dom0s_memory_is_active_while_somebody_traces(void **state)
{
    struct tracer tracer;
    struct trace_reader reader;
    int a, b;
    (void)state;
    tracer_init(&tracer);
    int fd = tracer_begin(&tracer, &a, 0, 1);
    assert_true(fd >= 0);
    assert_int_equal(trace_reader_open(&reader, TRACE_DOM0_LANES, TRACE_DOM0_RECORDS, fd, true), 0);
    assert_true(trace_reader_is_active(&reader));
    assert_int_equal(tracer_begin(&tracer, &b, 7, 1), fd); /* one memory for all */
    assert_true(tracer_end(&tracer, &a));
    assert_true(trace_reader_is_active(&reader));
    assert_true(tracer_end(&tracer, &b));
    assert_false(trace_reader_is_active(&reader));
    assert_int_equal(tracer_begin(&tracer, &a, 0, 1), fd); /* also for who comes later */
    assert_true(trace_reader_is_active(&reader));
    assert_true(tracer_end(&tracer, &a));
    trace_reader_close(&reader);
    tracer_fini(&tracer);
    tracer_fini(&tracer); /* a second time does no harm */
}

static void test_memories_are_given_in_the_order_in_which_they_were_fetched(void **state)
{
    struct tracer tracer;
    struct tracer_domain domains[3];
    int asker;
    uint32_t domid = 0;
    bool fresh;
    (void)state;
    tracer_init(&tracer);
    for (uint32_t i = 0; i < 3; i++) {
        tracer_domain_init(&domains[i], i + 1);
        domains[i].threshold = 1;
    }
    assert_true(tracer_fetch(&tracer, &domains[2]) >= 0);
    assert_true(tracer_begin(&tracer, &asker, 0, 1) >= 0);
    assert_true(tracer_fetch(&tracer, &domains[0]) >= 0);
    assert_true(tracer_fetch(&tracer, &domains[1]) >= 0);
    static const uint32_t order[] = {3, 1, 2};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(tracer_next(&tracer, &asker, &domid, &fresh), domains[order[i] - 1].fd);
        assert_int_equal(domid, order[i]);
        assert_int_equal(fresh, i > 0); /* the first one was there before */
    }
    assert_int_equal(tracer_next(&tracer, &asker, &domid, &fresh), -EAGAIN);
    (void)tracer_end(&tracer, &asker);
    for (int i = 0; i < 3; i++)
        tracer_domain_fini(&domains[i], NULL);
    assert_int_equal(domains[0].fd, -1);
    tracer_fini(&tracer);
}

/* A domain may write into its own memory, and change its size as little as anybody. */
static void test_a_domains_memory_keeps_its_size(void **state)
{
    struct tracer tracer;
    struct tracer_domain domain;
    (void)state;
    tracer_init(&tracer);
    tracer_domain_init(&domain, 1);
    domain.threshold = 1;
    int fd = tracer_fetch(&tracer, &domain);
    assert_true(fd >= 0);
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(page, MAP_FAILED);
    munmap(page, 4096);
    assert_true(ftruncate(fd, 0) < 0);
    assert_true(ftruncate(fd, 1 << 30) < 0);
    tracer_domain_fini(&domain, NULL);
    tracer_fini(&tracer);
}

/* Nobody keeps what nobody reads, and the next trace has a memory again. */
static void test_dom0s_memory_goes_with_the_last_trace(void **state)
{
    struct tracer tracer;
    int a, b;
    (void)state;
    tracer_init(&tracer);
    tracer_tidy(&tracer, NULL); /* there is none */
    for (int i = 0; i < 2; i++) {
        int fd = tracer_begin(&tracer, &a, 0, 1);
        assert_int_equal(tracer_begin(&tracer, &b, 1, 1), fd);
        (void)tracer_end(&tracer, &a);
        tracer_tidy(&tracer, NULL);
        assert_true(fcntl(fd, F_GETFD) >= 0);
        assert_non_null(tracer.writer.head);
        (void)tracer_end(&tracer, &b);
        tracer_tidy(&tracer, NULL);
        assert_int_equal(fcntl(fd, F_GETFD), -1);
        assert_null(tracer.writer.head);
    }
    tracer_fini(&tracer);
}

static int trace_once(void *unused)
{
    struct tracer tracer;
    int a, rc;
    (void)unused;
    tracer_init(&tracer);
    rc = tracer_begin(&tracer, &a, 0, 1);
    if (rc < 0)
        assert_int_equal(tracer_wanted(&tracer, 1), 0);
    else
        (void)tracer_end(&tracer, &a);
    tracer_fini(&tracer);
    return rc < 0 ? rc : 0;
}

static void test_without_memory_there_is_no_trace(void **state)
{
    (void)state;
    assert_true(fault_walk(trace_once, NULL) >= 4);
}

/* Nobody may be able to write to the memory that others read. */
static void test_memory_that_cannot_be_sealed_is_not_given(void **state)
{
    struct tracer tracer;
    int a;
    (void)state;
    tracer_init(&tracer);
    uint32_t descriptors = fault_open_descriptors();
    fault_arm_call("fcntl", 0, EPERM);
    int rc = tracer_begin(&tracer, &a, 0, 1);
    fault_disarm();
    assert_int_equal(rc, -EPERM);
    assert_int_equal(fault_open_descriptors(), descriptors);
    assert_null(tracer.writer.head);
    tracer_fini(&tracer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_most_is_wanted_of_each_domain),
        cmocka_unit_test(test_one_trace_for_each_connection),
        cmocka_unit_test(test_dom0s_memory_goes_with_the_last_trace),
        cmocka_unit_test(test_nobody_else_can_write_to_dom0s_memory),
        cmocka_unit_test(test_gives_each_memory_once_to_who_traces_it),
        cmocka_unit_test(test_dom0s_memory_is_active_while_somebody_traces),
        cmocka_unit_test(test_memories_are_given_in_the_order_in_which_they_were_fetched),
        cmocka_unit_test(test_a_domains_memory_keeps_its_size),
        cmocka_unit_test(test_without_memory_there_is_no_trace),
        cmocka_unit_test(test_memory_that_cannot_be_sealed_is_not_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
