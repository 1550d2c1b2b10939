/* SPDX-License-Identifier: MIT */
/*
 * top_layout: which columns are shown, and rows as lines of text. Pure.
 *
 * Lines for scripts have every column and every digit, first those of xentop, by its widths. Lines
 * for a terminal fit its width: the most important columns that have room are shown, and a number
 * that is too long for its column is shortened (12345678 to 12.3M).
 */
#ifndef SPLITDOM_SERVICE_CLI_TOP_TOP_LAYOUT_H
#define SPLITDOM_SERVICE_CLI_TOP_TOP_LAYOUT_H

#include "service/cli/top/top_table.h"

enum { TOP_LINE_SIZE = 512 }; /* with its NUL */

struct top_layout {
    enum top_column columns[TOP_COLUMNS];
    int count;
    int width; /* of a line; 0: for scripts, as long as it takes */
};

struct top_layout top_layout_scripts(void);
/* skip: how many columns behind the name are left out, so that others have room: then they come in
 * their order, whatever is important. At least the name is shown. */
struct top_layout top_layout_terminal(int width, int skip);

const char *top_layout_title(enum top_column column);
void top_layout_head(const struct top_layout *layout, char line[TOP_LINE_SIZE]);
void top_layout_row(const struct top_layout *layout, const struct top_row *row,
                    char line[TOP_LINE_SIZE]);
/* A disk's line: for scripts it begins as xentop's does. */
void top_layout_disk(const struct top_layout *layout, const struct top_disk *disk,
                     char line[TOP_LINE_SIZE]);
/* An interface's line, likewise. */
void top_layout_vif(const struct top_layout *layout, const struct top_vif *vif,
                    char line[TOP_LINE_SIZE]);

#endif
