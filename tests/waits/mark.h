/* SPDX-License-Identifier: MIT */
/* mark: what travels between the judge and the dilated half. */
#ifndef TESTS_WAITS_MARK_H
#define TESTS_WAITS_MARK_H

#include <stdint.h>
#include <sys/types.h>

#include "tests/waits/waits.h"

enum mark_kind { MARK_BEGIN, MARK_END, MARK_ABSENT, MARK_BROKEN };

struct mark {
    enum mark_kind kind;
    pid_t pid;
    int64_t value;
    char text[96];
};

/* With the case's socket as SCM_RIGHTS. */
struct request {
    char name[64]; /* builds differ in what they have */
    int64_t wait_ns;
};

const struct wait_case *waits_case(int number); /* NULL: there are no more */
int waits_find(const char *name);
int waits_inside_main(int fd);
int waits_exec_main(char **arguments);

#endif
