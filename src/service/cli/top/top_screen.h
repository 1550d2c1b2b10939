/* SPDX-License-Identifier: MIT */
/*
 * top_screen: the table live in a terminal, with keys. Needs ncurses when it is built.
 *
 * The terminal is as before when this returns. SIGINT, SIGTERM, SIGHUP and SIGQUIT (ctrl-\) end the
 * view in order.
 */
#ifndef SPLITDOM_SERVICE_CLI_TOP_TOP_SCREEN_H
#define SPLITDOM_SERVICE_CLI_TOP_TOP_SCREEN_H

#include "base/why.h"
#include "service/cli/top/top_sample.h"

/* How to get a sample, which is to be freed. -errno with a line in why ends the view. */
struct top_source {
    int (*take)(void *ctx, struct top_sample *out, struct why *why);
    void *ctx;
};

struct top_wish {
    uint64_t delay_ms;    /* between two samples */
    uint64_t iterations;  /* samples; 0: for ever */
    bool disks, networks; /* a line for each */
};

/* Returns 0 when the user or the iterations end it. Errors, with a line in why: -ENOTSUP built
 * without ncurses; -ENOTTY stdin or stdout is no terminal, or of no known kind; -ENOMEM; those of
 * take. */
int top_screen_run(const struct top_source *source, const struct top_wish *wish, struct why *why);

#endif
