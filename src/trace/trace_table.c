/* SPDX-License-Identifier: MIT */
#include "trace/trace_table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

static const char *const class_titles[TRACE_CLASSES] = {"hits that domains found by themselves",
                                                        "hits",
                                                        "misses that joined another's read",
                                                        "misses",
                                                        "writes",
                                                        "flushes, discards, and what was refused"};

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Sorts them. */
static uint64_t percentile(uint64_t *values, size_t count, unsigned percent)
{
    qsort(values, count, sizeof(*values), by_value);
    return values[(count - 1) * percent / 100];
}

static uint64_t sum_of(const uint64_t *values, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    return sum;
}

static void write_line(FILE *out, const char *what, const char *who, uint64_t *values, size_t count,
                       uint64_t whole_ns)
{
    uint64_t sum = sum_of(values, count);
    fprintf(out, "  %-14s %-4s %9zu %11.3f %11.3f %11.3f", what, who, count,
            (double)percentile(values, count, 50) / 1e3,
            (double)percentile(values, count, 99) / 1e3, (double)sum / (double)count / 1e3);
    if (whole_ns > 0)
        fprintf(out, " %6.2f %%", 100.0 * (double)sum / (double)whole_ns);
    fputs("\n", out);
}

static bool is_of(const struct trace_life *life, enum trace_class class)
{
    return life->state == TRACE_WHOLE && life->class == class;
}

/* The times that lives of the class took to a stage, since the one before. */
static size_t collect_stage(const struct trace_set *set, enum trace_class class,
                            enum trace_stage stage, uint64_t *values)
{
    size_t count = 0;
    for (size_t i = 0; i < set->count; i++) {
        const struct trace_life *life = &set->lives[i];
        enum trace_stage before = trace_life_before(life, stage);
        if (is_of(life, class) && life->at_ns[stage] != 0 && before != TRACE_STAGES)
            values[count++] = life->at_ns[stage] - life->at_ns[before];
    }
    return count;
}

static size_t collect_whole(const struct trace_set *set, enum trace_class class, bool domains,
                            uint64_t *values)
{
    size_t count = 0;
    for (size_t i = 0; i < set->count; i++) {
        const struct trace_life *life = &set->lives[i];
        if (!is_of(life, class))
            continue;
        uint64_t begin_ns = life->at_ns[trace_life_first(life)];
        uint64_t end_ns = life->at_ns[trace_life_last(life)];
        if (domains) {
            begin_ns = trace_set_domain_ns(set, life->domid, begin_ns);
            end_ns = trace_set_domain_ns(set, life->domid, end_ns);
        }
        values[count++] = end_ns - begin_ns;
    }
    return count;
}

static void write_class(FILE *out, const struct trace_set *set, enum trace_class class,
                        uint64_t *values)
{
    size_t count = collect_whole(set, class, false, values);
    uint64_t whole_ns = sum_of(values, count);
    if (count == 0)
        return;
    fprintf(out, "\n%s: %zu\n  %-14s %-4s %9s %11s %11s %11s %8s\n", class_titles[class], count,
            "until", "in", "requests", "p50 us", "p99 us", "mean us", "of all");
    for (int i = 0; i < TRACE_STAGES; i++) {
        enum trace_stage stage = (enum trace_stage)i;
        size_t of_stage = collect_stage(set, class, stage, values);
        if (of_stage > 0)
            write_line(out, trace_stage_names[i], trace_stage_is_front(stage) ? "DomU" : "Dom0",
                       values, of_stage, whole_ns);
    }
    count = collect_whole(set, class, false, values);
    write_line(out, "whole", "real", values, count, whole_ns);
    count = collect_whole(set, class, true, values);
    write_line(out, "whole", "DomU", values, count, 0);
}

static void write_left_out(FILE *out, const struct trace_set *set)
{
    const struct {
        uint64_t count;
        const char *what;
    } rest[] = {{set->by_state[TRACE_HALF], "of which one half is missing"},
                {set->by_state[TRACE_CUT], "that began before the trace"},
                {set->by_state[TRACE_WRONG], "whose times make no sense"},
                {set->nonsense, "records that make no sense"},
                {set->lost, "records lost, because they were not taken in time"},
                {set->beyond, "records beyond what a trace holds"}};
    for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++) {
        if (rest[i].count > 0)
            fprintf(out, "left out: %" PRIu64 " %s\n", rest[i].count, rest[i].what);
    }
}

int trace_table_write(FILE *out, const struct trace_set *set)
{
    uint64_t *values = calloc(set->count + 1, sizeof(*values));
    if (values == NULL)
        return -ENOMEM;
    fprintf(out, "requests: %zu in %.3f s", set->by_state[TRACE_WHOLE],
            (double)(set->end_ns - set->begin_ns) / 1e9);
    if (set->found > 0)
        fprintf(out,
                "; %" PRIu64 " hits that domains found by themselves, of which one in %d is "
                "looked at",
                set->found, TRACE_FOUND_SAMPLE);
    fputs("\n", out);
    write_left_out(out, set);
    for (int class = 0; class < TRACE_CLASSES; class ++)
        write_class(out, set, (enum trace_class) class, values);
    free(values);
    return 0;
}
