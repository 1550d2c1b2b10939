/* SPDX-License-Identifier: MIT */
/* verb_top: the domains and what they do, again and again: live in a terminal, or as text for
 * scripts. Asks Dom0 for its status each time, and has it time some requests in between. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "service/cli/top/top_latency.h"
#include "service/cli/top/top_layout.h"
#include "service/cli/top/top_screen.h"
#include "service/cli/verb.h"
#include "service/cli/verb_sample.h"

static int print(const struct top_sample *now, const struct top_sample *before,
                 const struct top_wish *wish, struct why *why)
{
    const struct top_layout layout = top_layout_scripts();
    struct top_table table;
    char line[TOP_LINE_SIZE];
    bool is_same = before->pid == now->pid;
    int rc = top_table_make(&table, now, is_same ? before : NULL);
    if (rc < 0)
        return why_fail_errno(why, rc, "cannot print the domains");
    top_layout_head(&layout, line);
    puts(line);
    for (size_t i = 0; i < table.count; i++) {
        top_layout_row(&layout, &table.rows[i], line);
        puts(line);
        for (size_t j = 0; wish->networks && j < table.rows[i].vif_count; j++) {
            top_layout_vif(&layout, &table.rows[i].vifs[j], line);
            puts(line);
        }
        for (size_t j = 0; wish->disks && j < table.rows[i].disk_count; j++) {
            top_layout_disk(&layout, &table.rows[i].disks[j], line);
            puts(line);
        }
    }
    top_table_free(&table);
    if (fflush(stdout) != 0)
        return why_fail_errno(why, -errno, "cannot write to stdout");
    return 0;
}

static int run_batch(const struct top_source *source, const struct top_wish *wish, struct why *why)
{
    struct top_sample before = {0};
    uint64_t next_ns = clock_monotonic_ns();
    int rc = 0;
    for (uint64_t i = 0; rc == 0 && (wish->iterations == 0 || i < wish->iterations); i++) {
        struct top_sample now;
        const struct timespec until = clock_timespec(next_ns);
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
            continue;
        next_ns = clock_monotonic_ns() + wish->delay_ms * 1000000;
        rc = source->take(source->ctx, &now, why);
        if (rc < 0)
            break;
        rc = print(&now, &before, wish, why);
        top_sample_free(&before);
        before = now;
    }
    top_sample_free(&before);
    return rc;
}

struct looker {
    struct rundir rundir;
    struct top_latency latency;
};

static int take(void *ctx, struct top_sample *out, struct why *why)
{
    struct looker *looker = ctx;
    int rc = verb_sample(&looker->rundir, out, why);
    if (rc == 0)
        top_latency_fill(&looker->latency, looker->rundir.control_socket, out);
    return rc;
}

int verb_top(const struct rundir *rundir, const struct service_options *options)
{
    struct looker looker = {.rundir = *rundir};
    const struct top_source source = {take, &looker};
    const struct top_wish wish = {options->delay_ms, options->iterations, options->details,
                                  options->networks};
    struct why why;
    int rc =
        options->batch ? run_batch(&source, &wish, &why) : top_screen_run(&source, &wish, &why);
    top_latency_end(&looker.latency);
    if (rc == 0)
        return VERB_OK;
    fprintf(stderr, "service: %s\n", why.text);
    return rc == -ESHUTDOWN ? VERB_NOT_RUNNING : VERB_FAILED;
}
