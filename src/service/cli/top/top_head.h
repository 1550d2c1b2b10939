/* SPDX-License-Identifier: MIT */
/* top_head: what stands above the table in a terminal: the service as a whole. Pure. */
#ifndef SPLITDOM_SERVICE_CLI_TOP_TOP_HEAD_H
#define SPLITDOM_SERVICE_CLI_TOP_TOP_HEAD_H

#include "service/cli/top/top_layout.h"
#include "service/cli/top/top_sample.h"

enum { TOP_HEAD_LINES = 3 };

/* Lines of up to width characters; clock: the time of day as text. before may be NULL. */
void top_head_write(const struct top_sample *now, const struct top_sample *before,
                    const char *clock, int width, char lines[TOP_HEAD_LINES][TOP_LINE_SIZE]);
/* Which domains of before are gone: "ended: DomU-3 (3)"; empty: none. */
void top_head_ended(const struct top_sample *now, const struct top_sample *before, int width,
                    char line[TOP_LINE_SIZE]);

#endif
