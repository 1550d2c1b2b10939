/* SPDX-License-Identifier: MIT */
/*
 * one_line: text of somebody else (a path, a node of the store) in a line for people: its control
 * characters, which could begin another line or steer the terminal, are shown as '?'.
 */
#ifndef SPLITDOM_BASE_ONE_LINE_H
#define SPLITDOM_BASE_ONE_LINE_H

#include <stdio.h>

void one_line_keep(char *text);

/* Writes it so. Errors are left to ferror. */
void one_line_put(const char *text, FILE *out);

#endif
