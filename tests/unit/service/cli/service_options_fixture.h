/* SPDX-License-Identifier: MIT */
/* service_options_fixture: a command line as one string, taken or refused. */
#ifndef SPLITDOM_TESTS_UNIT_SERVICE_CLI_SERVICE_OPTIONS_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_SERVICE_CLI_SERVICE_OPTIONS_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/why.h"
#include "service/cli/service_options.h"
#include "splitdom/trace.h"

enum { ARGUMENTS_MAX = 40 };

static struct why why;

static inline int parse(const char *line, struct service_options *options)
{
    static char buffer[1024];
    static char *arguments[ARGUMENTS_MAX + 2]; /* the options point into both */
    int count = 1;

    memset(arguments, 0, sizeof(arguments));
    arguments[0] = (char *)"service";
    snprintf(buffer, sizeof(buffer), "%s", line);
    for (char *word = strtok(buffer, " "); word != NULL; word = strtok(NULL, " "))
        arguments[count++] = word;
    why.text[0] = '\0';
    return service_options_parse(count, arguments, options, &why);
}

static inline void assert_refused(const char *line, const char *reason)
{
    struct service_options options;

    assert_int_equal(parse(line, &options), -EINVAL);
    if (strstr(why.text, reason) == NULL)
        fail_msg("'%s': '%s' does not say '%s'", line, why.text, reason);
}

#endif
