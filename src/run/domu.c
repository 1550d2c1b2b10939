/* SPDX-License-Identifier: MIT */
/*
 * domu: starts what lives in a domain. Uses the public API of the library and nothing below it.
 * Exit: that of the verb; 2 wrong arguments.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/std_fds.h"
#include "run/verb.h"
#include "splitdom/version.h"

static const struct domu_verb *const verbs[] = {&verb_run,     &verb_tap, &verb_pcap,
                                                &verb_traffic, &verb_nbd, &verb_vhost};

static int end_output(void)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return DOMU_OK;
    fprintf(stderr, "domu: cannot write to stdout: %s\n", strerror(errno));
    return DOMU_FAILED;
}

static int print_verb_help(const struct domu_verb *verb)
{
    printf("usage: %s %s %s\n%s", program_invocation_short_name, verb->name, verb->arguments,
           verb->help);
    return end_output();
}

static int print_help(void)
{
    printf("usage: %s VERB ...\n", program_invocation_short_name);
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        printf("\n%s %s\n%s", verbs[i]->name, verbs[i]->arguments, verbs[i]->help);
    puts("\n-h, --help, --version");
    return end_output();
}

static bool is_help(const char *argument)
{
    return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";

    std_fds_fill();
    if (is_help(name) || strcmp(name, "help") == 0)
        return print_help();
    if (strcmp(name, "--version") == 0) {
        puts("domu (splitdom) " SPLITDOM_VERSION);
        return end_output();
    }
    bool asks = argc == 3 && is_help(argv[2]);
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(name, verbs[i]->name) == 0)
            return asks ? print_verb_help(verbs[i]) : verbs[i]->main(argc - 1, argv + 1);
    if (argc > 1)
        fprintf(stderr, "domu: unknown verb '%s'\n", name);
    else
        fputs("domu: the verb is missing\n", stderr);
    fprintf(stderr, "usage: domu VERB ...; see '%s --help'\n", program_invocation_short_name);
    return DOMU_USAGE;
}
