/* SPDX-License-Identifier: MIT */
#include "service/dom0/placement.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "base/irq_count.h"

enum {
    PROBE_READS = 8,
    PROBE_NS_MAX = 200000000, /* a slow disk is not worth the wait, nor does it matter for it */
    REVIEW_NS = 100000000,
    REVIEW_REQUESTS_MIN = 64,
    SLICE_NS = 100000, /* the least that Linux has */
};

int placement_parse(const char *text, int *cpu)
{
    if (strcmp(text, "auto") == 0) {
        *cpu = PLACEMENT_AUTO;
        return 0;
    }
    if (strcmp(text, "any") == 0) {
        *cpu = PLACEMENT_ANY;
        return 0;
    }
    uint64_t value;
    if (decimal_parse(text, 0, PLACEMENT_CPU_MAX, &value) < 0)
        return -EINVAL;
    *cpu = (int)value;
    return 0;
}

static int run_on(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    return sched_setaffinity(0, sizeof(set), &set) < 0 ? -errno : 0;
}

/* sched_setattr(2) and its structure, of which older C libraries and kernel headers know less. */
static void ask_for_short_slices(void)
{
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime_ns, deadline_ns, period_ns;
    } attr = {0};
    if (syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0) < 0 || attr.policy != SCHED_OTHER)
        return; /* somebody has placed us already */
    attr.size = sizeof(attr);
    attr.runtime_ns = SLICE_NS;
    (void)syscall(SYS_sched_setattr, 0, &attr, 0); /* a matter of speed */
}

/* Reads blocks all over the image, one after the other. */
static int read_some(const struct image *image, void *buffer)
{
    uint64_t deadline_ns = clock_monotonic_ns() + PROBE_NS_MAX;
    uint64_t blocks = image->size_bytes / image->block_size_bytes;
    for (uint64_t i = 0; i < PROBE_READS; i++) {
        uint64_t at = blocks * i / PROBE_READS * image->block_size_bytes;
        if (pread(image->fd, buffer, image->block_size_bytes, (off_t)at) < 0)
            return -errno;
        if (clock_monotonic_ns() > deadline_ns)
            return -ETIME;
    }
    return 0;
}

/* To which CPU do completions come when this one reads? */
static int completions_of(int cpu, const struct image *image, void *buffer, uint32_t *irq)
{
    struct irq_count before = {0}, after = {0};
    int rc = run_on(cpu);
    if (rc == 0)
        rc = irq_count_now(&before);
    if (rc == 0)
        rc = read_some(image, buffer);
    if (rc == 0)
        rc = irq_count_now(&after);
    if (rc == 0)
        rc = irq_count_cpu(&before, &after, PROBE_READS, irq);
    irq_count_free(&before);
    irq_count_free(&after);
    return rc;
}

/* The one CPU to which completions come whoever reads, or -ENOENT. */
static int find_home(struct placement *p, const struct image *image)
{
    void *buffer = NULL;
    int home = -ENOENT;
    uint32_t first_irq = 0, last_irq = 0;
    int first = 0, last = CPU_SETSIZE - 1;
    if (CPU_COUNT(&p->allowed) < 2)
        return -ENOENT;
    while (!CPU_ISSET((size_t)first, &p->allowed))
        first++;
    while (!CPU_ISSET((size_t)last, &p->allowed))
        last--;
    if (posix_memalign(&buffer, image->memory_align_bytes, image->block_size_bytes) != 0)
        return -ENOMEM;
    int of_first = completions_of(first, image, buffer, &first_irq);
    int of_last = of_first < 0 ? of_first : completions_of(last, image, buffer, &last_irq);
    if (of_last >= 0 && of_last == of_first && first_irq == last_irq &&
        CPU_ISSET((size_t)of_last, &p->allowed)) {
        home = of_last;
        p->irq = last_irq;
    }
    free(buffer);
    return home;
}

int placement_init(struct placement *p, int cpu, const struct image *image)
{
    *p = (struct placement){.home = PLACEMENT_ANY};
    ask_for_short_slices();
    if (cpu >= 0)
        return run_on(cpu);
    if (cpu == PLACEMENT_ANY || sched_getaffinity(0, sizeof(p->allowed), &p->allowed) < 0)
        return 0;
    int home = find_home(p, image);
    if (home >= 0 && run_on(home) == 0) {
        p->home = home;
        p->at_home = true;
    } else {
        (void)sched_setaffinity(0, sizeof(p->allowed), &p->allowed);
    }
    return 0;
}

void placement_review(struct placement *p, uint64_t now_ns, uint64_t requests, uint64_t disk_reads)
{
    if (p->home < 0 || now_ns - p->reviewed_ns < REVIEW_NS)
        return;
    uint64_t asked = requests - p->requests, read = disk_reads - p->disk_reads;
    p->reviewed_ns = now_ns;
    if (asked < REVIEW_REQUESTS_MIN)
        return; /* they count next time */
    p->requests = requests;
    p->disk_reads = disk_reads;
    if (!p->at_home && 2 * read >= asked)
        p->at_home = run_on(p->home) == 0;
    else if (p->at_home && 4 * read < asked)
        p->at_home = sched_setaffinity(0, sizeof(p->allowed), &p->allowed) < 0;
}
