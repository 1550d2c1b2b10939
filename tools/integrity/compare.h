/* SPDX-License-Identifier: MIT */
/*
 * compare: checks what a client read against the image. Shares no code with the programs that it
 * judges. Memory is bounded; the files may be of any size.
 */
#ifndef SPLITDOM_INTEGRITY_COMPARE_H
#define SPLITDOM_INTEGRITY_COMPARE_H

#include <stddef.h>
#include <stdint.h>

enum { COMPARE_SECTOR_BYTES = 512 };

enum compare_result {
    COMPARE_MATCH = 0,
    COMPARE_MISMATCH = 1,
    COMPARE_BAD_INPUT = 2,
};

struct compare_files {
    const char *image;   /* file or block device; an incomplete last sector is no sector */
    const char *sectors; /* one decimal sector number a line, each line ended by a newline */
    const char *read;    /* 512 bytes for each line of sectors, in the same order */
};

/*
 * First looks at the form of the files as a whole, then compares. text (text_bytes > 0) gets one
 * line for people: the summary, the first mismatch, or what is wrong with the input.
 */
enum compare_result compare_run(const struct compare_files *files, char *text, size_t text_bytes);

#endif
