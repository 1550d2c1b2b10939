/* SPDX-License-Identifier: MIT */
/* domain_clock_fixture: a clock over pages that the test moves by hand. */
#ifndef SPLITDOM_TESTS_UNIT_DOMU_DOMAIN_CLOCK_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_DOMU_DOMAIN_CLOCK_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "domu/domain_clock.h"
#include "tdf/pvclock.h"

enum { NR_VCPUS = 2 };

/* A page as Dom0 publishes it, moved by hand: its time is what the test says. */
struct page {
    struct shared_info info;
    struct vcpu_time_info line;
};

static struct page first, second;

static struct domain_clock clock_;

static inline const struct vcpu_time_info *time_of(const struct page *page)
{
    return &page->info.vcpu_info[0].time;
}

static inline void update_begin(struct page *page)
{
    pvclock_publish_all_begin(&page->info, NR_VCPUS, page->line.version);
}

static inline void update_end(struct page *page)
{
    page->line.version += 2;
    pvclock_publish_all_end(&page->info, NR_VCPUS, &page->line);
}

static inline void show(struct page *page, uint64_t now_ns)
{
    page->line.pad1[0] = PVCLOCK_COUNTER_STEPPED;
    page->line.system_time = now_ns;
    update_begin(page);
    update_end(page);
}

/* A line that goes by CLOCK_MONOTONIC, starting at now_ns. */
static inline void run_at(struct page *page, uint64_t now_ns, struct tdf tdf)
{
    pvclock_set_rate(&page->line, tdf_rate_fp(tdf, 1, 1));
    page->line.pad1[0] = PVCLOCK_COUNTER_MONOTONIC;
    page->line.system_time = now_ns;
    update_begin(page);
    page->line.tsc_timestamp = clock_monotonic_ns();
    update_end(page);
}

static inline uint64_t read_with(int expected)
{
    uint64_t now_ns;
    assert_int_equal(domain_clock_read_ns(&clock_, &now_ns), expected);
    return now_ns;
}

static inline int setup(void **state)
{
    (void)state;
    memset(&first, 0, sizeof(first));
    memset(&second, 0, sizeof(second));
    show(&first, 1000);
    domain_clock_start(&clock_, time_of(&first), 1000);
    return 0;
}

#endif
