/* SPDX-License-Identifier: MIT */
/* status: prints Dom0's state. Dom0 answers with two texts and a NUL between them: a table for
 * people, then JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/cli/control_client.h"
#include "service/cli/verb.h"

static int print(const char *text)
{
    size_t length = strlen(text);

    fputs(text, stdout);
    if (length > 0 && text[length - 1] != '\n')
        putchar('\n');
    return verb_end_output();
}

int verb_status(const struct rundir *rundir, const struct service_options *options)
{
    struct why why;
    char *text;
    size_t text_bytes;
    int status;

    if (control_client_ask(rundir->control_socket, CONTROL_STATUS, &text, &text_bytes, &why) != 0) {
        fprintf(stderr, "service: %s\n", why.text);
        return VERB_FAILED;
    }
    size_t first_bytes = strlen(text) + 1;
    if (first_bytes >= text_bytes) {
        fprintf(stderr, "service: Dom0's answer is invalid: is Dom0 of another version?\n");
        status = VERB_FAILED;
    } else {
        status = print(options->json ? text + first_bytes : text);
    }
    free(text);
    return status;
}
