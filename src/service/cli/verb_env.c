/* SPDX-License-Identifier: MIT */
/* env: `eval "$(service env)"` points xenstore-ls, the client and the rest at this service. */
#include <stdio.h>

#include "service/cli/verb.h"

/* In single quotes the shell takes every character literally, except a single quote. */
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
    return verb_end_output();
}
