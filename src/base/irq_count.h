/* SPDX-License-Identifier: MIT */
/*
 * irq_count: how often each interrupt came to each CPU, from /proc/interrupts (proc(5)).
 */
#ifndef SPLITDOM_BASE_IRQ_COUNT_H
#define SPLITDOM_BASE_IRQ_COUNT_H

#include <stdint.h>
#include <stdio.h>

/* Zeroed = empty. Row-major: row_count times cpu_count counts. */
struct irq_count {
    uint32_t cpu_count, row_count;
    int *cpu;        /* the CPUs' numbers, by column */
    uint32_t *irq;   /* the interrupts' numbers, by row */
    uint64_t *count; /* by row and column */
};

/*
 * Reads the numbered interrupts off a text of the form of /proc/interrupts; those of the CPUs
 * themselves (LOC, RES, ...) are left out. Errors: -EPROTO not of that form, -ENOMEM, -errno of
 * reading. *out is to be freed in either case.
 */
int irq_count_read(FILE *in, struct irq_count *out);
/* The same from the kernel. Errors besides: -errno of open. */
int irq_count_now(struct irq_count *out);
void irq_count_free(struct irq_count *counts);

/*
 * The CPU to which at least `events` interrupts of one and the same number came in between, if
 * there is exactly one; *irq is that number. -ENOENT: none, or several, or the interrupts were
 * renumbered.
 */
int irq_count_cpu(const struct irq_count *before, const struct irq_count *after, uint64_t events,
                  uint32_t *irq);

#endif
