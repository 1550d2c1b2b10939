/* SPDX-License-Identifier: MIT */
/* env: `eval "$(service env)"` points xenstore-ls, the client and the rest at this service. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "service/cli/verb.h"

/* In single quotes the shell takes everything as it is, but a single quote. */
static void print_export(const char *variable, const char *value)
{
    printf("export %s='", variable);
    for (; *value != '\0'; value++) {
        if (*value == '\'')
            fputs("'\\''", stdout);
        else
            putchar(*value);
    }
    puts("'");
}

int verb_env(const struct rundir *rundir)
{
    print_export("XENSTORED_PATH", rundir->store_socket);
    print_export("SPLITDOM_RUNDIR", rundir->base);
    print_export("SPLITDOM_NAME", rundir->name);
    if (fflush(stdout) == 0)
        return VERB_OK;
    fprintf(stderr, "service: cannot write to stdout: %s\n", strerrordesc_np(errno));
    return VERB_FAILED;
}
