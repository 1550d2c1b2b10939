/* SPDX-License-Identifier: MIT */
/*
 * tool_for_integrity: judges the reads of a client. Exit: 0 every read matches the image; 1 one
 * does not; 2 the input is not fit to tell, or wrong arguments.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "compare.h"

static const char usage[] = "usage: tool_for_integrity IMAGE SECTORS READ\n"
                            "  IMAGE    the virtual disk image that the service served\n"
                            "  SECTORS  sectors.PID of a client: one sector number a line\n"
                            "  READ     read.PID of the same client: 512 bytes for each line\n"
                            "exit: 0 every read matches; 1 mismatch; 2 bad input or arguments\n";

/* Prints text. A result that nobody gets is no result. */
static int tell(const char *text)
{
    if (fputs(text, stdout) >= 0 && fflush(stdout) == 0)
        return COMPARE_MATCH;
    fprintf(stderr, "tool_for_integrity: cannot write to stdout: %s\n", strerror(errno));
    return COMPARE_BAD_INPUT;
}

int main(int argc, char **argv)
{
    char text[8192];
    enum compare_result result;

    /* A report that cannot be written has an exit status of its own: 2, and a message. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);

    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
        return tell(usage);
    if (argc > 1 && strcmp(argv[1], "--") == 0) { /* as in getopt: names may begin with a dash */
        argc--;
        argv++;
    }
    if (argc != 4) {
        fprintf(stderr, "tool_for_integrity: three arguments needed, %d given\n%s",
                argc > 0 ? argc - 1 : 0, usage);
        return COMPARE_BAD_INPUT;
    }
    const struct compare_files files = {.image = argv[1], .sectors = argv[2], .read = argv[3]};
    result = compare_run(&files, text, sizeof(text) - 1); /* room for a newline */
    if (result != COMPARE_MATCH) {
        fprintf(stderr, "tool_for_integrity: %s\n", text);
        return (int)result;
    }
    strcat(text, "\n");
    return tell(text);
}
