/* SPDX-License-Identifier: MIT */
#include "base/irq_count.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void irq_count_free(struct irq_count *counts)
{
    free(counts->cpu);
    free(counts->irq);
    free(counts->count);
    *counts = (struct irq_count){0};
}

/* The line "           CPU0       CPU1 ...". */
static int read_header(const char *line, struct irq_count *out)
{
    for (const char *at = line; (at = strstr(at, "CPU")) != NULL;) {
        int *cpu = realloc(out->cpu, (out->cpu_count + 1) * sizeof(*cpu));
        if (cpu == NULL)
            return -ENOMEM;
        out->cpu = cpu;
        at += strlen("CPU");
        cpu[out->cpu_count++] = (int)strtol(at, NULL, 10);
    }
    return out->cpu_count == 0 ? -EPROTO : 0;
}

/* Room for one more row. */
static int grow(struct irq_count *out)
{
    size_t rows = out->row_count + 1;
    uint32_t *irq = realloc(out->irq, rows * sizeof(*irq));
    if (irq == NULL)
        return -ENOMEM;
    out->irq = irq;
    uint64_t *count = realloc(out->count, rows * out->cpu_count * sizeof(*count));
    if (count == NULL)
        return -ENOMEM;
    out->count = count;
    return 0;
}

/* A line " 36:   0   963198   PCI-MSIX-0000:00:02.0   1-edge   virtio1-req.0". */
static int read_row(const char *line, struct irq_count *out)
{
    char *at;
    while (isspace((unsigned char)*line))
        line++;
    if (!isdigit((unsigned char)*line))
        return 0;
    unsigned long irq = strtoul(line, &at, 10);
    if (*at++ != ':')
        return -EPROTO;
    int rc = grow(out);
    if (rc < 0)
        return rc;
    for (uint32_t i = 0; i < out->cpu_count; i++) {
        char *end;
        out->count[(size_t)out->row_count * out->cpu_count + i] = strtoull(at, &end, 10);
        if (end == at)
            return -EPROTO;
        at = end;
    }
    out->irq[out->row_count++] = (uint32_t)irq;
    return 0;
}

int irq_count_read(FILE *in, struct irq_count *out)
{
    char *line = NULL;
    size_t size = 0;
    *out = (struct irq_count){0};
    errno = 0;
    int rc = getline(&line, &size, in) < 0 ? -EPROTO : read_header(line, out);
    while (rc == 0 && getline(&line, &size, in) >= 0)
        rc = read_row(line, out);
    if (rc == 0 && feof(in) == 0) /* an error, or no memory for a line */
        rc = errno != 0 ? -errno : -EIO;
    free(line);
    return rc;
}

int irq_count_now(struct irq_count *out)
{
    *out = (struct irq_count){0};
    FILE *in = fopen("/proc/interrupts", "re");
    if (in == NULL)
        return -errno;
    int rc = irq_count_read(in, out);
    fclose(in);
    return rc;
}

int irq_count_cpu(const struct irq_count *before, const struct irq_count *after, uint64_t events,
                  uint32_t *irq)
{
    int found = -ENOENT;
    if (before->cpu_count != after->cpu_count || before->row_count != after->row_count ||
        memcmp(before->cpu, after->cpu, before->cpu_count * sizeof(int)) != 0 ||
        (before->row_count > 0 &&
         memcmp(before->irq, after->irq, before->row_count * sizeof(uint32_t)) != 0))
        return -ENOENT;
    for (size_t i = 0; i < (size_t)after->row_count * after->cpu_count; i++) {
        if (after->count[i] - before->count[i] < events)
            continue;
        if (found >= 0)
            return -ENOENT;
        found = after->cpu[i % after->cpu_count];
        *irq = after->irq[i / after->cpu_count];
    }
    return found;
}
