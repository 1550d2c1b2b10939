/* SPDX-License-Identifier: MIT */
/*
 * tool_for_integrity: judges the reads of a client. Exit: 0 every read matches the image; 1 one
 * does not; 2 the input is not fit to tell, or wrong arguments.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "compare.h"

static const char usage[] = "usage: tool_for_integrity IMAGE SECTORS READ\n"
                            "  IMAGE    the virtual disk image that the service served\n"
                            "  SECTORS  sectors.PID of a client: one sector number a line\n"
                            "  READ     read.PID of the same client: 512 bytes for each line\n"
                            "exit: 0 every read matches; 1 mismatch; 2 bad input or arguments\n";

int main(int argc, char **argv)
{
    char text[8192];
    enum compare_result result;

    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(usage, stdout);
        return 0;
    }
    if (argc != 4) {
        fprintf(stderr, "tool_for_integrity: three arguments needed, %d given\n%s",
                argc > 0 ? argc - 1 : 0, usage);
        return COMPARE_BAD_INPUT;
    }
    const struct compare_files files = {.image = argv[1], .sectors = argv[2], .read = argv[3]};
    result = compare_run(&files, text, sizeof(text));
    if (result != COMPARE_MATCH) {
        fprintf(stderr, "tool_for_integrity: %s\n", text);
        return (int)result;
    }
    if (puts(text) < 0 || fflush(stdout) != 0) {
        fprintf(stderr, "tool_for_integrity: cannot write to stdout: %s\n", strerrordesc_np(errno));
        return COMPARE_BAD_INPUT;
    }
    return COMPARE_MATCH;
}
