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

/* A time, of a life that stands for so many requests. */
struct value {
    uint64_t ns;
    uint32_t weight;
};

static int by_ns(const void *a, const void *b)
{
    const struct value *x = a, *y = b;
    return x->ns < y->ns ? -1 : x->ns > y->ns;
}

static uint64_t weight_of(const struct value *values, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i].weight;
    return sum;
}

/* Of sorted ones, of which there is one at least. */
static uint64_t percentile(const struct value *values, uint64_t weight, unsigned percent)
{
    uint64_t below = (weight - 1) * percent / 100;
    while (below >= values->weight)
        below -= values++->weight;
    return values->ns;
}

static double sum_of(const struct value *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)values[i].ns * values[i].weight;
    return sum;
}

static void write_line(FILE *out, const char *what, const char *who, struct value *values,
                       size_t count, double whole_ns)
{
    double sum = sum_of(values, count);
    uint64_t weight = weight_of(values, count);
    qsort(values, count, sizeof(*values), by_ns);
    fprintf(out, "  %-14s %-4s %9zu %11.3f %11.3f %11.3f", what, who, count,
            (double)percentile(values, weight, 50) / 1e3,
            (double)percentile(values, weight, 99) / 1e3, sum / (double)weight / 1e3);
    if (whole_ns > 0)
        fprintf(out, " %6.2f %%", 100.0 * sum / whole_ns);
    fputs("\n", out);
}

static bool is_of(const struct trace_life *life, enum trace_class class)
{
    return life->state == TRACE_WHOLE && life->class == class;
}

/* The times that lives of the class took to a stage, since the one before. */
static size_t collect_stage(const struct trace_set *set, enum trace_class class,
                            enum trace_stage stage, struct value *values)
{
    size_t count = 0;
    for (size_t i = 0; i < set->count; i++) {
        const struct trace_life *life = &set->lives[i];
        enum trace_stage before = trace_life_before(life, stage);
        if (is_of(life, class) && life->at_ns[stage] != 0 && before != TRACE_STAGES)
            values[count++] =
                (struct value){life->at_ns[stage] - life->at_ns[before], life->weight};
    }
    return count;
}

static uint64_t real_ns(const struct trace_set *set, const struct trace_life *life)
{
    (void)set;
    return life->at_ns[trace_life_last(life)] - life->at_ns[trace_life_first(life)];
}

static uint64_t noticed_ns(const struct trace_set *set, const struct trace_life *life)
{
    (void)set;
    return life->noticed_ns;
}

static size_t collect_whole(const struct trace_set *set, enum trace_class class,
                            uint64_t (*time_of)(const struct trace_set *,
                                                const struct trace_life *),
                            struct value *values)
{
    size_t count = 0;
    for (size_t i = 0; i < set->count; i++) {
        const struct trace_life *life = &set->lives[i];
        if (is_of(life, class))
            values[count++] = (struct value){time_of(set, life), life->weight};
    }
    return count;
}

static void write_class(FILE *out, const struct trace_set *set, enum trace_class class,
                        struct value *values)
{
    size_t count = collect_whole(set, class, real_ns, values);
    double whole_ns = sum_of(values, count);
    uint64_t weight = weight_of(values, count);
    if (count == 0)
        return;
    fprintf(out, "\n%s: %zu", class_titles[class], count);
    if (weight != count)
        fprintf(out, ", which stand for %" PRIu64, weight);
    fprintf(out, "\n  %-14s %-4s %9s %11s %11s %11s %8s\n", "until", "in", "requests", "p50 us",
            "p99 us", "mean us", "of all");
    for (int i = 0; i < TRACE_STAGES; i++) {
        enum trace_stage stage = (enum trace_stage)i;
        size_t of_stage = collect_stage(set, class, stage, values);
        if (of_stage > 0)
            write_line(out, trace_stage_names[i], trace_stage_is_front(stage) ? "DomU" : "Dom0",
                       values, of_stage, whole_ns);
    }
    count = collect_whole(set, class, real_ns, values);
    write_line(out, "whole", "real", values, count, whole_ns);
    count = collect_whole(set, class, noticed_ns, values);
    if (sum_of(values, count) > 0)
        write_line(out, "noticed late", "DomU", values, count, 0);
    count = collect_whole(set, class, trace_set_latency_ns, values);
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
    struct value *values = calloc(set->count + 1, sizeof(*values));
    if (values == NULL)
        return -ENOMEM;
    fprintf(out, "requests: %zu in %.3f s", set->by_state[TRACE_WHOLE],
            (double)(set->end_ns - set->begin_ns) / 1e9);
    if (set->found > 0)
        fprintf(out, "; a sample of %" PRIu64 " hits that domains found by themselves", set->found);
    fputs("\n", out);
    if (set->asked > set->told)
        fprintf(out, "a sample of %" PRIu64 " requests on rings\n", set->asked);
    write_left_out(out, set);
    for (int class = 0; class < TRACE_CLASSES; class ++)
        write_class(out, set, (enum trace_class) class, values);
    free(values);
    return 0;
}
